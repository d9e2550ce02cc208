"""Machines stop after a lesson, with consent: notices, *Keep 1 h*, *do not stop*, and what the stop leaves behind."""

import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from classes.models import LabClass, LessonMode, MachineHold, Occurrence, RunningRules, StopNotice
from classes.timetable import mailing, notices, stopping
from tests.classes.conftest import logged_in
from tests.classes.timetable.conftest import NOW
from tests.classes.timetable.room import BELL, END, Go, Room, go, networks, room
from tests.labs import queries
from vms.access.context import context_for
from vms.access.rules import refusal_when_sent
from vms.models import ClusterSync, Operation
from vms.sentences import say

__all__ = ["go", "networks", "room"]

pytestmark = pytest.mark.django_db

MINUTE = 60.0


@pytest.fixture(autouse=True)
def rules(networks: LabClass, room: Room) -> RunningRules:
    """ana's machine runs since the beginning of the lesson, the others are off."""
    room.change(101, status="running", booted_at=BELL)
    room.change(102, status="stopped")
    return RunningRules.objects.create(lab_class=networks, stops=True)


def looks(go: Go, first: float, last: float, *, every: float = 20) -> int:
    """The worker looks in this time, in minutes after the lesson. Returns how many stops it requested."""
    stops, at = 0, first * MINUTE
    while at <= last * MINUTE:
        go(at, after=END)
        stops += stopping.look()
        at += every
    return stops


def operations() -> list[str]:
    return list(Operation.objects.order_by("requested_at").values_list("action", flat=True))


def finish(state: str) -> None:
    now = timezone.now()
    for one in Operation.objects.open():
        Operation.objects.filter(pk=one.pk).update(state=state, finished_at=now, admitted_at=now)


def test_a_machine_is_shut_down_after_a_notice_of_ten_minutes(networks: LabClass, go: Go):
    assert looks(go, 0, 9.9) == 0
    assert looks(go, 10, 10.5) == 1
    stop = Operation.objects.get()
    assert (stop.action, stop.vmid, stop.origin, stop.requested_by) == (
        "shutdown", 101, "timetable", networks.owner
    )  # fmt: skip


def test_the_stop_keeps_its_evidence(go: Go):
    looks(go, 0, 10.5)
    notice = StopNotice.objects.get()
    assert notice.reason == "lesson-over"
    assert notice.evidence["lesson_ended_at"] == END.isoformat(timespec="seconds")
    assert notice.evidence["running_since"] == BELL.isoformat(timespec="seconds")
    assert notice.evidence["notice_shown_seconds"] >= 600
    finish("done")
    looks(go, 11, 11)
    assert StopNotice.objects.get().outcome == "stopped"


def test_nothing_stops_by_default(rules: RunningRules, go: Go):
    rules.delete()
    assert looks(go, 0, 30, every=60) == 0
    assert not StopNotice.objects.exists()


def test_nothing_stops_in_the_lesson(go: Go):
    looks(go, -80, -1, every=300)
    assert not StopNotice.objects.exists()


def test_a_lesson_that_only_starts_machines_stops_none(networks: LabClass, go: Go):
    networks.occurrences.update(mode=LessonMode.START)
    looks(go, 0, 2)
    assert not StopNotice.objects.exists()


def test_a_machine_that_was_started_after_the_lesson_is_left_on(room: Room, go: Go):
    room.change(101, booted_at=END + timedelta(minutes=1))
    looks(go, 2, 4)
    assert not StopNotice.objects.exists()


def test_after_an_outage_of_the_worker_the_full_notice_is_given_again(go: Go):
    looks(go, 0, 8)
    assert looks(go, 60, 69.5) == 0
    assert looks(go, 70, 72) == 1
    assert StopNotice.objects.get().given_at == END + timedelta(hours=1)


def test_a_notice_from_a_restored_backup_does_not_count(go: Go):
    looks(go, 0, 9.5)
    StopNotice.objects.update(shown_seconds=600, reminded_seconds=300)
    assert looks(go, 120, 129) == 0


def test_a_notice_from_a_clock_that_was_ahead_does_not_count(go: Go):
    looks(go, 30, 39.5)
    StopNotice.objects.update(shown_seconds=600, reminded_seconds=300)
    assert looks(go, 1, 10) == 0


def test_while_the_state_is_unknown_nothing_is_stopped(go: Go):
    looks(go, 0, 9.9)
    go(10 * MINUTE, after=END)
    ClusterSync.objects.update(synced_at=END)
    assert stopping.look() == 0
    assert looks(go, 20, 29) == 0  # the notice was not shown meanwhile


