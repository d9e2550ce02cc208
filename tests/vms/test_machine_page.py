"""The page of one machine: who sees it, what it says, and what a refresh costs."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import ClusterHealth, ClusterNotice
from tests.labs import Lab, ago, queries, writes
from tests.vms.test_machine_list import HOSTILE, Page
from vms import operations
from vms.models import Assignment, MachineSet, Operation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def hers(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's 102 runs."""
    return building_a.assign(102, ana)


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def url(machine: VirtualMachine, name: str = "vms-machine", *args: Any) -> str:
    return reverse(name, args=[machine.pk, *args])


def text(client: Client, machine: VirtualMachine, **query: Any) -> str:
    answer = client.get(url(machine), query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def every_address(machine: VirtualMachine) -> list[str]:
    named = [url(machine, name, "base") for name in ("vms-revert", "vms-delete-snapshot")]
    plain = ("vms-machine", "vms-rdp", "vms-note", "vms-why", "vms-save-point", "vms-snapshot")
    return [url(machine, name) for name in plain] + named


def describe(machine: VirtualMachine, **fields: Any) -> None:
    VirtualMachine.objects.filter(pk=machine.pk).update(**fields)


# Who


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "head", "patch"])
def test_a_foreign_machine_is_not_there_by_any_method(client: Client, hers: VirtualMachine, ben: User, method: str):
    Snapshot.objects.create(vm=hers, name="base")
    client.force_login(ben)
    answers = {getattr(client, method)(address).status_code for address in every_address(hers)}
    assert answers <= {404, 405}
    assert not Operation.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_not_logged_in_gets_no_page(client: Client, hers: VirtualMachine, method: str):
    answers = [getattr(client, method)(address) for address in every_address(hers)]
    assert all(answer.status_code in {302, 405} for answer in answers)
    assert all(answer.url.startswith(reverse("login")) for answer in answers if answer.status_code == 302)


def test_a_machine_of_an_inactive_cluster_has_no_page(as_ana: Client, hers: VirtualMachine, building_a: Lab):
    building_a.row.deactivate()
    assert as_ana.get(url(hers)).status_code == 404


def test_a_steward_sees_the_page(client: Client, hers: VirtualMachine, ben: User):
    in_set(hers, ben)
    client.force_login(ben)
    shown = text(client, hers)
    assert "net-02" in shown
    assert f'href="{reverse("vms-set", args=[hers.sets.get().pk])}">net</a>' in shown


def test_an_assignee_is_not_led_to_the_group(as_ana: Client, hers: VirtualMachine, ben: User):
    in_set(hers, ben)
    assert "/sets/" not in text(as_ana, hers)


def in_set(machine: VirtualMachine, manager: User) -> None:
    group = MachineSet.objects.create(name="net")
    group.machines.add(machine)
    group.stewards.add(manager)


def test_an_auditor_sees_the_page_and_no_button(client: Client, hers: VirtualMachine, auditor: User):
    Snapshot.objects.create(vm=hers, name="base")
    client.force_login(auditor)
    forms = Page(text(client, hers)).all("form")
    assert [form["action"] for form in forms] == [reverse("logout")]
    assert "/revert/" not in text(client, hers)


# What it says


def test_the_facts_are_told(as_ana: Client, hers: VirtualMachine):
    describe(hers, cpus=4, memory=2**31, tags="lab;net")
    shown = text(as_ana, hers)
    assert all(
        f"<dd>{fact}</dd>" in shown for fact in ("Building A", "pve2", "102", "virtual machine", "4", "lab, net")
    )
    assert "<dd>2.0 GB</dd>" in shown


def test_the_list_leads_to_the_page_and_the_buttons_come_back_to_it(as_ana: Client, hers: VirtualMachine):
    assert f'href="{url(hers)}"' in as_ana.get("/vms/").content.decode()
    describe(hers, status="stopped")
    assert as_ana.post(url(hers, "vms-act", "start"), {"from": "machine"}).url == url(hers)


