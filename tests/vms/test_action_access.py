"""Who may do what to which machine through the portal, and what reaches a cluster."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, queries, run_operations, writes
from vms.models import Assignment, Operation, VirtualMachine

pytestmark = pytest.mark.django_db

ACTIONS = ["start", "shutdown", "stop", "reboot"]
METHODS = ["get", "post"]


def url(machine: VirtualMachine, action: str) -> str:
    return reverse("vms-act", args=[machine.pk, action])


@pytest.fixture
def person(client: Client, request: pytest.FixtureRequest) -> Client:
    """Somebody of the cast, or nobody."""
    if request.param != "anonymous":
        client.force_login(request.getfixturevalue(request.param))
    return client


def assert_nothing_happens(*labs: Lab) -> None:
    """Not even when a worker comes by."""
    assert not Operation.objects.exists()
    run_operations()
    assert [lab.pve.count() for lab in labs] == [0 for _ in labs]


@pytest.fixture
def hers(building_a: Lab, building_b: Lab, ana: User) -> VirtualMachine:
    """Ana's machine is 101 of building A. There is another 101 in building B."""
    return building_a.assign(101, ana)


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


# Who may not


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("person", ["ben", "auditor"], indirect=True)
def test_a_machine_that_one_may_not_operate_is_not_found(
    person: Client,
    hers: VirtualMachine,
    building_a: Lab,
    method: str,
    action: str,
):
    answer = getattr(person, method)(url(hers, action))
    assert answer.status_code == 404
    assert_nothing_happens(building_a)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_who_is_not_logged_in_is_sent_to_the_login(
    client: Client, hers: VirtualMachine, building_a: Lab, method: str, action: str
):
    answer = getattr(client, method)(url(hers, action))
    assert answer.status_code == 302
    assert answer.url == f"{reverse('login')}?next={url(hers, action)}"
    assert_nothing_happens(building_a)


@pytest.mark.parametrize(
    ("page", "next_page"),
    [("http://testserver/vms/?q=a", "/vms/%3Fq%3Da&ended=1"), ("http://elsewhere.example/vms/", None)],
)
def test_a_form_that_is_sent_after_the_session_ended_leads_back_to_its_page(
    client: Client, hers: VirtualMachine, page: str, next_page: str | None
):
    """Asking for help has an address that cannot be opened."""
    where = reverse("vms-help", args=[hers.pk])
    answer = client.post(where, headers={"Referer": page})
    assert answer.url == f"{reverse('login')}?next={next_page or where}"
    assert client.get(where).status_code == 405


@pytest.mark.usefixtures("hers")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_the_machine_of_the_same_number_on_another_cluster_is_not_found(
    as_ana: Client, building_a: Lab, building_b: Lab, method: str, action: str
):
    assert getattr(as_ana, method)(url(building_b.machine(101), action)).status_code == 404
    assert_nothing_happens(building_a, building_b)


def test_none_of_all_the_other_machines_is_found(
    as_ana: Client, hers: VirtualMachine, building_a: Lab, building_b: Lab
):
    others = VirtualMachine.objects.exclude(pk=hers.pk)
    answers = [as_ana.post(url(machine, action)).status_code for machine in others for action in ACTIONS]
    assert answers == [404] * 4 * 5
    assert_nothing_happens(building_a, building_b)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_hers_looks_like_what_is_not_there(
    as_ana: Client, hers: VirtualMachine, building_b: Lab, method: str
):
    foreign, absent = url(building_b.machine(101), "start"), reverse("vms-act", args=[2**31, "start"])
    assert getattr(as_ana, method)(foreign).content == getattr(as_ana, method)(absent).content


@pytest.mark.parametrize("number", [0, 2**63, 10**30])
def test_a_number_beyond_all_measure_is_not_found(as_ana: Client, number: int):
    assert as_ana.post(reverse("vms-act", args=[number, "start"])).status_code == 404


