"""Reads an iCalendar file, as Untis, Outlook and Google write it, into the times that it has.

Every event is written anew with what matters before its dates are worked out, by the clock of its own zone: so neither
the time zone of the calendar nor a change of clocks moves a lesson, and a rule that never ends has bounds.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from django.utils.translation import gettext as _

from accounts.plans import Note
from accounts.printable import first_unprintable
from accounts.spreadsheet import Unreadable
from classes.timetable import recurrence
from classes.timetable.importing.reading import READ, Reading
from classes.timetable.importing.series import FoundTime

MOST_EVENTS = 1_000
MOST_STEPS = 20_000  # dates that rules have from their beginning on, altogether
MOST_TIMES = 2_000
MOST_LETTERS = 200

WEEKDAYS = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"}
YEARS = range(1900, 2200)
PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}

# What icalendar raises for text that is no calendar.
BROKEN = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError)


def read(
    text: str, zone: ZoneInfo, *, first: date, last: date, title: str = "", by_clock: bool = True
) -> tuple[list[FoundTime], list[Note]]:
    """The times from `first` to `last`, and what to tell about the file. Raises `Unreadable`.

    `title` is a part of the titles that are wanted. `by_clock`: events that repeat in UTC keep their time of day.
    """
    events = _events(text)
    reading = Reading()
    times = list(_times(events, reading, zone, first=first, last=last, title=title, by_clock=by_clock))
    return times, [Note.of(READ, n=len(events)), *reading.notices(by_clock=by_clock)]


def _events(text: str) -> list[Any]:
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except BROKEN:
        raise Unreadable(
            _("This is not a calendar file, or it is damaged. Export it again as iCalendar (.ics).")
        ) from None
    if len(events) > MOST_EVENTS:
        raise Unreadable(_("The file has more than %(most)d events. Export one class only.") % {"most": MOST_EVENTS})
    return events


def _damaged() -> str:
    return _("This is not a calendar file, or it is damaged. Export it again as iCalendar (.ics).")


def _times(
    events: list[Any], reading: Reading, zone: ZoneInfo, *, first: date, last: date, title: str, by_clock: bool
) -> Iterator[FoundTime]:
    calendar = icalendar.Calendar()
    zones: dict[str, tzinfo] = {}
    for event in _sorted_by_kind(events):
        clean = _clean(event, reading, zones, zone, last=last, title=title, by_clock=by_clock)
        if clean is not None:
            calendar.add_component(clean)
    if reading.steps > MOST_STEPS:
        raise Unreadable(_("The events of the file repeat too often. Export a shorter time."))
    found = _dates(calendar, first - timedelta(days=2), last + timedelta(days=2))
    if len(found) > MOST_TIMES:
        text = _("The file has more than %(most)d lessons. Choose a part of it by the title, or export a shorter time.")
        raise Unreadable(text % {"most": MOST_TIMES})
    for one in found:
        if str(one.get("STATUS", "")).upper() == "CANCELLED":
            continue
        local = _local(one, zones[str(one["UID"])], zone)
        if first <= local.day <= last:
            yield local


def _dates(calendar: Any, first: date, last: date) -> list[Any]:
    try:
        between = datetime.combine(first, time()), datetime.combine(last, time())
        return list(recurring_ical_events.of(calendar).between(*between))
    except BROKEN:
        raise Unreadable(_damaged()) from None


def _sorted_by_kind(events: list[Any]) -> list[Any]:
    """Changed dates of a series after it, because they are by its clock; of the same event the latest version first."""
    return sorted(events, key=lambda event: ("RECURRENCE-ID" in event, -_number(event.get("SEQUENCE"))))


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int) else 0


def _clean(
    event: Any, reading: Reading, zones: dict[str, tzinfo], zone: ZoneInfo, *, last: date, title: str, by_clock: bool
) -> Any:
    """The event with what matters, by the clock of its zone. None: it is no lesson, as `reading` tells."""
    name, uid = str(event.get("SUMMARY", "")), str(event.get("UID", ""))
    span, is_date = _span(event), "RECURRENCE-ID" in event
    why = _why_not(event, name, span, title=title, is_date=is_date)
    if not why and not is_date and _number(event.get("SEQUENCE")) < reading.versions.get(uid, 0):
        why = "outdated"
    if why or span is None:
        reading.skipped[why] += 1
        return None
    is_date = is_date and uid in zones
    own = zones[uid] if is_date else _zone(event, span[0], reading, zone, by_clock=by_clock)
    if not is_date:
        reading.versions.setdefault(uid, _number(event.get("SEQUENCE")))
        uid = _unique(uid, zones, reading)
        zones[uid] = own
    clock = _by_clock_of(own)
    clean = icalendar.Event()
    clean.add("uid", uid)
    clean.add("dtstart", clock(span[0]))
    clean.add("dtend", clock(span[0]) + (span[1] - span[0]))
    clean.add("summary", name)
    clean.add("location", str(event.get("LOCATION", "")))
    clean.add("status", str(event.get("STATUS", "CONFIRMED")))
    if is_date:
        changed = event["RECURRENCE-ID"]
        span_of_change = {"RANGE": "THISANDFUTURE"} if "RANGE" in changed.params else {}
        clean.add("recurrence-id", clock(changed.dt.replace(second=0, microsecond=0)), span_of_change)
    else:
        _add_dates(clean, event, clock, reading, last=last)
    return clean


def _why_not(event: Any, name: str, span: tuple[datetime, datetime] | None, *, title: str, is_date: bool) -> str:
    if title.casefold() not in name.casefold():
        return "other"
    if str(event.get("STATUS", "")).upper() == "CANCELLED" and not is_date:
        return "cancelled"
    starts = _told(event.get("DTSTART"))
    if not isinstance(starts, datetime) or _moment(event["DTSTART"]) is None:
        return "all-day" if isinstance(starts, date) and not isinstance(starts, datetime) else "broken"
    if is_date and _moment(event.get("RECURRENCE-ID")) is None:
        return "broken"
    if span is None or not timedelta() < span[1] - span[0] < timedelta(days=1):
        return "endless"
    return "" if _rule_is_plain(event.get("RRULE")) else "rule"


def _span(event: Any) -> tuple[datetime, datetime] | None:
    """Beginning and end, if it has both. The end of a duration is by the clock."""
    starts, ends = _moment(event.get("DTSTART")), _moment(event.get("DTEND"))
    if starts is None:
        return None
    if ends is None:
        length = _told(event.get("DURATION"))
        is_short = isinstance(length, timedelta) and abs(length) < timedelta(days=1)
        return (starts, starts + length) if is_short else None
    if ends.tzinfo is not None and starts.tzinfo is not None:
        return starts, ends.astimezone(starts.tzinfo)
    return starts, ends.replace(tzinfo=starts.tzinfo)


def _told(value: Any, name: str = "dt") -> Any:
    """What a property says. None: it is missing, or broken: such a one raises at its attributes."""
    return None if isinstance(value, icalendar.vBroken) else getattr(value, name, None)


def _moment(value: Any) -> datetime | None:
    """None also for a year in which no school was or will be: its time in another zone may be none."""
    found = _told(value)
    if isinstance(found, datetime) and found.year not in YEARS:
        return None
    return found.replace(second=0, microsecond=0) if isinstance(found, datetime) else None


def _rule_is_plain(rule: Any) -> bool:
    """Whether it always has a next date soon: others can keep a computer busy for ever."""
    if rule is None:
        return True
    if not isinstance(rule, dict) or not set(rule) <= PARTS:
        return False
    frequency, days = rule.get("FREQ"), {str(day) for day in rule.get("BYDAY", ())}
    interval = rule.get("INTERVAL", [1])
    counts, untils = rule.get("COUNT", ()), rule.get("UNTIL", ())
    if any(count < 1 for count in counts) or any(until.year < YEARS[0] for until in untils):
        return False
    if not days <= WEEKDAYS or len(interval) != 1 or not 1 <= interval[0] <= 52:
        return False
    return frequency == ["WEEKLY"] or (frequency == ["DAILY"] and (not days or interval == [1]))


def _zone(event: Any, starts: datetime, reading: Reading, zone: ZoneInfo, *, by_clock: bool) -> tzinfo:
    named = str(event["DTSTART"].params.get("TZID", ""))
    if starts.tzinfo is None:
        if named:
            reading.unknown_zones.add(named[:40])
        return zone
    is_utc = not named and starts.utcoffset() == timedelta()
    if not is_utc:
        reading.zones.add((named or str(starts.tzinfo))[:40])
    elif "RRULE" in event:
        reading.in_utc += 1
        return zone if by_clock else UTC
    return starts.tzinfo


def _unique(uid: str, zones: dict[str, tzinfo], reading: Reading) -> str:
    if uid in zones:
        reading.same_uid += 1
        return f"{uid} {len(zones)}"
    return uid


def _by_clock_of(own: tzinfo) -> Callable[[datetime], datetime]:
    """To a time without a zone, by the clock of this one."""
    return lambda moment: (moment.astimezone(own) if moment.tzinfo else moment).replace(tzinfo=None, fold=0)


def _add_dates(clean: Any, event: Any, clock: Callable[[datetime], datetime], reading: Reading, *, last: date) -> None:
    for name in ("EXDATE", "RDATE"):
        dates = event.get(name, [])
        values = [one for group in (dates if isinstance(dates, list) else [dates]) for one in _told(group, "dts") or ()]
        moments = [moment for one in values if (moment := _date_of(one, clean["DTSTART"].dt, clock)) is not None]
        if moments:
            clean.add(name.lower(), moments)
            reading.steps += len(moments)
    if rule := event.get("RRULE"):
        clean.add("rrule", _bounded(rule, clean["DTSTART"].dt, clock, reading, last=last))


def _date_of(value: Any, starts: datetime, clock: Callable[[datetime], datetime]) -> datetime | None:
    """A day without a time means the time of the series."""
    if (moment := _moment(value)) is not None:
        return clock(moment)
    day = _told(value)
    return datetime.combine(day, starts.time()) if isinstance(day, date) else None


def _bounded(
    rule: Any, starts: datetime, clock: Callable[[datetime], datetime], reading: Reading, *, last: date
) -> dict[str, Any]:
    """The rule, which ends after `last` at the latest. Until then it has so many steps."""
    end = datetime.combine(last + timedelta(days=2), time())
    kept = {name: rule[name] for name in PARTS & set(rule)}
    for until in kept.pop("UNTIL", [])[:1]:
        if until.year in YEARS:  # later ones are as good as none
            end = min(end, clock(until) if isinstance(until, datetime) else datetime.combine(until, time.max))
    if "COUNT" not in kept:
        kept["UNTIL"] = [end]
    weeks = 7 if kept["FREQ"] == ["WEEKLY"] else 1
    steps = max((end - starts).days, 0) // (weeks * kept.get("INTERVAL", [1])[0]) * max(len(kept.get("BYDAY", ())), 1)
    reading.steps += min([steps, *kept.get("COUNT", [])]) + 1
    return kept


def _local(one: Any, own: tzinfo, zone: ZoneInfo) -> FoundTime:
    begins, ends = one["DTSTART"].dt, one["DTEND"].dt
    instants = recurrence.instants(begins.date(), begins.time(), ends.time(), own)
    begins, ends = (instant.astimezone(zone) for instant in instants)
    parts = (str(one.get("SUMMARY", "")), str(one.get("LOCATION", "")))
    note = " · ".join(filter(None, map(_one_line, parts)))[:MOST_LETTERS]
    return FoundTime(note, begins.time().replace(fold=0), ends.time().replace(fold=0), begins.date())


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return "".join(letter for letter in text if first_unprintable(letter, one_line=True) is None)