def test_addresses_are_told_in_their_order(as_ana: Client, hers: VirtualMachine):
    describe(hers, addresses=["192.0.2.7", "2001:db8::7"])
    shown = text(as_ana, hers)
    assert shown.index(">192.0.2.7</code>") < shown.index(">2001:db8::7</code>")
    assert "ssh NAME@192.0.2.7" in shown


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"booted_at": timedelta()}, "Waiting for its IP address"),
        ({"booted_at": timedelta(minutes=4)}, "No IP address. Is the guest agent installed?"),
        ({"status": "stopped", "addresses": ["192.0.2.7"]}, "Start the machine to see its IP address."),
        ({"addresses": ["<b>x</b>"], "booted_at": timedelta()}, "Waiting for its IP address"),
    ],
)
def test_a_missing_address_is_explained(as_ana: Client, hers: VirtualMachine, facts: dict[str, Any], words: str):
    ages = {name: timezone.now() - value for name, value in facts.items() if isinstance(value, timedelta)}
    describe(hers, **facts | ages)
    shown = text(as_ana, hers)
    assert words in shown
    assert "192.0.2.7" not in shown


def past(machine: VirtualMachine, **fields: Any) -> Operation:
    values = {"vm": machine, "cluster_id": machine.cluster_id, "vmid": machine.vmid, "action": "start",
              "state": "done", "requested_by_name": "ana", "requested_at": ago(hours=2), "admitted_at": ago(hours=2),
              "finished_at": timezone.now() - timedelta(hours=2) + timedelta(seconds=72)}  # fmt: skip
    Assignment.objects.filter(vm=machine).update(assigned_at=ago(days=1))
    return Operation.objects.create(**values | fields)


def test_who_only_holds_the_machine_does_not_read_what_others_did_before(
    as_ana: Client, hers: VirtualMachine, admin: User
):
    past(hers, requested_by_name="the one before", requested_at=ago(days=2))
    past(hers, requested_by_name="since then")
    shown = text(as_ana, hers)
    assert ("the one before" in shown, "since then" in shown) == (False, True)
    as_ana.force_login(admin)
    assert "the one before" in text(as_ana, hers)


def test_the_history_tells_who_what_the_result_and_how_long(as_ana: Client, hers: VirtualMachine):
    past(hers)
    shown = text(as_ana, hers)
    assert "<td>Start</td><td>ana</td><td>done</td><td>1 min 12 s</td>" in shown


def test_the_history_has_pages(as_ana: Client, hers: VirtualMachine):
    for number in range(12):
        past(hers, requested_by_name=f"person-{number}", requested_at=ago(hours=3, minutes=number))
    assert text(as_ana, hers).count("<td>person-") == 10
    assert text(as_ana, hers, page=2).count("<td>person-") == 2


def test_the_words_of_the_cluster_are_for_staff(client: Client, hers: VirtualMachine, ana: User, admin: User):
    past(hers, state="failed", outcome="qm: no such disk")
    told = []
    for person in (ana, admin):
        client.force_login(person)
        told.append("no such disk" in text(client, hers))
    assert told == [False, True]


def test_a_notice_of_the_cluster_is_shown_on_both_pages(as_ana: Client, hers: VirtualMachine, building_a: Lab):
    ClusterNotice.objects.create(cluster=building_a.row, text="Serviced on Friday <b>", shown_until=ago(hours=-1))
    ClusterNotice.objects.create(cluster=building_a.row, text="Long over", shown_until=ago(hours=1))
    for shown in (text(as_ana, hers), as_ana.get("/vms/").content.decode()):
        assert ("Serviced on Friday &lt;b&gt;" in shown, "Long over" in shown) == (True, False)


# Note and guest login


WRITERS = [("ana", 404), ("auditor", 404), ("lab_admin", 302), ("admin", 302)]


@pytest.mark.parametrize(("who", "status"), WRITERS)
def test_the_note_is_for_administrators_to_write(
    client: Client, hers: VirtualMachine, request: pytest.FixtureRequest, who: str, status: int
):
    client.force_login(request.getfixturevalue(who))
    answer = client.post(url(hers, "vms-note"), {"note": "Room 5", "guest_login": "student"})
    hers.refresh_from_db()
    assert (answer.status_code, hers.note) == (status, "Room 5" if status == 302 else "")


