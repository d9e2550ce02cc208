"""Calendar files in the form of three timetable programs, each with the same lessons, and what makes files hard.

Tuesdays 10:00 to 11:30 from 8 September to 10 November 2026 in Berlin, across the change of clocks on 25 October. Not
on 6 October (left out), and on 14 October at 14:00 in place of 13 October.
"""

from datetime import date, datetime, timedelta

TUESDAYS = [date(2026, 9, 8) + timedelta(weeks=week) for week in range(10)]
LEFT_OUT, MOVED = date(2026, 10, 6), date(2026, 10, 13)


def calendar(*events: str, head: str = "") -> str:
    lines = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Some program//EN\n{head}{''.join(events)}END:VCALENDAR\n"
    return lines.replace("\n", "\r\n")


def event(*lines: str, uid: str = "1", summary: str = "Networks") -> str:
    words = [f"UID:{uid}", "DTSTAMP:20260801T080000Z", f"SUMMARY:{summary}", *lines]
    return "BEGIN:VEVENT\n" + "".join(f"{word}\n" for word in words) + "END:VEVENT\n"


def untis() -> str:
    """An event for each lesson, in UTC or local time with a zone of its own; what is left out is cancelled."""
    rows = []
    for day in TUESDAYS:
        if day != MOVED:
            times = [f"DTSTART;TZID=Europe/Berlin:{day:%Y%m%d}T100000", f"DTEND;TZID=Europe/Berlin:{day:%Y%m%d}T113000"]
            status = ["STATUS:CANCELLED"] if day == LEFT_OUT else ["STATUS:CONFIRMED"]
            rows.append(event(*times, *status, "LOCATION:Lab 1", uid=f"{day:%j}-untis"))
    rows.append(event("DTSTART:20261014T120000Z", "DTEND:20261014T133000Z", "LOCATION:Lab 1", uid="moved"))
    return calendar(*rows, head="METHOD:PUBLISH\nX-WR-CALNAME:Networks\n")


OUTLOOK_ZONE = """BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


def outlook() -> str:
    """A rule with a display name of Windows' zone, dates left out, and a changed date."""
    zone = 'TZID="W. Europe Standard Time"'
    rule = "RRULE:FREQ=WEEKLY;UNTIL=20261110T090000Z;INTERVAL=1;BYDAY=TU;WKST=MO"
    series = event(
        f"DTSTART;{zone}:20260908T100000", f"DTEND;{zone}:20260908T113000", rule, "LOCATION:Lab 1",
        f"EXDATE;{zone}:20261006T100000", "SEQUENCE:0", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
    )  # fmt: skip
    moved = event(
        f"RECURRENCE-ID;{zone}:20261013T100000", f"DTSTART;{zone}:20261014T140000", f"DTEND;{zone}:20261014T153000",
        "LOCATION:Lab 1", "SEQUENCE:1",
    )  # fmt: skip
    return calendar(series, moved, head=f"METHOD:PUBLISH\n{OUTLOOK_ZONE}")


def google() -> str:
    """X-WR-TIMEZONE, a rule in the named zone, a date cancelled from another zone, and one moved in UTC."""
    series = event(
        "DTSTART;TZID=Europe/Berlin:20260908T100000", "DTEND;TZID=Europe/Berlin:20260908T113000", "LOCATION:Lab 1",
        "RRULE:FREQ=WEEKLY;WKST=MO;COUNT=10;BYDAY=TU", "STATUS:CONFIRMED", uid="g@google.com",
    )  # fmt: skip
    left_out = event(
        "DTSTART;TZID=Europe/Berlin:20261006T100000", "DTEND;TZID=Europe/Berlin:20261006T113000",
        "RECURRENCE-ID;TZID=Europe/London:20261006T090000", "STATUS:CANCELLED", uid="g@google.com",
    )  # fmt: skip
    moved = event(
        "DTSTART:20261014T120000Z", "DTEND:20261014T133000Z", "RECURRENCE-ID:20261013T080000Z", "LOCATION:Lab 1",
        uid="g@google.com",
    )  # fmt: skip
    holiday = event("DTSTART;VALUE=DATE:20261003", "DTEND;VALUE=DATE:20261004", uid="day", summary="Holiday")
    return calendar(series, left_out, moved, holiday, head="CALSCALE:GREGORIAN\nX-WR-TIMEZONE:America/New_York\n")


def expected() -> list[datetime]:
    """The beginnings by the clock in Berlin."""
    days = [day for day in TUESDAYS if day not in {LEFT_OUT, MOVED}]
    return sorted([*(datetime(day.year, day.month, day.day, 10) for day in days), datetime(2026, 10, 14, 14)])  # noqa: DTZ001 - by a clock