@pytest.mark.parametrize("method", METHODS)
def test_a_machine_that_was_taken_away_is_not_found(as_ana: Client, hers: VirtualMachine, building_a: Lab, method: str):
    Assignment.objects.end()
    assert getattr(as_ana, method)(url(hers, "start")).status_code == 404
    assert_nothing_happens(building_a)


@pytest.mark.parametrize("person", ["ana", "lab_admin", "admin"], indirect=True)
@pytest.mark.parametrize("method", METHODS)
def test_a_machine_of_an_inactive_cluster_is_not_found(
    person: Client, hers: VirtualMachine, building_a: Lab, method: str
):
    building_a.row.deactivate()
    assert getattr(person, method)(url(hers, "start")).status_code == 404
    assert_nothing_happens(building_a)


@pytest.mark.parametrize("action", ["snapshot", "rollback", "delete", "START", "requested", "status"])
@pytest.mark.parametrize("method", METHODS)
def test_an_action_that_is_none_is_not_found(
    as_ana: Client, hers: VirtualMachine, building_a: Lab, method: str, action: str
):
    assert getattr(as_ana, method)(url(hers, action)).status_code == 404
    assert_nothing_happens(building_a)


@pytest.mark.parametrize("method", ["head", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("person", ["anonymous", "ben", "ana", "auditor", "lab_admin", "admin"], indirect=True)
def test_other_methods_do_nothing(person: Client, hers: VirtualMachine, building_a: Lab, method: str):
    with queries() as seen:
        assert getattr(person, method)(url(hers, "start")).status_code == 405
    assert writes(seen) == []
    assert_nothing_happens(building_a)


@pytest.mark.parametrize("person", ["ana", "lab_admin", "admin"], indirect=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_looking_at_a_confirmation_does_nothing(person: Client, hers: VirtualMachine, building_a: Lab, action: str):
    with queries() as seen:
        assert person.get(url(hers, action)).status_code in {200, 409}
    assert writes(seen) == []
    assert_nothing_happens(building_a)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_a_csrf_token_is_refused(hers: VirtualMachine, building_a: Lab, ana: User, action: str):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert client.post(url(hers, action)).status_code == 403
    assert_nothing_happens(building_a)


# Who may


@pytest.mark.parametrize("person", ["ana", "lab_admin", "admin"], indirect=True)
def test_who_may_operate_a_machine_starts_it(person: Client, hers: VirtualMachine, building_a: Lab, building_b: Lab):
    assert person.post(url(hers, "start")).status_code == 302
    run_operations()
    assert building_a.commands("^/nodes/pve1/qemu/101/status/start$") == building_a.commands() == 1
    assert building_b.pve.count() == 0


@pytest.mark.parametrize("action", ["shutdown", "stop", "reboot"])
def test_a_running_machine_gets_what_was_asked(as_ana: Client, building_a: Lab, ana: User, action: str):
    as_ana.post(url(building_a.assign(102, ana), action))
    run_operations()
    assert building_a.commands(f"^/nodes/pve2/qemu/102/status/{action}$") == building_a.commands() == 1


def test_with_the_token_of_the_form_the_action_is_taken(hers: VirtualMachine, building_a: Lab, ana: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    client.get(reverse("vms-list"))
    token = client.cookies["csrftoken"].value
    assert client.post(url(hers, "start"), {"csrfmiddlewaretoken": token}).status_code == 302
    run_operations()
    assert building_a.commands() == 1


def test_what_else_a_form_says_does_not_choose_the_machine(
    as_ana: Client, hers: VirtualMachine, building_a: Lab, building_b: Lab
):
    form = {"cluster_id": "building-b", "cluster": "building-b", "vmid": 102, "pk": building_b.machine(101).pk}
    as_ana.post(f"{url(hers, 'start')}?cluster=building-b", form)
    run_operations()
    assert (building_a.commands("/101/status/start$"), building_b.pve.count()) == (1, 0)


def test_the_cluster_of_the_session_does_not_choose_the_machine(
    as_ana: Client, hers: VirtualMachine, building_a: Lab, building_b: Lab, ana: User
):
    building_b.assign(101, ana)
    as_ana.post(reverse("vms-switch-cluster"), {"cluster": "building-b"})
    as_ana.post(url(hers, "start"))
    run_operations()
    assert (building_a.commands(), building_b.pve.count()) == (1, 0)


def test_a_double_click_is_one_action(as_ana: Client, hers: VirtualMachine, building_a: Lab):
    as_ana.post(url(hers, "start"))
    again = as_ana.post(url(hers, "start"), follow=True)
    assert "this is already in progress" in again.content.decode()
    run_operations()
    assert (Operation.objects.count(), building_a.commands()) == (1, 1)


def test_the_click_itself_asks_no_cluster(as_ana: Client, hers: VirtualMachine, building_a: Lab):
    as_ana.post(url(hers, "start"))
    assert building_a.pve.count() == 0


def test_a_right_taken_between_click_and_sending_counts(as_ana: Client, hers: VirtualMachine, building_a: Lab):
    as_ana.post(url(hers, "start"))
    Assignment.objects.end()
    run_operations()
    assert (Operation.objects.get().state, building_a.pve.count()) == ("cancelled", 0)


# What the person sees


def test_a_refusal_is_told(as_ana: Client, building_a: Lab, ana: User):
    text = as_ana.post(url(building_a.assign(102, ana), "start"), follow=True).content.decode()
    assert '<div class="notice error" role="alert">net-02: The machine is running, not stopped.</div>' in text


def test_another_action_meanwhile_is_refused_with_what_is_under_way(as_ana: Client, building_a: Lab, ana: User):
    machine = building_a.assign(102, ana)
    as_ana.post(url(machine, "shutdown"))
    text = as_ana.post(url(machine, "stop"), follow=True).content.decode()
    assert "“Shut down” is in progress" in text
    assert Operation.objects.get().action == "shutdown"


@pytest.mark.parametrize(
    ("action", "words"),
    [("stop", "pulling the plug"), ("shutdown", "turns off"), ("reboot", "restarts")],
)
def test_a_confirmation_says_what_is_lost(as_ana: Client, building_a: Lab, ana: User, action: str, words: str):
    answer = as_ana.get(url(building_a.assign(102, ana), action))
    text = answer.content.decode()
    assert (answer.status_code, words in text) == (200, True)
    assert all(fact in text for fact in ("net-02", "Building A", "102", "pve2"))


def test_a_confirmation_is_a_form_that_needs_no_script(as_ana: Client, building_a: Lab, ana: User):
    text = as_ana.get(url(building_a.assign(102, ana), "stop")).content.decode()
    form = text[text.index('<form method="post" class="actions">') :]
    assert "csrfmiddlewaretoken" in form
    assert '<button class="danger">Force stop</button>' in form


def test_what_cannot_be_done_offers_no_confirmation(as_ana: Client, hers: VirtualMachine):
    answer = as_ana.get(url(hers, "shutdown"))
    text = answer.content.decode()
    assert (answer.status_code, "The machine is stopped, not running." in text) == (409, True)
    assert '<form method="post" class="actions">' not in text


def test_a_cluster_that_does_not_answer_refuses(as_ana: Client, hers: VirtualMachine):
    ClusterHealth.failed("building-a", "down")
    text = as_ana.post(url(hers, "start"), follow=True).content.decode()
    assert "The cluster is not responding at the moment" in text
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("form", "back"), [({}, "building-a"), ({"from": "all"}, ""), ({"from": "//evil"}, "building-a")]
)
def test_one_comes_back_to_the_list_one_came_from(
    as_ana: Client, hers: VirtualMachine, form: dict[str, Any], back: str
):
    assert as_ana.post(url(hers, "start"), form).url == f"/vms/?cluster={back}#machine-{hers.pk}"