def test_a_steward_writes_the_note_and_everybody_reads_it(client: Client, hers: VirtualMachine, ana: User, ben: User):
    in_set(hers, ben)
    client.force_login(ben)
    client.post(url(hers, "vms-note"), {"note": "Room 5", "guest_login": "student"})
    client.force_login(ana)
    shown = text(client, hers)
    assert ("<p>Room 5</p>" in shown, "<dd>student</dd>" in shown) == (True, True)
    assert url(hers, "vms-note") not in shown


def test_a_note_that_is_too_long_is_said_and_not_saved(client: Client, hers: VirtualMachine, admin: User):
    client.force_login(admin)
    answer = client.post(url(hers, "vms-note"), {"note": "x" * 2001, "guest_login": ""})
    hers.refresh_from_db()
    assert (answer.status_code, b"at most 2000" in answer.content, hers.note) == (400, True, "")


# Hostile words


@pytest.mark.parametrize("words", HOSTILE)
def test_what_people_and_clusters_write_makes_no_element(client: Client, hers: VirtualMachine, admin: User, words: str):
    client.force_login(admin)
    snapshot = Snapshot.objects.create(vm=hers, name="base", description="plain")
    past(hers, snapshot="plain", outcome="plain", requested_by_name="plain")
    describe(hers, note="plain", guest_login="plain", tags="plain", name="plain")
    before = sorted(tag for tag, _ in Page(text(client, hers)).elements)
    Snapshot.objects.filter(pk=snapshot.pk).update(description=words)
    Operation.objects.update(snapshot=words[:40], outcome=words, requested_by_name=words)
    describe(hers, note=words, guest_login=words, tags=words.replace(";", ""), name=words)
    assert sorted(tag for tag, _ in Page(text(client, hers)).elements) == before


# Refreshing


def poll(client: Client, machine: VirtualMachine) -> Any:
    place = Page(client.get(url(machine)).content.decode()).all("div", id="machine")[0]["hx-get"]
    return lambda: client.get(str(place), headers=HTMX)


def test_a_refresh_has_no_content_while_nothing_changed(as_ana: Client, hers: VirtualMachine):
    assert poll(as_ana, hers)().status_code == 204


