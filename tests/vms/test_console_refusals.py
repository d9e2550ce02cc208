"""Who gets no console, each beside the same that does get one: bin/test -n0 -s THIS FILE."""

import socket as socketlib
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from websockets.exceptions import InvalidStatus

from accounts.models import User
from tests.labs import Lab, ago
from tests.vms.console_client import Portal, browser_of, end_of, eventually, permit, portal
from vms.models import Assignment, ConsoleGrant, ConsoleSession, VirtualMachine

__all__ = ["portal"]

pytestmark = pytest.mark.usefixtures("own_database")

Told = Callable[[str, int], None]


@pytest.fixture(scope="module")
def ways() -> Iterator[list[str]]:
    found: list[str] = []
    yield found
    print(f"{len(found)} ways refused, each beside one that was let in")


@pytest.fixture
def told(ways: list[str]) -> Told:
    """Called at the end of a test, with the way and by what it was refused."""

    def tell(way: str, code: int) -> None:
        ways.append(way)
        print(f"\nrefused with {code}: {way}")

    return tell


@pytest.fixture
def running(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(102, ana)


@pytest.fixture
def of_ana(ana: User) -> Client:
    return browser_of(ana)


def is_let_in(portal: Portal, path: str, client: Client) -> bool:
    viewer = portal.view(path, client)
    try:
        return viewer.sees_something()
    finally:
        viewer.close()


def test_no_cookie(portal: Portal, running: VirtualMachine, of_ana: Client, told: Told):
    path = permit(of_ana, running.pk)
    assert end_of(portal.open(path, None)) == 4401
    assert is_let_in(portal, path, of_ana)
    told("no cookie", 4401)


def test_a_password_that_somebody_else_gave(portal: Portal, running: VirtualMachine, of_ana: Client, told: Told):
    path = permit(of_ana, running.pk)
    User.objects.update(must_change_password=True)
    assert end_of(portal.open(path, of_ana)) == 4401
    User.objects.update(must_change_password=False)
    assert is_let_in(portal, path, of_ana)
    told("a password that has to be changed first", 4401)


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", "null"]
)
def test_no_origin_and_a_foreign_one(
    portal: Portal, running: VirtualMachine, of_ana: Client, told: Told, origin: str | None
):
    path = permit(of_ana, running.pk)
    with pytest.raises(InvalidStatus) as refused:
        portal.open(path, of_ana, origin=origin and origin.format(port=portal.port))
    assert refused.value.response.status_code == 403
    assert is_let_in(portal, path, of_ana)
    told(f"origin {origin}" if origin else "no origin", 403)


def test_a_permit_of_another_person(portal: Portal, running: VirtualMachine, of_ana: Client, admin: User, told: Told):
    path, of_admin = permit(of_ana, running.pk), browser_of(admin)
    assert end_of(portal.open(path, of_admin)) == 4403
    assert is_let_in(portal, path, of_ana)
    assert is_let_in(portal, permit(of_admin, running.pk), of_admin)
    told("a permit of another person", 4403)


def test_a_permit_of_another_login(portal: Portal, running: VirtualMachine, of_ana: Client, ana: User, told: Told):
    path = permit(of_ana, running.pk)
    assert end_of(portal.open(path, browser_of(ana))) == 4403
    assert is_let_in(portal, path, of_ana)
    told("a permit of another login of the same person", 4403)


def test_a_permit_that_was_used(portal: Portal, running: VirtualMachine, of_ana: Client, told: Told):
    path = permit(of_ana, running.pk)
    assert is_let_in(portal, path, of_ana)
    assert end_of(portal.open(path, of_ana)) == 4403
    told("a permit that was used", 4403)


def test_a_permit_that_is_too_old(portal: Portal, running: VirtualMachine, of_ana: Client, told: Told):
    path = permit(of_ana, running.pk)
    ConsoleGrant.objects.update(created_at=ago(seconds=21))
    assert end_of(portal.open(path, of_ana)) == 4403
    ConsoleGrant.objects.update(created_at=ago(seconds=10))
    assert is_let_in(portal, path, of_ana)
    told("a permit that is too old", 4403)


def test_a_machine_that_was_taken_meanwhile(portal: Portal, building_a: Lab, of_ana: Client, ana: User, told: Told):
    machine = building_a.assign(102, ana)
    path = permit(of_ana, machine.pk)
    Assignment.objects.live().end()
    assert end_of(portal.open(path, of_ana)) == 4403
    assert building_a.pve.count("POST", "vncproxy$") == 0
    Assignment.objects.update(released_at=ago(seconds=0))
    building_a.assign(102, ana)
    assert is_let_in(portal, permit(of_ana, machine.pk), of_ana)
    told("a machine that was taken meanwhile", 4403)


def test_the_same_number_on_another_cluster(portal: Portal, building_a: Lab, building_b: Lab, ana: User, told: Told):
    mine, foreign, browser = building_b.assign(102, ana), building_a.machine(102), browser_of(ana)
    assert browser.post(f"/vms/{foreign.pk}/console/grant/", {"mode": "view"}).status_code == 404
    assert portal.view(permit(browser, mine.pk), browser).name == "QEMU (db-02)"
    assert building_a.pve.consoles_opened() == 0
    told("the same number on another cluster", 404)


def test_a_third_console(portal: Portal, running: VirtualMachine, of_ana: Client, told: Told):
    paths = [permit(of_ana, running.pk) for _ in range(3)]
    first, _second = (portal.view(path, of_ana) for path in paths[:2])
    assert end_of(portal.open(paths[2], of_ana)) == 4429
    first.close()
    assert eventually(lambda: ConsoleSession.objects.count() == 1)
    assert is_let_in(portal, permit(of_ana, running.pk), of_ana)
    told("a third console", 4429)


@pytest.mark.parametrize(("host", "is_ours"), [("evil.example", False), ("localhost", True)])
def test_a_host_that_is_none_of_the_portals(
    portal: Portal, running: VirtualMachine, of_ana: Client, host: str, is_ours: bool
):
    """Its own origin does not help: a name that somebody points at the portal is not the portal's."""
    there, cookie = f"{host}:{portal.port}", of_ana.cookies["sessionid"].value
    path = permit(of_ana, running.pk)
    with socketlib.create_connection(("127.0.0.1", portal.port)) as sock:
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {there}\r\nOrigin: http://{there}\r\nCookie: sessionid={cookie}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert sock.recv(12) == (b"HTTP/1.1 101" if is_ours else b"HTTP/1.1 403")
