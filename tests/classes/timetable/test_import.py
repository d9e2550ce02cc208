"""Importing a timetable: files of three programs give the same lessons, and what is wrong with a file is told."""

from collections.abc import Callable
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from accounts.spreadsheet import Unreadable
from classes.models import Holiday, LabClass, Lesson
from classes.timetable.importing import calendar_file, series
from classes.timetable.importing.series import FoundTime
from tests.classes.conftest import logged_in
from tests.classes.timetable import timetable_files as files
from tests.classes.timetable.conftest import TUESDAY, make_class, make_lesson, times

BERLIN = ZoneInfo("Europe/Berlin")
WINDOW = {"first": date(2026, 9, 7), "last": date(2027, 9, 7)}


@pytest.fixture
def client(tess: User) -> Client:
    return logged_in(tess)


def url(lab_class: LabClass) -> str:
    return f"/classes/{lab_class.pk}/timetable/import/"


def reasons(page: Any) -> list[str]:
    return [row.reason.value for row in page.context["plan"].rows]


def read(*events: str, head: str = "", **how: Any) -> tuple[list[str], str]:
    """Beginnings and ends by the clock in Berlin, and the notices."""
    found, notices = calendar_file.read(files.calendar(*events, head=head), BERLIN, **WINDOW | how)
    clock = [f"{one.day:%m-%d} {one.begins:%H:%M} {one.ends:%H:%M}" for one in found]
    return sorted(clock), " ".join(map(str, notices))


SPAN = ("DTSTART;TZID=Europe/Berlin:20260908T100000", "DTEND;TZID=Europe/Berlin:20260908T113000")


# Three programs


@pytest.mark.django_db
@pytest.mark.parametrize("program", [files.untis, files.outlook, files.google])
def test_a_file_gives_the_right_lessons(client: Client, tess: User, program: Callable[[], str]):
    lab_class = make_class(tess, time_zone="Europe/Berlin")
    upload = SimpleUploadedFile("timetable.ics", program().encode())
    page = client.post(url(lab_class), {"upload": upload, "by_clock": "on"})
    assert reasons(page) == ["new", "new"]
    assert not Lesson.objects.exists()
    client.post(url(lab_class), {"shown": page.context["shown"]})
    begins = [
        row.starts_at.astimezone(BERLIN).replace(tzinfo=None) for row in lab_class.occurrences.order_by("starts_at")
    ]
    assert begins == files.expected()
    assert Lesson.objects.filter(weekdays=2).get().note == "Networks · Lab 1"
    again = client.post(url(lab_class), {"text": program(), "by_clock": "on", "replace": "on"})
    assert reasons(again) == ["same", "same"]
    assert not again.context["shown"]


@pytest.mark.django_db
def test_a_new_version_ends_what_is_no_longer_in_it(client: Client, networks: LabClass):
    old = make_lesson(networks, TUESDAY, date(2026, 9, 22))
    text = files.calendar(files.event(*SPAN, "RRULE:FREQ=WEEKLY;COUNT=2"))
    kept = client.post(url(networks), {"text": text})
    assert reasons(kept) == ["same"]
    later = "DTSTART;TZID=Europe/Berlin:20260910T100000", "DTEND;TZID=Europe/Berlin:20260910T113000"
    page = client.post(url(networks), {"text": files.calendar(files.event(*later)), "replace": "on"})
    assert reasons(page) == ["new", "ends"]
    client.post(url(networks), {"shown": page.context["shown"]})
    assert not old.occurrences.exists()
    assert times(networks) == ["09-10 08:00"]


# What is hard about files


def test_utc_rules_keep_their_time_of_day_if_that_is_wanted():
    rule = files.event("DTSTART:20261020T080000Z", "DTEND:20261020T090000Z", "RRULE:FREQ=WEEKLY;COUNT=2")
    head = "X-WR-TIMEZONE:America/New_York\n"
    kept, told = read(rule, head=head)
    assert kept == ["10-20 10:00 11:00", "10-27 10:00 11:00"]
    assert "They keep their time of day" in told
    moved, told = read(rule, head=head, by_clock=False)
    assert moved == ["10-20 10:00 11:00", "10-27 09:00 10:00"]
    assert "They move by an hour" in told


