"""Permits for a console, and what the page asks of a machine."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab, ago, queries
from tests.vms.console_client import browser_of, grant, permit
from vms.console import websocket
from vms.models import Assignment, ConsoleGrant, ConsoleSession, MachineSet, Operation, VirtualMachine, consoles

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(102, ana)


def told(client: Client, pk: int, **more: Any) -> tuple[int, str]:
    answer = grant(client, pk, **more)
    return answer.status_code, answer.json()["state"]


def state_of(client: Client, pk: int) -> Any:
    return client.get(f"/vms/{pk}/console/state/")


def test_who_holds_a_machine_gets_a_permit_and_the_database_does_not_know_it(running: VirtualMachine, ana: User):
    browser = browser_of(ana)
    answer = grant(browser, running.pk)
    assert (answer.status_code, answer.json()["mode"]) == (200, "control")
    token = answer.json()["socket"].split("/")[3]
    row = ConsoleGrant.objects.get()
    assert token not in str(vars(row))
    assert browser.session.session_key not in str(vars(row))


def test_a_permit_is_used_once(running: VirtualMachine, ana: User):
    token = ConsoleGrant.issue(running, user=ana, session_key="key", mode="view")
    assert ConsoleGrant.redeem(token, user=ana, session_key="key").mode == "view"
    assert ConsoleGrant.redeem(token, user=ana, session_key="key") is None


def test_a_permit_is_of_one_person_one_login_and_some_seconds(running: VirtualMachine, ana: User, ben: User):
    token = ConsoleGrant.issue(running, user=ana, session_key="key", mode="view")
    assert ConsoleGrant.redeem(token, user=ben, session_key="key") is None
    assert ConsoleGrant.redeem(token, user=ana, session_key="another") is None
    ConsoleGrant.objects.update(created_at=ago(seconds=21))
    assert ConsoleGrant.redeem(token, user=ana, session_key="key") is None
    ConsoleGrant.objects.update(created_at=ago(seconds=19))
    assert ConsoleGrant.redeem(token, user=ana, session_key="key")


def test_a_foreign_machine_is_not_there(running: VirtualMachine, ben: User):
    assert grant(browser_of(ben), running.pk).status_code == 404
    assert state_of(browser_of(ben), running.pk).status_code == 404


def test_who_may_only_look_gets_none(running: VirtualMachine, auditor: User):
    assert told(browser_of(auditor), running.pk) == (403, "denied")


def test_a_machine_that_is_off_has_no_console(building_a: Lab, ana: User):
    assert told(browser_of(ana), building_a.assign(101, ana).pk) == (409, "off")


def test_a_paused_one_has_a_screen_and_a_silent_cluster_none(running: VirtualMachine, ana: User):
    VirtualMachine.objects.update(status="paused")
    assert permit(browser_of(ana), running.pk)
    ClusterHealth.objects.update(ok=False)
    assert told(browser_of(ana), running.pk) == (503, "unreachable")


def test_an_operation_under_way_and_a_lock_are_no_hindrance(running: VirtualMachine, ana: User):
    VirtualMachine.objects.update(lock="backup")
    Operation.objects.create(vm=running, cluster_id=running.cluster_id, vmid=102, action="reboot", requested_by=ana)
    assert permit(browser_of(ana), running.pk)


def test_nobody_has_three(running: VirtualMachine, ana: User, ben: User):
    begin = [ConsoleSession.begin(running, user=ana, mode="control") for _ in range(3)]
    assert [row.place if row else None for row in begin] == [1, 2, None]
    assert told(browser_of(ana), running.pk) == (429, "limit")
    assert ConsoleSession.begin(running, user=ben, mode="view"), "the places are each person's own"
    assert begin[0].end("Closed.")
    assert permit(browser_of(ana), running.pk)


def test_a_dead_process_gives_its_places_back(running: VirtualMachine, ana: User):
    ConsoleSession.begin(running, user=ana, mode="control")
    ConsoleSession.begin(running, user=ana, mode="control")
    ConsoleSession.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert permit(browser_of(ana), running.pk)
    assert ConsoleSession.begin(running, user=ana, mode="control").place == 1
    assert Operation.objects.filter(action="console", outcome__contains="process ended").count() == 2


@pytest.mark.parametrize(
    "ends",
    [
        lambda: Assignment.objects.live().end(),
        lambda: User.objects.update(is_active=False),
        lambda: VirtualMachine.objects.update(gone_at=timezone.now()),
        lambda: Cluster.objects.update(is_active=False, is_default=False),
    ],
)
def test_a_console_may_stay_as_long_as_person_machine_and_cluster_may(
    running: VirtualMachine, ana: User, ends: Callable[[], object]
):
    row = ConsoleSession.begin(running, user=ana, mode="control")

    def may_stay() -> bool:
        return ConsoleSession.objects.statuses([row.pk], [])[row.pk].may_stay

    assert may_stay()
    ends()
    assert not may_stay()


def test_an_end_is_written_down_once_with_its_duration(running: VirtualMachine, ana: User):
    row = ConsoleSession.begin(running, user=ana, mode="view")
    ConsoleSession.objects.update(opened_at=ago(minutes=3))
    assert [row.end("Ended: x."), row.end("again"), row.renew()] == [True, False, False]
    done = Operation.objects.get()
    assert (done.action, done.state, done.requested_by, done.vm) == ("console", "done", ana, running)
    assert timedelta(minutes=3) <= done.finished_at - done.sent_at < timedelta(minutes=4)
    assert done.outcome == "View only. Ended: x."


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What time it is."""
    found = SimpleNamespace(now=timezone.now().replace(microsecond=0))
    monkeypatch.setattr(consoles, "timezone", SimpleNamespace(now=lambda: found.now))
    return found