def add_lesson(networks: LabClass, *, after: int) -> None:
    """So many minutes after the end of the first."""
    row = networks.occurrences.get()
    row.pk, row.rule_day = None, None
    row.starts_at, row.ends_at = END + timedelta(minutes=after), END + timedelta(minutes=after + 45)
    row.save()


def test_a_new_lesson_withdraws_the_notice(networks: LabClass, go: Go):
    looks(go, 0, 2)
    add_lesson(networks, after=3)
    looks(go, 3, 3)
    assert StopNotice.objects.get().outcome == "withdrawn"


@pytest.mark.parametrize(("after", "stops"), [(30, 0), (60, 1)])
def test_in_a_break_machines_stay_on(networks: LabClass, go: Go, after: int, stops: int):
    add_lesson(networks, after=after)
    assert looks(go, 0, 12) == stops


def test_a_machine_that_leaves_the_class_gets_no_notice_any_more(networks: LabClass, go: Go):
    looks(go, 0, 2)
    networks.class_machines.all().delete()
    looks(go, 3, 3)
    assert StopNotice.objects.get().outcome == "withdrawn"


def test_rules_that_are_turned_off_withdraw_notices(rules: RunningRules, go: Go):
    looks(go, 0, 2)
    rules.stops = False
    rules.save()
    looks(go, 3, 3)
    assert StopNotice.objects.get().outcome == "withdrawn"


def test_a_machine_with_the_tag_is_left_alone(room: Room, go: Go):
    room.change(101, tags="lab;do-not-stop")
    looks(go, 0, 2)
    assert not StopNotice.objects.exists()


def test_the_look_asks_the_same_number_of_queries_for_any_number_of_machines(room: Room, go: Go):
    looks(go, 5, 5)
    with queries() as few:
        stopping.watch(timezone.now())
    room.change(102, 104, status="running", booted_at=BELL)
    with queries() as more:
        stopping.watch(timezone.now())
    assert len(few) == len(more) <= 7


def test_to_show_notices_for_longer_costs_one_query_for_all_that_began_together(room: Room, go: Go):
    looks(go, 0, 1)
    go(80, after=END)
    with queries() as one:
        stopping.look()
    room.change(102, 104, status="running", booted_at=BELL)
    looks(go, 1.5, 2)
    go(140, after=END)
    with queries() as three:
        stopping.look()
    assert StopNotice.objects.filter(confirmed_at=timezone.now()).count() == 3
    assert len(three) == len(one) + 1


# A machine that does not shut down


def test_a_failed_shutdown_is_not_forced_by_default(go: Go):
    looks(go, 0, 10.5)
    finish("failed")
    looks(go, 14, 60, every=60)
    assert operations() == ["shutdown"]
    assert StopNotice.objects.get().outcome == "refused"
    looks(go, 75, 76)
    assert StopNotice.objects.count() == 2


def test_nothing_is_forced_on_a_machine_that_somebody_wants_left_alone_since(room: Room, ana: User, go: Go):
    RunningRules.objects.update(allows_forced_stop=True)
    looks(go, 0, 13)
    notices.hold(room.machine(101), by=ana, hours=2)
    looks(go, 13.1, 13.9)
    finish("failed")
    looks(go, 14, 15)
    assert operations() == ["shutdown"]


@pytest.mark.parametrize(
    ("what", "minutes", "is_due"),
    [
        ("nothing", 13, True),
        ("a lesson begins", 13, False),
        ("do not stop", 13, False),
        ("no worker", 11.5, False),
        ("no worker", 11.2, True),
    ],
)
def test_a_stop_that_waited_is_sent_only_while_it_is_due(  # noqa: PLR0917
    room: Room, networks: LabClass, ana: User, go: Go, what: str, minutes: float, is_due: bool
):
    """It waits for its turn on a busy node, or for a worker."""
    looks(go, 0, 10.4 if what == "no worker" else 13)
    go(minutes * MINUTE, after=END)
    stop = Operation.objects.get()
    if what == "a lesson begins":
        Occurrence.objects.filter(lab_class=networks, starts_at=BELL).update(ends_at=END + timedelta(hours=1))
    elif what == "do not stop":
        notices.hold(room.machine(101), by=ana, hours=2)
    why = refusal_when_sent(context_for(room.machine(101), person=networks.owner, sending=stop), "shutdown")
    assert (why or "") == ("" if is_due else say("stop-not-due"))


