"""Console permissions: who may open a console, and keep it open, by the rules."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from clusters import proxmox
from clusters.models import Cluster
from tests.labs import Lab
from tests.vms.console_client import browser_of
from vms.console import close_codes, permissions
from vms.models import Assignment, ConsoleGrant, ConsoleSession, Operation, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def of_ana(ana: User) -> Client:
    return browser_of(ana)


@pytest.fixture
def viewer(building_a: Lab, ana: User, of_ana: Client) -> permissions.Viewer:
    key = str(of_ana.session.session_key)
    machine = building_a.assign(102, ana)
    return permissions.open_console(ConsoleGrant.issue(machine, user=ana, session_key=key, mode="control"), key)


def test_who_still_holds_the_machine_stays(viewer: permissions.Viewer):
    permissions.recheck(viewer)


def code_of(call: Callable[[], object]) -> int:
    with pytest.raises(close_codes.Ended) as ended:
        call()
    return ended.value.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda: Assignment.objects.live().end(), close_codes.WITHDRAWN),
        (lambda: VirtualMachine.objects.update(gone_at=timezone.now()), close_codes.NOT_THERE),
        (lambda: Cluster.objects.update(is_active=False, is_default=False), close_codes.CLUSTER_OFF),
        (lambda: ConsoleSession.objects.all().delete(), close_codes.UNREACHABLE),
        (lambda: User.objects.update(is_active=False), close_codes.LOGIN),
        (lambda: User.objects.update(must_change_password=True), close_codes.LOGIN),
        (lambda: Session.objects.all().delete(), close_codes.LOGIN),
    ],
)
def test_who_may_not_stay_is_told_why(viewer: permissions.Viewer, change: Callable[[], object], code: int):
    permissions.recheck(viewer)
    change()
    assert code_of(lambda: permissions.recheck(viewer)) == code


def test_staying_renews_the_lease(viewer: permissions.Viewer):
    before = timezone.now()
    permissions.recheck(viewer)
    lease = ConsoleSession.objects.get().leased_until - timedelta(seconds=75)
    assert before <= lease <= timezone.now()


def test_a_machine_that_was_deleted_or_is_gone_is_not_entered(building_a: Lab, ana: User, of_ana: Client):
    machine, key = building_a.assign(102, ana), str(of_ana.session.session_key)
    permits = [ConsoleGrant.issue(machine, user=ana, session_key=key, mode="view") for _ in range(2)]
    VirtualMachine.objects.update(gone_at=timezone.now())
    assert [code_of(lambda one=one: permissions.open_console(one, key)) for one in permits] == [
        close_codes.NOT_THERE
    ] * 2
    assert not ConsoleSession.objects.exists()


def test_a_refusal_by_the_rules_is_said_in_one_word(building_a: Lab, ana: User, of_ana: Client):
    machine, key = building_a.assign(101, ana), str(of_ana.session.session_key)
    with pytest.raises(close_codes.Ended) as ended:
        permissions.open_console(ConsoleGrant.issue(machine, user=ana, session_key=key, mode="view"), key)
    assert (ended.value.code, ended.value.reason) == (close_codes.OFF, "off")


def test_an_end_of_the_display_is_the_machines_or_not(viewer: permissions.Viewer, building_a: Lab):
    assert permissions.reason_for_end(viewer).code == close_codes.UNREACHABLE
    building_a.pve.guest(102).status = "stopped"
    assert permissions.reason_for_end(viewer).code == close_codes.OFF
    building_a.pve.stop()
    assert permissions.reason_for_end(viewer).code == close_codes.UNREACHABLE


def test_after_three_seconds_nobody_waits_to_hear_why_it_ended(
    viewer: permissions.Viewer, monkeypatch: pytest.MonkeyPatch
):
    asked: list[float] = []

    def read(_config: object, *, deadline: float) -> NoReturn:
        asked.append(deadline)
        raise proxmox.TimedOut(sent=False)

    monkeypatch.setattr(permissions.gateway, "read", read)
    assert permissions.reason_for_end(viewer).code == close_codes.UNREACHABLE
    assert asked == [3.0]


def test_what_is_off_or_out_of_reach_takes_no_place(building_a: Lab, ana: User, of_ana: Client):
    machine, key = building_a.assign(102, ana), str(of_ana.session.session_key)

    def enter() -> None:
        permissions.open_console(ConsoleGrant.issue(machine, user=ana, session_key=key, mode="view"), key)

    building_a.pve.guest(102).status = "stopped"
    assert code_of(enter) == close_codes.OFF
    building_a.pve.stop()
    assert code_of(enter) == close_codes.UNREACHABLE
    assert not ConsoleSession.objects.exists()
    assert {one.outcome for one in Operation.objects.all()} == {
        "View only. Not opened: the machine is not running.",
        "View only. Not opened: the cluster did not open the display.",
    }


def test_a_machine_that_has_just_moved_is_followed(building_a: Lab, ana: User, of_ana: Client):
    machine, key = building_a.assign(102, ana), of_ana.session.session_key
    building_a.pve.guest(102).node = "pve1"
    opened = permissions.open_console(ConsoleGrant.issue(machine, user=ana, session_key=key, mode="control"), key)
    assert (opened.machine.node, building_a.machine(102).node) == ("pve1", "pve1")


@pytest.mark.parametrize("state", ["paused", "io-error", "guest-panicked"])
def test_what_has_a_process_can_be_looked_at(building_a: Lab, ana: User, of_ana: Client, state: Any):
    building_a.pve.guest(102).status = state
    building_a.sync()
    machine, key = building_a.assign(102, ana), of_ana.session.session_key
    assert permissions.open_console(ConsoleGrant.issue(machine, user=ana, session_key=key, mode="view"), key)


def scope(*headers: tuple[bytes, bytes], scheme: str = "wss") -> dict[str, object]:
    return {"scheme": scheme, "headers": headers}


ORIGIN, HOST = (b"origin", b"https://lab.test"), (b"host", b"lab.test")


@pytest.mark.parametrize(
    ("asked", "ours"),
    [
        (scope(ORIGIN, HOST), True),
        (scope((b"origin", b"HTTPS://LAB.test"), (b"host", b"Lab.TEST")), True),
        (scope((b"origin", b"https://lab.test:8443"), (b"host", b"lab.test:8443")), True),
        (scope((b"origin", b"http://lab.test"), HOST, scheme="ws"), True),
        (scope((b"origin", b"http://lab.test"), HOST), False),
        (scope(ORIGIN, HOST, scheme="ws"), False),
        (scope((b"origin", b"https://lab.test:8443"), HOST), False),
        (scope((b"origin", b"https://evil.test"), HOST), False),
        (scope((b"origin", b"https://evil.test"), (b"host", b"evil.test")), False),
        (scope((b"origin", b"https://"), (b"host", b"")), False),
        (scope(HOST), False),
        (scope(ORIGIN), False),
        (scope(ORIGIN, ORIGIN, HOST), False),
        (scope(ORIGIN, HOST, HOST), False),
        ({}, False),
    ],
)
def test_a_page_of_the_portal_is_told_by_origin_and_host(asked: dict[str, object], ours: bool, settings: Any):
    settings.ALLOWED_HOSTS = ["lab.test"]
    assert permissions.is_same_origin(asked) is ours


@pytest.mark.parametrize(("debug", "ours"), [(True, True), (False, False)])
def test_without_allowed_hosts_it_is_this_machine_while_debugging(settings: Any, debug: bool, ours: bool):
    settings.ALLOWED_HOSTS, settings.DEBUG = [], debug
    for host in b"localhost", b"127.0.0.1:8000", b"[::1]":
        assert permissions.is_same_origin(scope((b"origin", b"https://" + host), (b"host", host))) is ours
    assert not permissions.is_same_origin(scope(ORIGIN, HOST))


def test_the_login_is_in_one_of_the_cookies():
    cookies = (b"cookie", b"a=1"), (b"cookie", b"sessionid=key; b=2")
    assert permissions.session_key(scope(*cookies)) == "key"
    assert permissions.session_key(scope(cookies[0])) == ""
    assert code_of(lambda: permissions.open_console("token", "")) == close_codes.LOGIN


def test_a_session_that_is_another_persons_now_keeps_no_console(viewer: permissions.Viewer, of_ana: Client, ben: User):
    ben.is_staff = True
    ben.save()
    ben.user_permissions.add(Permission.objects.get(codename="operate_virtualmachine"))
    session = of_ana.session
    session[SESSION_KEY] = str(ben.pk)
    session["_auth_user_hash"] = ben.get_session_auth_hash()
    session.save()
    with pytest.raises(close_codes.Ended) as ended:
        permissions.recheck(viewer)
    assert ended.value.code == close_codes.WITHDRAWN
