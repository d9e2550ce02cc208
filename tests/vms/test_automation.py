"""After a restore, under another name or after a jump of the clock, nothing acts by itself until it is confirmed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab
from vms import automation, operations
from vms.models import Automation, MadeMachine, Operation, VirtualMachine
from vms.operations import requesting
from vms.provisioning import running
from vms.worker import schedule, tasks
from vms.worker.heartbeat import Heartbeat

pytestmark = pytest.mark.django_db
PAGE = "vms-automation"


@pytest.fixture
def hers(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's 101 is off."""
    return building_a.assign(101, ana)


class Times:
    """A clock that may jump, and the seconds that really passed."""

    def __init__(self) -> None:
        self.day, self.seconds = datetime(2026, 9, 1, tzinfo=UTC), 0.0

    def pass_by(self, seconds: float, *, jump: timedelta = timedelta()) -> None:
        self.seconds += seconds
        self.day += timedelta(seconds=seconds) + jump

    def clock(self) -> automation.Clock:
        return automation.Clock(now=lambda: self.day, elapsed=lambda: self.seconds)


def test_a_new_portal_and_one_that_was_off_for_a_week_act(settings: Any) -> None:
    assert not automation.check_in(automation.Clock())
    Automation.objects.update(seen_at=timezone.now() - timedelta(days=7))
    assert not automation.check_in(automation.Clock())


def test_another_name_holds_everything_until_it_is_confirmed(settings: Any) -> None:
    automation.check_in(automation.Clock())
    settings.INSTANCE_NAME = "copy.example"
    assert automation.check_in(automation.Clock())
    assert Automation.objects.get().reason == "moved"
    assert automation.confirm(by="lena", drops_waiting=False)
    assert not automation.check_in(automation.Clock())
    assert Automation.objects.get().confirmed_by_name == "lena"


@pytest.mark.parametrize(
    ("jump", "is_held"),
    [
        (timedelta(minutes=11), True),
        (timedelta(minutes=-11), True),
        (timedelta(minutes=9), False),
        (timedelta(hours=0), False),
    ],
)
def test_a_jump_of_the_clock_holds_everything(jump: timedelta, is_held: bool) -> None:
    times = Times()
    clock = times.clock()
    automation.check_in(clock)
    times.pass_by(3600)
    assert not automation.check_in(clock)
    times.pass_by(5, jump=jump)
    assert automation.check_in(clock) == is_held


def test_a_database_of_the_future_holds_everything() -> None:
    automation.check_in(automation.Clock())
    Automation.objects.update(seen_at=timezone.now() + timedelta(minutes=11))
    assert automation.check_in(automation.Clock())


def test_the_first_reason_stays() -> None:
    automation.hold("restored")
    automation.hold("clock")
    assert Automation.objects.get().reason == "restored"


# What is held


def test_the_worker_reads_but_does_not_act(monkeypatch: pytest.MonkeyPatch, building_a: Lab) -> None:
    done: list[str] = []
    monkeypatch.setattr(operations, "reconcile_open", lambda **_: done.append("operations"))
    monkeypatch.setattr(running, "reconcile", lambda: done.append("making"))
    monkeypatch.setattr("vms.worker.heartbeat.enqueue_due_clusters", lambda: done.append("syncs"))
    monkeypatch.setattr(schedule, "enqueue_due", lambda: done.append("schedule"))
    beat = Heartbeat("one")
    automation.hold("restored")
    beat.tick(everything=True)
    assert done == ["syncs", "schedule"]
    done.clear()
    automation.confirm(by="lena", drops_waiting=False)
    beat.tick(everything=True)
    assert done == ["operations", "making", "syncs", "schedule"]


def test_jobs_that_were_in_the_queue_do_nothing(
    monkeypatch: pytest.MonkeyPatch, building_a: Lab, ana: User, hers: VirtualMachine
) -> None:
    operation, _ = requesting.request(hers, "start", by=ana)
    monkeypatch.setattr(running, "drive", lambda _: pytest.fail("it made machines"))
    automation.hold("restored")
    building_a.pve.clear_requests()
    tasks.operate.call(str(operation.pk))
    tasks.make_machines.call("building-a")
    assert building_a.pve.requests == []
    assert Operation.objects.get().state == Operation.State.REQUESTED


def test_periodic_jobs_that_act_wait(monkeypatch: pytest.MonkeyPatch, building_a: Lab) -> None:
    done: list[str] = []
    for name, acts in (("acts", True), ("reads", False)):
        job = schedule.PeriodicJob(name, timedelta(seconds=1), lambda name=name: done.append(name), acts=acts)
        monkeypatch.setitem(schedule.PERIODIC_JOBS, name, job)
    automation.hold("clock")
    for name in ("acts", "reads"):
        schedule.regular.call(name)
    assert done == ["reads"]


def test_everything_that_changes_machines_by_itself_is_known_to_act() -> None:
    acting = {name for name, job in schedule.PERIODIC_JOBS.items() if job.acts}
    assert acting >= {
        "prepare freed machines", "give free machines to who waits", "close classes that are over",
        "make machines for who joins", "start machines before lessons", "stop machines after lessons",
    }  # fmt: skip


def test_requests_are_refused_with_the_reason(building_a: Lab, ana: User, hers: VirtualMachine) -> None:
    automation.hold("restored")
    with pytest.raises(requesting.Refused, match="administrator"):
        requesting.request(hers, "start", by=ana)


# Confirming


def test_what_waits_goes_on_or_is_dropped(building_a: Lab, ana: User, hers: VirtualMachine) -> None:
    operation, _ = requesting.request(hers, "start", by=ana)
    automation.hold("restored")
    automation.confirm(by="lena", drops_waiting=True)
    operation.refresh_from_db()
    assert (operation.state, "lena" in operation.outcome) == (Operation.State.CANCELLED, True)
    assert not MadeMachine.objects.filter(state__in=MadeMachine.OPEN).exists()


def test_the_page_says_why_and_confirms(client: Client, lab_admin: User) -> None:
    client.force_login(lab_admin)
    automation.hold("restored")
    address = reverse(PAGE)
    assert "A backup was restored." in client.get(address).content.decode()
    assert "until an administrator confirms it" in client.get(reverse("vms-list")).content.decode()
    client.post(address)
    assert not automation.is_held()
    assert "until an administrator confirms it" not in client.get(reverse("vms-list")).content.decode()