TICK = timedelta(microseconds=1)


def test_a_permit_is_good_for_twenty_seconds(running: VirtualMachine, ana: User, moment: SimpleNamespace):
    for age, good in (timedelta(seconds=20), False), (timedelta(seconds=20) - TICK, True):
        token = ConsoleGrant.issue(running, user=ana, session_key="key", mode="view")
        ConsoleGrant.objects.filter(used_at=None).update(created_at=moment.now - age)
        assert bool(ConsoleGrant.redeem(token, user=ana, session_key="key")) is good


def test_permits_are_forgotten_after_an_hour(running: VirtualMachine, ana: User, moment: SimpleNamespace):
    for age in timedelta(hours=1), timedelta(hours=1) + TICK:
        ConsoleGrant.issue(running, user=ana, session_key="key", mode="view")
        ConsoleGrant.objects.filter(created_at__gt=ago(minutes=1)).update(created_at=moment.now - age)
    ConsoleGrant.forget_old()
    assert [row.created_at for row in ConsoleGrant.objects.all()] == [moment.now - timedelta(hours=1)]


def test_a_console_that_nobody_renews_for_75_seconds_is_dead(
    running: VirtualMachine, ana: User, moment: SimpleNamespace
):
    row = ConsoleSession.begin(running, user=ana, mode="view")
    assert row.leased_until == moment.now + timedelta(seconds=75)
    moment.now += timedelta(seconds=70)
    assert row.renew()
    moment.now += timedelta(seconds=75) - TICK
    assert ConsoleSession.objects.end_dead() == 0
    assert row.close(by=ana)
    assert not row.close(by=ana)
    ConsoleSession.objects.update(closed_by_name="")
    moment.now += TICK
    assert not row.close(by=ana)
    assert ConsoleSession.objects.end_dead() == 1
    done = Operation.objects.get()
    assert (done.finished_at, done.outcome) == (moment.now, "View only. The portal's process ended.")


def test_an_end_says_whose_console_of_which_machine_it_was(running: VirtualMachine, ana: User, moment: SimpleNamespace):
    row = ConsoleSession.begin(running, user=ana, mode="control")
    assert str(row) == f"ana at {running.name} (building-a/102)"
    moment.now += timedelta(minutes=2)
    assert row.end("x" * 600)
    done = Operation.objects.get()
    named = (done.cluster_id, done.vmid, done.vm_name, done.node, done.requested_by_name)
    assert named == ("building-a", 102, running.name, running.node, "ana")
    assert {done.requested_at, done.admitted_at, done.sent_at} == {row.opened_at}
    assert done.finished_at == moment.now
    assert done.outcome == "Control. " + "x" * 491


