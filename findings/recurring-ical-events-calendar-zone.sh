#!/bin/sh
# recurring-ical-events 3.8.2 (x-wr-timezone 2.0.1, icalendar 7.3.2)
#
# A property of the whole calendar, X-WR-TIMEZONE, changes how often an event takes place. An event in UTC that repeats is
# moved into that zone before its rule is worked out, but the rule's parts are not: with COUNT=4 and a weekday that is
# another one in that zone there are five dates, of which only the first is right, and with UNTIL in UTC the last one is
# missing. The same events without that property come out right. Work around it: delete X-WR-TIMEZONE before, and convert
# the dates that come out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check recurring-ical-events==3.8.2 x-wr-timezone==2.0.1 \
    icalendar==7.3.2

venv/bin/python - >out <<'PYTHON'
from datetime import UTC, date

import icalendar
import recurring_ical_events

TUESDAYS = """DTSTART:20261013T233000Z
DTEND:20261014T003000Z
RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4"""
UNTIL = """DTSTART:20261013T080000Z
DTEND:20261013T090000Z
RRULE:FREQ=WEEKLY;UNTIL=20261103T080000Z"""


def dates(event, zone):
    text = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
{zone}BEGIN:VEVENT
UID:1@example.org
DTSTAMP:20260801T080000Z
{event}
END:VEVENT
END:VCALENDAR
"""
    calendar = icalendar.Calendar.from_ical(text.replace("\n", "\r\n"))
    found = recurring_ical_events.of(calendar).between(date(2026, 10, 1), date(2026, 12, 1))
    return " ".join(f"{one['DTSTART'].dt.astimezone(UTC):%m-%d}" for one in found)


for event in (TUESDAYS, UNTIL):
    for zone in ("", "X-WR-TIMEZONE:Europe/Berlin\n"):
        print(dates(event, zone))
PYTHON
cat out
[ "$(cat out)" = "10-13 10-20 10-27 11-03
10-13 10-19 10-27 11-03 11-10
10-13 10-20 10-27 11-03
10-13 10-20 10-27" ] || { echo "CHANGED: the dates with and without X-WR-TIMEZONE are others"; exit 1; }