def test_an_unknown_zone_is_the_clock_of_the_class_and_told():
    named = 'TZID="(UTC+01:00) Amsterdam, Berlin"'
    found, told = read(
        files.event(f"DTSTART;{named}:20260908T100000", f"DTEND;{named}:20260908T110000"), files.event(*SPAN, uid="2")
    )
    assert found == ["09-08 10:00 11:00", "09-08 10:00 11:30"]
    assert "(UTC+01:00) Amsterdam, Berlin" in told


def test_another_zone_is_converted_on_each_day():
    zone = "TZID=America/New_York"
    found, _told = read(
        files.event(f"DTSTART;{zone}:20261020T040000", f"DTEND;{zone}:20261020T050000", "RRULE:FREQ=WEEKLY;COUNT=2")
    )
    assert found == ["10-20 10:00 11:00", "10-27 09:00 10:00"]


def test_a_duration_is_as_long_as_it_says():
    found, _told = read(files.event("DTSTART;TZID=Europe/Berlin:20261024T220000", "DURATION:PT9H"))
    assert found == ["10-24 22:00 07:00"]


def test_events_with_the_same_identifier_all_count():
    other = "DTSTART;TZID=Europe/Berlin:20260909T100000", "DTEND;TZID=Europe/Berlin:20260909T113000"
    found, told = read(files.event(*SPAN), files.event(*other))
    assert found == ["09-08 10:00 11:30", "09-09 10:00 11:30"]
    assert "taken as events of their own: 1" in told
    found, told = read(files.event(*SPAN, "SEQUENCE:1"), files.event(*other, "SEQUENCE:2"))
    assert found == ["09-09 10:00 11:30"]
    assert "Earlier versions of other events, left out: 1" in told


def test_this_and_the_following_may_be_changed():
    changed = (
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260915T100000",
        "DTSTART;TZID=Europe/Berlin:20260915T140000", "DTEND;TZID=Europe/Berlin:20260915T150000",
    )  # fmt: skip
    found, _told = read(files.event(*SPAN, "RRULE:FREQ=WEEKLY;COUNT=3"), files.event(*changed))
    assert found == ["09-08 10:00 11:30", "09-15 14:00 15:00", "09-22 14:00 15:00"]


@pytest.mark.parametrize(
    "left_out",
    [
        "EXDATE;VALUE=DATE:20260915",
        "EXDATE:20260915T080000Z",
        "EXDATE;TZID=Europe/Berlin:20260915T100000,20260929T100000",
    ],
)
def test_dates_are_left_out_however_they_are_written(left_out: str):
    found, _told = read(files.event(*SPAN, "RRULE:FREQ=WEEKLY;UNTIL=20260922", left_out))
    assert found == ["09-08 10:00 11:30", "09-22 10:00 11:30"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((*SPAN, "STATUS:CANCELLED"), "Cancelled, left out: 1"),
        (("DTSTART;VALUE=DATE:20260908",), "All-day events, left out: 1"),
        (SPAN[:1], "Without an end, or longer than a day, left out: 1"),
        ((SPAN[0], "DTEND;TZID=Europe/Berlin:20260910T100000"), "longer than a day, left out: 1"),
        ((SPAN[0], "DTEND;TZID=Europe/Berlin:20260908T090000"), "Without an end, or longer than a day, left out: 1"),
        ((*SPAN, "RRULE:FREQ=MONTHLY;BYDAY=2TU"), "Repeating in another way than daily or weekly, left out: 1"),
        ((*SPAN, "RRULE:FREQ=SECONDLY"), "Repeating in another way than daily or weekly, left out: 1"),
        ((*SPAN, "RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=MO"), "Repeating in another way than daily or weekly, left out: 1"),
        (
            (*SPAN, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
            "Repeating in another way than daily or weekly, left out: 1",
        ),
        ((*SPAN, "RRULE:FREQ=WEEKLY;COUNT=-1"), "Repeating in another way than daily or weekly, left out: 1"),
        (("DTSTART;TZID=Europe/Berlin:00010101T000000", SPAN[1]), "Unreadable, left out: 1"),
        ((SPAN[0], "DURATION:P9999999999D"), "Without an end, or longer than a day, left out: 1"),
        (("DTSTART:nonsense", "DTEND:nonsense"), "Unreadable, left out: 1"),
        ((), "Unreadable, left out: 1"),
    ],
)
def test_what_is_no_lesson_is_told(lines: tuple[str, ...], told: str):
    found, notices = read(files.event(*lines))
    assert found == []
    assert told in notices