def test_after_a_stop_that_was_not_sent_the_notice_begins_again(go: Go):
    looks(go, 0, 12)
    finish("cancelled")
    looks(go, 20, 29)
    assert list(StopNotice.objects.order_by("pk").values_list("outcome", flat=True)) == ["withdrawn", ""]
    assert looks(go, 29.1, 31) == 1


def test_it_is_forced_once_where_the_class_allows_it(rules: RunningRules, go: Go):
    rules.allows_forced_stop = True
    rules.save()
    looks(go, 0, 13.9)
    finish("failed")
    assert looks(go, 14, 14) == 1
    finish("failed")
    looks(go, 18, 40, every=60)
    assert operations() == ["shutdown", "stop"]
    assert StopNotice.objects.get().was_forced


def test_without_an_active_teacher_nothing_is_stopped(go: Go):
    User.objects.filter(username="tess").update(is_active=False)
    looks(go, 0, 11)
    assert operations() == []


# What people see and do


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def keep_url() -> str:
    return reverse("classes-keep", args=[StopNotice.objects.all()[0].vm_id])


@pytest.fixture
def student(ana: User) -> Client:
    User.objects.filter(pk=ana.pk).update(time_zone="Europe/Madrid")
    return logged_in(ana)


@pytest.mark.parametrize("page", ["/vms/", "/classes/", "/stops/"])
def test_the_person_sees_the_notice_on_every_page(student: Client, page: str, go: Go):
    looks(go, 0, 1)
    assert "net-101 will be shut down at 11:40, because the lesson is over." in text(student.get(page))


def test_nobody_else_sees_it(ben: User, go: Go):
    looks(go, 0, 1)
    assert "will be shut down" not in text(logged_in(ben).get("/vms/"))


def test_it_is_on_the_page_of_the_console(student: Client, room: Room, go: Go):
    looks(go, 0, 1)
    page = text(student.get(reverse("vms-console", args=[room.machine(101).pk])))
    assert "net-101 will be shut down at 11:40" in page
    told = student.get(reverse("vms-console-state", args=[room.machine(101).pk])).json()["banner"]
    assert told["url"] == keep_url()


def test_keep_leaves_it_on_for_an_hour(student: Client, go: Go):
    looks(go, 0, 8)
    go(8 * MINUTE, after=END)
    address = "/vms/?cluster=room&q=net"
    [back] = re.findall(r'name="next" value="([^"]*)"', text(student.get(address)))
    page = student.post(keep_url(), {"next": html.unescape(back)})
    assert page.url == address
    assert looks(go, 9, 67, every=60) == 0
    assert StopNotice.objects.get().outcome == "kept"
    assert looks(go, 68, 79) == 1


@pytest.mark.parametrize("wanted", ["keep", "hold", ""])
def test_who_is_told_that_it_stays_on_wins_against_a_look_in_progress(
    room: Room, ana: User, go: Go, monkeypatch: pytest.MonkeyPatch, wanted: str
):
    """The look has read that it is time, and ana is faster than its request."""
    looks(go, 0, 10)
    go(10 * MINUTE + 20, after=END)
    machine, read = room.machine(101), stopping.watch

    def read_before_ana(now: datetime) -> stopping.Watch:
        found = read(now)
        if wanted == "keep":
            assert notices.keep(machine, by=ana)
        elif wanted == "hold":
            notices.hold(machine, by=ana, hours=2)
        return found

    monkeypatch.setattr(stopping, "watch", read_before_ana)
    assert stopping.look() == (not wanted)
    assert operations() == ([] if wanted else ["shutdown"])
    outcome = {"keep": "kept"}.get(wanted, "")
    assert StopNotice.objects.get().outcome == outcome


def test_a_look_in_progress_shows_no_notice_again_that_was_answered(
    room: Room, ana: User, go: Go, monkeypatch: pytest.MonkeyPatch
):
    looks(go, 0, 5)
    go(5 * MINUTE + 20, after=END)
    read = stopping.watch

    def read_before_ana(now: datetime) -> stopping.Watch:
        found = read(now)
        assert notices.keep(room.machine(101), by=ana)
        return found

    monkeypatch.setattr(stopping, "watch", read_before_ana)
    stopping.look()
    assert notices.shown_to(ana) == []


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_keep_leads_to_no_other_site(student: Client, address: str, go: Go):
    looks(go, 0, 1)
    page = student.post(keep_url(), {"next": address})
    assert page.url == "/vms/"


