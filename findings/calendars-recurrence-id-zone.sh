#!/bin/sh
# ical 14.3.1 (PyPI), ical.js 2.2.1 (npm); against recurring-ical-events 3.8.2. Needs npm. Seen on 30 November 2026.
#
# A lesson at 10 in Berlin, one date of which was moved to 14. The changed date names the start that it replaces (RECURRENCE-ID,
# RFC 5545, section 3.8.4.4): by the clock of the series, in UTC, as in files of iCloud (ical.js, pull request 99), or in
# another zone, as of somebody abroad. `ical` compares the digits without zone or Z: in the second and third form, the lesson
# is there twice, at 10 and at 14. ical.js compares the digits and then UTC: in the third form the lesson stays at 10, and the
# change is lost. Nobody is told. One would expect both to compare instants, as `ical` does for EXDATE. Work around it: write
# RECURRENCE-ID by the clock of the series. Lab Portal does this with each file that it imports, and writes calendars
# in which every lesson is an event of its own.
set -eu
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
    ical==14.3.1 tzdata==2026.6 recurring-ical-events==3.8.2 icalendar==7.3.2
npm install --silent --no-audit --no-fund --ignore-scripts ical.js@2.2.1

cat >ask.py <<'PYTHON'
import datetime
import pathlib
import zoneinfo

import icalendar
import recurring_ical_events
from ical.calendar_stream import IcsCalendarStream

ZONE = """BEGIN:VTIMEZONE
TZID:{}
BEGIN:DAYLIGHT
DTSTART:20260329T020000
TZOFFSETFROM:{}
TZOFFSETTO:{}
END:DAYLIGHT
END:VTIMEZONE
"""
EVENT = "BEGIN:VEVENT\nUID:1@example.org\nDTSTAMP:20260801T080000Z\nDTSTART;TZID=Europe/Berlin:{}\nDURATION:PT1H\n{}\nEND:VEVENT\n"
berlin = zoneinfo.ZoneInfo("Europe/Berlin")
october = datetime.datetime(2026, 10, 1, tzinfo=berlin), datetime.datetime(2026, 11, 1, tzinfo=berlin)
zones = ZONE.format("Europe/Berlin", "+0100", "+0200") + ZONE.format("Europe/London", "+0000", "+0100")
series = EVENT.format("20261006T100000", "RRULE:FREQ=WEEKLY;COUNT=2")
own, other = ";TZID=Europe/Berlin:20261013T100000", ";TZID=Europe/London:20261013T090000"
for name, start in ("own-zone", own), ("utc", ":20261013T080000Z"), ("other-zone", other):
    moved = EVENT.format("20261013T140000", f"RECURRENCE-ID{start}")
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\n{zones}{series}{moved}END:VCALENDAR\n".replace("\n", "\r\n")
    pathlib.Path(f"{name}.ics").write_bytes(text.encode())
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(*october)
    print(f"{name} recurring-ical-events:", *sorted(f"{event.start:%d.%H}" for event in found))
    timeline = IcsCalendarStream.calendar_from_ics(text).timeline_tz(berlin)
    print(f"{name} ical:", *(f"{event.dtstart:%d.%H}" for event in timeline.overlapping(*october)))
PYTHON
cat >ask.mjs <<'JS'
import {readFileSync} from 'node:fs';
import ICAL from 'ical.js';

for (const name of ['own-zone', 'utc', 'other-zone']) {
  const calendar = new ICAL.Component(ICAL.parse(readFileSync(`${name}.ics`, 'utf8')));
  const [series, moved] = calendar.getAllSubcomponents('vevent').map(event => new ICAL.Event(event));
  series.relateException(moved);
  const iterator = series.iterator();
  const found = [iterator.next(), iterator.next()].map(date => series.getOccurrenceDetails(date).startDate);
  console.log(`${name} ical.js:`, ...found.map(({day, hour}) => `${String(day).padStart(2, '0')}.${hour}`));
}
JS
{ venv/bin/python ask.py; node ask.mjs; } >out
cat out
[ "$(grep -v ': 06.10 13.14$' out)" = "utc ical: 06.10 13.10 13.14
other-zone ical: 06.10 13.10 13.14
other-zone ical.js: 06.10 13.10" ] || { echo "CHANGED: RECURRENCE-ID is compared as an instant"; exit 1; }
