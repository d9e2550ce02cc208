#!/bin/sh
# icalendar 7.3.2 (recurring-ical-events 3.8.2)
#
# A time in a zone that icalendar does not know, and that the file does not define, becomes a time without a zone: no
# exception, no warning, and the event's `errors` are empty. Windows' display names are such zones, and so is "Customized
# Time Zone". Comparing it with any other time of the file is then a TypeError, far from the cause. Work around it: where
# `dt.tzinfo` is None, look whether the property has a TZID, and tell people.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check icalendar==7.3.2 recurring-ical-events==3.8.2

venv/bin/python -W error - >out <<'PYTHON'
from datetime import date

import icalendar
import recurring_ical_events

EVENT = """BEGIN:VEVENT
UID:{uid}@example.org
DTSTAMP:20260801T080000Z
DTSTART;TZID="{zone}":20261013T100000
DTEND;TZID="{zone}":20261013T110000
END:VEVENT
"""
events = EVENT.format(uid=1, zone="Customized Time Zone") + EVENT.format(uid=2, zone="W. Europe Standard Time")
text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\n{events}END:VCALENDAR\n"
calendar = icalendar.Calendar.from_ical(text.replace("\n", "\r\n"))
for event in calendar.walk("VEVENT"):
    print(event["DTSTART"].dt.isoformat(), event.errors)
found = recurring_ical_events.of(calendar).between(date(2026, 10, 1), date(2026, 11, 1))
try:
    sorted(event["DTSTART"].dt for event in found)
except TypeError as error:
    print(error)
PYTHON
cat out
[ "$(cat out)" = "2026-10-13T10:00:00 []
2026-10-13T10:00:00+02:00 []
can't compare offset-naive and offset-aware datetimes" ] || { echo "CHANGED: an unknown time zone is told"; exit 1; }