def test_the_class_says_how_often(student: Client, rules: RunningRules, go: Go):
    rules.keeps = 1
    rules.save()
    for first in (0, 62):
        looks(go, first, first + 1)
        student.post(keep_url())
    assert MachineHold.objects.count() == 1
    assert "Keep 1 h" not in text(student.get("/vms/"))
    assert looks(go, 63, 75) == 1


def test_a_notice_that_is_over_keeps_nothing(student: Client, go: Go):
    looks(go, 0, 10.5)
    student.post(keep_url())
    assert not MachineHold.objects.exists()


def test_others_keep_nothing(ben: User, go: Go):
    looks(go, 0, 1)
    page = logged_in(ben).post(keep_url())
    assert page.status_code == 404
    assert not MachineHold.objects.exists()


def test_a_person_has_their_machine_left_alone(student: Client, networks: LabClass, room: Room, go: Go):
    url = reverse("classes-hold", args=[room.machine(101).pk])
    go(0, after=END)
    student.post(url, {"hours": "8"})
    assert looks(go, 1, 470, every=600) == 0
    assert not StopNotice.objects.exists()
    assert "Not before 2026-09-07 19:30" in text(student.get(f"/classes/{networks.pk}/"))
    student.post(url, {"hours": ["2", "0"]})
    go(471 * MINUTE, after=END)
    stopping.look()
    assert StopNotice.objects.exists()


def test_who_runs_the_class_chooses_it_on_the_page_of_the_machine(
    student: Client, tess: User, auditor: User, room: Room, go: Go
):
    page, url = (reverse(name, args=[room.machine(101).pk]) for name in ("vms-machine", "classes-hold"))
    go(0, after=END)
    teacher = logged_in(tess)
    assert f'action="{url}"' in text(teacher.get(page))
    assert url not in text(logged_in(auditor).get(page))
    assert teacher.post(url, {"hours": "24", "next": page}).url == page
    assert "asked it not to" in text(teacher.get(page))
    assert "tess asked it not to" in text(student.get(page))
    assert ["Allow stops again" in text(one.get(page)) for one in (teacher, student)] == [True, False]
    teacher.post(url, {"hours": ["2", "0"], "next": page})
    assert "asked it not to" not in text(teacher.get(page))
    RunningRules.objects.update(stops=False)
    assert url not in text(teacher.get(page))


def test_the_tab_live_says_when_a_machine_stops(tess: User, networks: LabClass, go: Go):
    User.objects.filter(pk=tess.pk).update(time_zone="Europe/Madrid")
    teacher = logged_in(tess)

    def live(address: str) -> str:
        return text(teacher.get(address, headers={"HX-Request": "true"}))

    before = live(reverse("classes-live", args=[networks.pk]))
    looks(go, 0, 1)
    [poll] = re.findall(r'id="set" hx-get="([^"]*)"', before)
    noticed = live(poll)
    assert (noticed.count("Shuts down at 11:40. The lesson is over."), "Shuts down" in before) == (1, False)
    notices.end(StopNotice.objects.get(), "withdrawn", END)
    [poll] = re.findall(r'id="set" hx-get="([^"]*)"', noticed)
    assert "Shuts down" not in live(poll) != ""


def test_a_hold_has_an_end(student: Client, room: Room, go: Go):
    student.post(reverse("classes-hold", args=[room.machine(101).pk]), {"hours": "100000"})
    assert MachineHold.objects.get().until == NOW + timedelta(hours=2)


def test_notice_and_reminder_go_by_mail_where_the_class_wants_it(
    rules: RunningRules, ana: User, settings: Any, go: Go, monkeypatch: pytest.MonkeyPatch
):
    settings.EMAIL_URL = "smtp://mail.example"
    monkeypatch.setattr(mailing.mail_stop_notice.__class__, "enqueue", lambda self, *args: self.func(*args))
    User.objects.filter(pk=ana.pk).update(email="ana@school.example", time_zone="Europe/Madrid")
    rules.sends_mail = True
    rules.save()
    looks(go, 0, 10.5)
    assert [letter.to for letter in mail.outbox] == [["ana@school.example"]] * 2
    assert "net-101 will be shut down at 11:40" in mail.outbox[0].body


def test_old_notices_are_forgotten(go: Go):
    looks(go, 0, 1)
    StopNotice.objects.update(ended_at=END)
    go(200 * 24 * 60 * MINUTE, after=END)
    notices.forget_old()
    assert not StopNotice.objects.exists()
