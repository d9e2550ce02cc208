#!/bin/sh
# recurring-ical-events 3.8.2 (icalendar 7.3.2)
#
# Of several events with the same UID and without RECURRENCE-ID only one is found; which one depends on SEQUENCE, else on
# their order. Nothing tells that the others were dropped. Timetable programs that use the UID for a course write such
# files, and icalendar itself reads all events of them. Work around it: give events with a UID that was seen
# before another one, unless their SEQUENCE is different.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check recurring-ical-events==3.8.2 icalendar==7.3.2

venv/bin/python -W error - >out <<'PYTHON'
from datetime import date

import icalendar
import recurring_ical_events

EVENT = """BEGIN:VEVENT
UID:course-7@example.org
DTSTAMP:20260801T080000Z
DTSTART:202610{day}T080000Z
DTEND:202610{day}T090000Z
SUMMARY:Networks
END:VEVENT
"""
events = "".join(EVENT.format(day=day) for day in (13, 14, 15))
text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\n{events}END:VCALENDAR\n"
calendar = icalendar.Calendar.from_ical(text.replace("\n", "\r\n"))
found = recurring_ical_events.of(calendar).between(date(2026, 10, 1), date(2026, 11, 1))
print(len(calendar.walk("VEVENT")), "events in the file,", len(found), "found")
PYTHON
cat out
[ "$(cat out)" = "3 events in the file, 1 found" ] || { echo "CHANGED: events with the same identifier are found"; exit 1; }