def test_a_login_that_has_expired_is_not_in_force(ana: User, moment: SimpleNamespace):
    keys = {browser_of(ana).session.session_key for _ in range(2)}
    assert set(ConsoleSession.objects.statuses([], keys)) == keys
    Session.objects.filter(session_key=min(keys)).update(expire_date=moment.now)
    assert set(ConsoleSession.objects.statuses([], keys)) == {max(keys)}


def test_a_console_hides_no_operation_from_the_card(running: VirtualMachine, ana: User):
    Operation.objects.create(vm=running, cluster_id=running.cluster_id, vmid=102, action="reboot", requested_by=ana)
    ConsoleSession.begin(running, user=ana, mode="control").end("Closed.")
    page = browser_of(ana).get(reverse("vms-list"), {"cluster": ""}).content.decode()
    assert "Reboot" in page
    history = browser_of(ana).get(reverse("vms-machine", args=[running.pk])).content.decode()
    assert "Console" in history


def test_a_steward_may_join_and_sees_who_else_is_there(running: VirtualMachine, ana: User, ben: User):
    lab = MachineSet.objects.create(name="Room 1")
    lab.machines.add(running)
    lab.stewards.add(ben)
    ConsoleSession.begin(running, user=ana, mode="control")
    assert grant(browser_of(ben), running.pk, "view").json()["mode"] == "view"
    assert state_of(browser_of(ben), running.pk).json()["others"] == [{"name": "ana", "mode": "control"}]
    assert state_of(browser_of(ana), running.pk).json()["others"] == []


def test_the_state_says_whether_the_machine_may_be_started(building_a: Lab, ana: User):
    off, browser = building_a.assign(101, ana), browser_of(ana)
    expected = {"status": "stopped", "words": "Stopped", "busy": False, "text": "", "may_start": True, "others": []}
    expected |= {"standstill": "", "may_resume": False, "banner": {"text": "", "url": "", "button": ""}}
    assert state_of(browser, off.pk).json() == expected
    Operation.objects.create(vm=off, cluster_id=off.cluster_id, vmid=101, action="start", requested_by=ana)
    assert not state_of(browser, off.pk).json()["may_start"]


def test_the_state_is_cheap(running: VirtualMachine, ana: User):
    browser = browser_of(ana)
    with queries() as asked:
        state_of(browser, running.pk)
    assert len(asked) <= 5


def test_a_mode_that_there_is_not_is_no_mode(running: VirtualMachine, ana: User):
    assert grant(browser_of(ana), running.pk, "root").status_code == 400


def test_a_get_and_a_stranger_get_nothing(running: VirtualMachine, ana: User):
    assert browser_of(ana).get(f"/vms/{running.pk}/console/grant/").status_code == 405
    assert told(Client(), running.pk) == (401, "login")
    assert state_of(Client(), running.pk).status_code == 401


def test_a_flood_of_permits_ends(running: VirtualMachine, ana: User):
    browser = browser_of(ana)
    answers = [grant(browser, running.pk).status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]


def test_a_process_serves_so_many(running: VirtualMachine, ana: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(websocket, "_open", 100)
    assert told(browser_of(ana), running.pk) == (503, "full")
    monkeypatch.setattr(websocket, "_open", 99)
    assert permit(browser_of(ana), running.pk)


def test_where_consoles_are_switched_off_there_is_no_permit(running: VirtualMachine, ana: User, settings: Any):
    settings.CONSOLES_PER_PROCESS = 0
    assert told(browser_of(ana), running.pk) == (403, "denied")


def test_whose_machine_was_taken_gets_none(running: VirtualMachine, ana: User):
    Assignment.objects.live().end()
    assert grant(browser_of(ana), running.pk).status_code == 404
