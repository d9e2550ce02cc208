"""Open consoles in the admin: who sees them, what the list costs, and that *Close* closes a browser's one for sure."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, ago, queries
from tests.vms import console_client
from tests.vms.console_client import Portal, VncClient, browser_of, eventually, permit, portal
from vms.console import closing
from vms.models import ConsoleSession, Operation, VirtualMachine
from vms.models.consoles import ConsoleSessionQuerySet

__all__ = ["portal"]

LIST = reverse("admin:vms_consolesession_changelist")

in_the_database = pytest.mark.django_db
on_a_server = pytest.mark.usefixtures("own_database", "prompt")


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked twenty times a second what is closed."""
    monkeypatch.setattr(closing, "CHECK_EVERY", 0.05)


@pytest.fixture
def running(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(102, ana)


def close(client: Client, *rows: ConsoleSession, **more: str) -> Any:
    return client.post(LIST, {"action": "close", "_selected_action": [row.pk for row in rows], **more})


def open_of(machine: VirtualMachine, user: User, mode: str = "control") -> ConsoleSession:
    row = ConsoleSession.begin(machine, user=user, mode=mode)
    assert row
    return row


def end_of(viewer: VncClient) -> tuple[int, str]:
    code = console_client.end_of(viewer.websocket)
    return code, viewer.websocket.close_reason or ""


# What a browser notices


@on_a_server
def test_a_console_that_is_closed_ends_in_the_browser_and_says_why(
    portal: Portal, running: VirtualMachine, ana: User, admin: User
):
    of_ana = browser_of(ana)
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    assert viewer.sees_something()
    close(browser_of(admin), ConsoleSession.objects.get(), sure="yes")
    assert end_of(viewer) == (4411, "closed by an administrator")
    assert eventually(lambda: not ConsoleSession.objects.exists())
    done = Operation.objects.get()
    assert (done.requested_by, done.outcome) == (ana, "Control. Closed by admin.")


@on_a_server
def test_another_console_of_the_same_process_goes_on(
    portal: Portal, building_a: Lab, running: VirtualMachine, ana: User, admin: User
):
    of_ana, of_admin = browser_of(ana), browser_of(admin)
    closed = portal.view(permit(of_ana, running.pk), of_ana)
    kept = portal.view(permit(of_admin, running.pk, "view"), of_admin)
    close(of_admin, ConsoleSession.objects.get(user=ana), sure="yes")
    assert end_of(closed)[0] == 4411
    assert kept.sees_something()


@on_a_server
def test_who_was_closed_may_come_again(portal: Portal, running: VirtualMachine, ana: User, admin: User):
    of_ana = browser_of(ana)
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    close(browser_of(admin), ConsoleSession.objects.get(), sure="yes")
    end_of(viewer)
    assert portal.view(permit(of_ana, running.pk), of_ana).sees_something()


@on_a_server
def test_a_database_that_fails_for_a_moment_ends_no_console(
    portal: Portal, running: VirtualMachine, ana: User, admin: User, caplog: pytest.LogCaptureFixture
):
    of_ana = browser_of(ana)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(ConsoleSessionQuerySet, "statuses", fail)
        viewer = portal.view(permit(of_ana, running.pk), of_ana)
        assert eventually(lambda: "could not be checked: OperationalError" in caplog.text)
        assert viewer.sees_something()
    close(browser_of(admin), ConsoleSession.objects.get(), sure="yes")
    assert end_of(viewer)[0] == 4411


def fail(*_args: Any) -> None:
    raise OperationalError


# The pages


@in_the_database
def test_the_list_says_who_looks_at_what(running: VirtualMachine, ana: User, auditor: User):
    row = open_of(running, ana, "view")
    ConsoleSession.objects.update(opened_at=ago(minutes=12))
    page = browser_of(auditor).get(LIST).content.decode()
    for text in ("ana", "net-02", "building-a", "view only", "12\xa0minutes", row.process):
        assert text in page


@in_the_database
def test_what_a_dead_process_left_is_not_open(running: VirtualMachine, ana: User, auditor: User):
    ConsoleSession.objects.filter(pk=open_of(running, ana).pk).update(leased_until=timezone.now())
    assert "0 open consoles" in browser_of(auditor).get(LIST).content.decode()


@in_the_database
@pytest.mark.parametrize(("query", "found"), [("mode=view", 1), ("cluster=building-b", 0), ("q=net-02", 2)])
def test_they_are_filtered(running: VirtualMachine, ana: User, admin: User, query: str, found: int):
    open_of(running, ana, "view"), open_of(running, admin)
    answer = browser_of(admin).get(f"{LIST}?{query}")
    assert len(answer.context["cl"].result_list) == found


@in_the_database
def test_the_list_costs_the_same_at_any_size(running: VirtualMachine, ana: User, admin: User):
    browser, costs = browser_of(admin), []
    for more in range(3):
        for number in range(more * 10):
            open_of(running, User.objects.create(username=f"p-{more}-{number}"))
        with queries() as asked:
            browser.get(LIST)
        costs.append(len(asked))
    assert costs[1:] == costs[:1] * 2
    assert costs[0] <= 9


@in_the_database
def test_it_is_asked_first_and_a_get_closes_nothing(running: VirtualMachine, ana: User, admin: User):
    row, browser = open_of(running, ana), browser_of(admin)
    page = close(browser, row).content.decode()
    assert "ana at net-02" in page
    assert "Yes, close them" in page
    browser.get(LIST, {"action": "close", "_selected_action": row.pk, "sure": "yes"})
    row.refresh_from_db()
    assert row.closed_by_name == ""


@in_the_database
def test_a_close_is_in_the_admins_record_once(running: VirtualMachine, ana: User, lab_admin: User):
    row, browser = open_of(running, ana), browser_of(lab_admin)
    close(browser, row, sure="yes"), close(browser, row, sure="yes")
    assert LogEntry.objects.get().object_id == str(row.pk)
    assert "being closed by lena" in browser.get(LIST).content.decode()


@in_the_database
def test_who_may_only_look_closes_nothing(running: VirtualMachine, ana: User, auditor: User, lab_admin: User):
    row = open_of(running, ana)
    close(browser_of(auditor), row, sure="yes")
    row.refresh_from_db()
    assert row.closed_by_name == ""
    close(browser_of(lab_admin), row, sure="yes")
    row.refresh_from_db()
    assert row.closed_by_name == lab_admin.username
