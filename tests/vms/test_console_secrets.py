"""No ticket, password or address of a cluster gets out with a console: bin/test -n0 -s THIS FILE."""

import json
import logging
from typing import Any
from urllib.parse import quote

import pytest
from auditlog.models import LogEntry as AuditEntry
from django.contrib.admin.models import LogEntry as AdminEntry
from django.contrib.sessions.models import Session
from django.test import Client
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from tests.labs import Lab
from tests.vms.console_client import Portal, VncClient, browser_of, eventually, permit, portal
from tests.waits import TIMEOUT
from vms.models import ConsoleGrant, ConsoleSession, Operation, VirtualMachine

__all__ = ["portal"]

pytestmark = pytest.mark.usefixtures("own_database")

RECORDS: tuple[Any, ...] = (Operation, ConsoleSession, ConsoleGrant, AuditEntry, AdminEntry)


@pytest.fixture
def secrets(building_a: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Filled when a display is opened."""
    pve, place = building_a.pve, f"{building_a.pve.host}:{building_a.pve.port}"
    found, make = {"address": place, "token": building_a.config.token_secret.reveal()}, pve.tickets.vnc_ticket

    def noted(*args: Any) -> str:
        found["ticket"] = make(*args)
        return found["ticket"]

    monkeypatch.setattr(pve.tickets, "vnc_ticket", noted)
    return found


def all_of(viewer: VncClient) -> str:
    """What else the browser is sent until the end, and the reason of it."""
    said = b""
    try:
        while True:
            said += viewer.websocket.recv(timeout=TIMEOUT, decode=False)
    except ConnectionClosed as closed:
        return said.decode("latin-1") + str(closed)


def pages(client: Client, machine: VirtualMachine) -> str:
    paths = ("", "console/", "console/state/")
    return "".join(client.get(f"/vms/{machine.pk}/{path}").content.decode() for path in paths)


def written() -> str:
    rows = [str(vars(row)) for model in RECORDS for row in model.objects.all()]
    return "".join(rows) + json.dumps([row.get_decoded() for row in Session.objects.all()])


def found_in(texts: dict[str, str], secrets: dict[str, str]) -> list[str]:
    """Also as part of an address."""
    both = [(name, form) for name, secret in secrets.items() for form in (secret, quote(secret, safe=""))]
    return [f"{name} in {where}" for where, text in texts.items() for name, form in both if form in text]


def test_nothing_secret_gets_out(
    portal: Portal, building_a: Lab, ana: User, secrets: dict[str, str], caplog: pytest.LogCaptureFixture
):
    browser, machine = browser_of(ana), building_a.assign(102, ana)
    with caplog.at_level(logging.DEBUG):
        path = permit(browser, machine.pk)
        viewer = portal.view(path, browser)
        secrets["password"] = building_a.pve.consoles.connections[0].listener.password
        texts = {"page": pages(browser, machine), "URL": path, "cookies": browser.cookies.output()}
        assert viewer.sees_something()
        building_a.pve.drop_consoles(102)
        texts["websocket"] = all_of(viewer)
        assert eventually(Operation.objects.exists)
        texts |= {"log": caplog.text, "audit": written()}
    assert sorted(secrets) == ["address", "password", "ticket", "token"]
    assert all(texts.values())
    assert found_in(texts, secrets) == []
    print(
        f"\n{len(secrets)} secrets searched in {', '.join(texts)}: {sum(map(len, texts.values()))} characters, 0 found"
    )


def test_a_secret_in_a_log_and_in_an_address_is_found(secrets: dict[str, str], building_a: Lab, caplog: Any):
    ticket = building_a.pve.tickets.vnc_ticket("ana@pve", "/vms/102/5900", 0.0)
    logging.getLogger("vms.console").warning("%s", ticket)
    texts = {"log": caplog.text, "URL": f"wss://x/?vncticket={quote(ticket, safe='')}"}
    assert found_in(texts, secrets) == ["ticket in log", "ticket in URL"]