def test_only_wanted_titles_are_read():
    found, told = read(files.event(*SPAN, summary="Databases"), files.event(*SPAN, uid="2"), title="netw")
    assert found == ["09-08 10:00 11:30"]
    assert "With other titles, left out: 1" in told


@pytest.mark.parametrize("end", ["", ";UNTIL=99991231T235959Z"])
def test_an_endless_rule_ends_with_the_class(end: str):
    found, _told = read(files.event(*SPAN, f"RRULE:FREQ=WEEKLY{end}"), last=date(2026, 9, 22))
    assert found == ["09-08 10:00 11:30", "09-15 10:00 11:30", "09-22 10:00 11:30"]


@pytest.mark.django_db
def test_a_class_that_never_ends_takes_an_endless_rule(client: Client, tess: User):
    text = files.calendar(files.event(*SPAN, "RRULE:FREQ=WEEKLY"))
    assert reasons(client.post(url(make_class(tess, ends_on=date.max)), {"text": text})) == ["new"]


@pytest.mark.parametrize(
    ("text", "told"),
    [("BEGIN:VCALENDAR\nnonsense", "not a calendar file"),
     (files.calendar(*[files.event(*SPAN)] * 1001), "more than 1000 events"),
     (files.calendar(*(files.event(*SPAN, "RRULE:FREQ=DAILY", uid=str(number)) for number in range(60))),
      "repeat too often"),
     (files.calendar(*(files.event(*SPAN, "RRULE:FREQ=DAILY", uid=str(number)) for number in range(6))),
      "lessons")],
    ids=["no calendar", "too many events", "too many steps", "too many lessons"],
)  # fmt: skip
def test_a_file_that_is_broken_or_too_much_is_refused(text: str, told: str):
    with pytest.raises(Unreadable, match=told):
        calendar_file.read(text, BERLIN, **WINDOW)


def test_a_title_with_control_characters_is_cleaned():
    found, _notices = calendar_file.read(files.calendar(files.event(*SPAN, summary="Net\x07works")), BERLIN, **WINDOW)
    assert found[0].note == "Networks"


# Folding


def folded(*days: str, holidays: tuple[str, ...] = ()) -> list[tuple[int, int, str, int]]:
    found = [FoundTime("", time(10), time(11), date.fromisoformat(f"2026-{day}")) for day in days]
    some = series.fold(found, [date.fromisoformat(f"2026-{day}") for day in holidays])
    return [(one.weekdays, one.every_weeks, f"{one.first_day:%m-%d}", len(one.left_out)) for one in some]


@pytest.mark.parametrize(
    ("days", "holidays", "expected"),
    [
        (("09-08",), (), [(0, 1, "09-08", 0)]),
        (("09-08", "09-15", "09-22"), (), [(2, 1, "09-08", 0)]),
        (("09-08", "09-22", "10-06"), (), [(2, 2, "09-08", 0)]),
        (("09-08", "09-15", "09-29"), (), [(2, 1, "09-08", 1)]),
        (("09-08", "09-15", "09-29"), ("09-22",), [(2, 1, "09-08", 0)]),
        (("09-08", "09-15", "09-22"), ("09-15",), [(2, 1, "09-08", 0)]),
        (("09-08", "09-10", "09-15", "09-17"), (), [(10, 1, "09-08", 0)]),
        (("09-08", "12-08", "12-15"), (), [(0, 1, "09-08", 0), (0, 1, "12-08", 0), (0, 1, "12-15", 0)]),
    ],
)
def test_times_become_lessons(days: tuple[str, ...], holidays: tuple[str, ...], expected: list[Any]):
    assert folded(*days, holidays=holidays) == expected