CHANGES = {
    "a status": lambda machine: describe(machine, status="stopped"),
    "an address": lambda machine: describe(machine, addresses=["192.0.2.9"]),
    "a note": lambda machine: describe(machine, note="New"),
    "a snapshot": lambda machine: Snapshot.objects.create(vm=machine, name="new"),
    "an outage": lambda machine: ClusterHealth.failed("building-a", "down"),
    "an operation": lambda machine: operations.request(machine, "reboot", by=User.objects.get(username="ana")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_page_would_say_differently_is_a_change(as_ana: Client, hers: VirtualMachine, change: Any):
    refresh = poll(as_ana, hers)
    change(hers)
    answer = refresh()
    assert (answer.status_code, b"<html" in answer.content) == (200, False)


def test_a_refresh_after_the_session_ended_leads_to_the_login(as_ana: Client, hers: VirtualMachine):
    refresh = poll(as_ana, hers)
    as_ana.logout()
    assert refresh().headers["HX-Redirect"].startswith(reverse("login"))


@pytest.mark.parametrize("who", ["ana", "lab_admin"])
def test_looking_writes_nothing_and_asks_no_cluster(
    client: Client, request: pytest.FixtureRequest, hers: VirtualMachine, building_a: Lab, who: str
):
    Snapshot.objects.create(vm=hers, name="base")
    client.force_login(request.getfixturevalue(who))
    with queries() as seen:
        for address in every_address(hers):
            client.get(address)
    assert (writes(seen), building_a.pve.count()) == ([], 0)


def test_more_snapshots_and_history_cost_no_more_queries(as_ana: Client, hers: VirtualMachine):
    Snapshot.objects.create(vm=hers, name="base")
    past(hers)
    with queries() as few:
        text(as_ana, hers)
    Snapshot.objects.bulk_create(Snapshot(vm=hers, name=f"s-{n}") for n in range(30))
    for _ in range(30):
        past(hers)
    with queries() as many:
        text(as_ana, hers)
    assert len(many) == len(few)


# Remote desktop


def test_the_file_for_a_remote_desktop_names_the_address_and_no_secret(as_ana: Client, hers: VirtualMachine):
    describe(hers, addresses=["192.0.2.7"], guest_login="student / hunter2")
    answer = as_ana.get(url(hers, "vms-rdp"))
    lines = answer.content.split(b"\r\n")
    assert (answer.headers["Content-Type"], lines[0]) == ("application/x-rdp", b"full address:s:192.0.2.7")
    assert answer.content.count(b"\n") == answer.content.count(b"\r\n") == len(lines) - 1
    assert not any(word in answer.content for word in (b"password", b"hunter2", b"username"))


def test_for_an_address_of_ipv6_there_is_a_command_and_no_file(as_ana: Client, hers: VirtualMachine):
    describe(hers, addresses=["2001:db8::7"])
    answer = as_ana.get(url(hers, "vms-rdp"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<code>mstsc /v:[2001:db8::7]</code>" in answer.content


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("net-02", "net-02.rdp"),
        ('../..\\a"b\r\nX: y', "a-b-X-y.rdp"),
        ("", "VM-102.rdp"),
        ("名前", "vm-102.rdp"),
        ("n" * 255, f"{'n' * 60}.rdp"),
    ],
)
def test_the_files_name_is_harmless(as_ana: Client, hers: VirtualMachine, name: str, file: str):
    describe(hers, addresses=["192.0.2.7"], name=name)
    assert as_ana.get(url(hers, "vms-rdp")).headers["Content-Disposition"] == f'attachment; filename="{file}"'


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "has not reported its IP address"),
        ({"status": "stopped", "addresses": ["192.0.2.7"]}, "needs a running machine"),
        ({"addresses": ["lab.example\r\nusername:s:x"]}, "has not reported its IP address"),
    ],
)
def test_without_an_address_there_is_a_page_instead(
    as_ana: Client, hers: VirtualMachine, facts: dict[str, Any], words: str
):
    describe(hers, **facts)
    answer = as_ana.get(url(hers, "vms-rdp"))
    assert (answer.status_code, words in answer.content.decode()) == (409, True)


# Why can't I?


def why(client: Client, machine: VirtualMachine, **query: str) -> str:
    answer = client.get(url(machine, "vms-why"), query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("who", ["ana", "manager"])
def test_the_rules_are_shown_to_staff_alone(client: Client, hers: VirtualMachine, who: str, ana: User, ben: User):
    in_set(hers, ben)
    client.force_login(ana if who == "ana" else ben)
    assert client.get(url(hers, "vms-why")).status_code == 404


def test_staff_see_the_rules_as_the_holder_meets_them(client: Client, hers: VirtualMachine, auditor: User):
    describe(hers, lock="backup")
    client.force_login(auditor)
    shown = why(client, hers)
    assert "What ana can do" in shown
    assert "<dt>Reboot</dt><dd>The machine is being backed up." in shown


def test_staff_see_the_rules_as_anybody_meets_them(client: Client, hers: VirtualMachine, auditor: User, ben: User):
    client.force_login(auditor)
    shown = why(client, hers, person="ben")
    assert "see the machine." in shown
    assert "No action is possible. The person reads: “You don&#x27;t have access to this machine." in shown


@pytest.mark.parametrize("name", ["nobody", "<script>", "x" * 4000, "a\0b"])
def test_a_name_that_nobody_has_is_said(client: Client, hers: VirtualMachine, auditor: User, name: str):
    client.force_login(auditor)
    shown = why(client, hers, person=name)
    assert "No account with the user name" in shown
    assert "<script>" not in shown