# Tables


TABLE = "from,to,first day,last day,weekdays,every weeks,note\n10:00,11:30,2026-09-08,2026-09-22,Tuesday,1,Lab 1\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "desde;hasta;primer día;último día;días\n10:00;11:30;8/9/2026;22/9/2026;martes",
        "Frequency, FromDate, ToDate, StartTime, EndTime, WeekDays, TimeZoneId, Notes\n"
        'Weekly," ""09/08/2026"""," ""09/22/2026""",10:00 AM,11:30 AM,Tuesday,Romance Standard Time,',
    ],
    ids=["ours", "Spanish", "Azure Lab Services"],
)
def test_a_table_gives_the_lessons(client: Client, networks: LabClass, text: str):
    page = client.post(url(networks), {"text": text})
    assert reasons(page) == ["new"]
    client.post(url(networks), {"shown": page.context["shown"]})
    assert times(networks) == ["09-08 08:00", "09-15 08:00", "09-22 08:00"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ("10:00,9:99,2026-09-08,,,,", "is not a time"),
        ("10:00,11:00,8.9.26,,,,", "is not a date"),
        ("10:00,11:00,9999-12-31,,,,", "is not a date"),
        ("10:00,11:00,2026-09-08,2026-09-22,Tuesday,00520000,", "weeks from 1 to 52"),
        ("10:00,11:00,8/9/2026,,,,", "Day and month"),
        ("10:00,11:00,2026-09-08,,Tuesday,,", "Enter the last day"),
        ("10:00,11:00,2026-09-08,2026-09-01,Tuesday,,", "before the first day"),
        ("10:00,11:00,2026-09-08,2030-09-01,Tuesday,,", "longer than two years"),
        ("10:00,10:00,2026-09-08,,,,", "ends when it begins"),
        ("10:00,11:00,2026-09-08,2026-09-22,Blursday,,", "is not a weekday"),
        ("10:00,11:00,2026-09-08,2026-09-22,Tuesday,60,", "weeks from 1 to 52"),
        ("10:00,11:00,2026-09-08,,,,100% <b>", ""),
    ],
)
def test_a_line_that_makes_no_sense_is_told(client: Client, networks: LabClass, cells: str, fault: str):
    page = client.post(url(networks), {"text": f"{TABLE}{cells}\n"})
    assert reasons(page) == (["new", "invalid"] if fault else ["new", "new"])
    assert fault in page.context["plan"].rows[1].words


@pytest.mark.django_db
def test_a_table_without_the_columns_is_refused(client: Client, networks: LabClass):
    page = client.post(url(networks), {"text": "name,room\nNetworks,Lab 1"})
    assert page.status_code == 400
    assert "Missing: from, to, first day" in page.content.decode()


@pytest.mark.django_db
def test_holidays_clashes_and_the_past_are_told(client: Client, networks: LabClass):
    make_lesson(networks, TUESDAY, TUESDAY, begins=time(11), ends=time(12))
    Holiday.objects.create(name="Local holiday", first_day=date(2026, 9, 15), last_day=date(2026, 9, 15))
    page = client.post(url(networks), {"text": f"{TABLE}10:00,11:00,2026-09-01,,,,\n{TABLE.splitlines()[1]}"})
    assert reasons(page) == ["new", "past", "duplicate"]
    row = page.context["plan"].rows[0]
    assert (row.count, row.details) == (2, ["at the time of other lessons of the class: 1"])
