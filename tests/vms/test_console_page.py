"""The page with a machine's screen, and the ways to it: who gets it, and what it says before its script runs."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, queries
from vms import operations
from vms.models import Assignment, HelpRequest, MachineSet, Operation, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def hers(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's 102 runs."""
    return building_a.assign(102, ana)


@pytest.fixture
def stopped(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(101, ana)


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def page_of(client: Client, machine: VirtualMachine) -> str:
    answer = client.get(reverse("vms-console", args=[machine.pk]))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def tag(page: str, **attributes: str) -> str:
    """The first tag with these attributes."""
    wanted = "".join(f'(?=[^>]*{name}="{value}")' for name, value in attributes.items())
    found = re.search(f"<[a-z]+{wanted}[^>]*>", page)
    assert found, attributes
    return found[0]


def starts(page: str) -> str:
    return tag(page, id="start")


def test_a_foreign_machine_has_no_console(client: Client, hers: VirtualMachine, ana: User, ben: User) -> None:
    for person, status in ((ben, 404), (ana, 200)):
        client.force_login(person)
        for name in ("vms-console", "vms-console-state"):
            assert client.get(reverse(name, args=[hers.pk])).status_code == status


def test_who_is_not_logged_in_comes_back_after_logging_in(client: Client, hers: VirtualMachine) -> None:
    address = reverse("vms-console", args=[hers.pk])
    assert client.get(address)["Location"] == f"{reverse('login')}?next={address}"


def test_a_running_machine_is_connected_to(as_ana: Client, hers: VirtualMachine) -> None:
    page = page_of(as_ana, hers)
    assert 'data-state="connecting"' in page
    assert "hidden" in starts(page)
    assert tag(page, id="tools").endswith(" hidden>")  # without the script there is nothing to press


def test_a_machine_that_is_off_can_be_started_from_its_console(as_ana: Client, stopped: VirtualMachine) -> None:
    page = page_of(as_ana, stopped)
    assert 'data-state="off"' in page
    assert "hidden" not in starts(page)
    answer = as_ana.post(reverse("vms-act", args=[stopped.pk, "start"]), {"from": "console"})
    assert answer["Location"] == reverse("vms-console", args=[stopped.pk])
    page = page_of(as_ana, stopped)
    assert 'data-state="waiting"' in page
    assert "Starting… " in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page


def test_a_refused_start_is_said_on_the_console(as_ana: Client, stopped: VirtualMachine) -> None:
    VirtualMachine.objects.filter(pk=stopped.pk).update(lock="backup")
    answer = as_ana.post(reverse("vms-act", args=[stopped.pk, "start"]), {"from": "console"}, follow=True)
    page = answer.content.decode()
    assert 'data-state="off"' in page
    assert "being backed up" in page
    assert "hidden" in starts(page)


def test_a_cluster_that_does_not_answer_is_the_reason(as_ana: Client, hers: VirtualMachine) -> None:
    ClusterHealth.objects.filter(cluster__cluster_id=hers.cluster_id).update(ok=False)
    page = page_of(as_ana, hers)
    assert 'data-state="refused"' in page
    assert "The cluster is not responding" in page


def test_who_may_only_look_is_told_so(client: Client, hers: VirtualMachine, auditor: User) -> None:
    client.force_login(auditor)
    page = page_of(client, hers)
    assert 'data-state="refused"' in page
    assert "have access to this machine" in page
    assert 'id="mode"' not in page


def test_a_steward_begins_by_watching_and_may_take_control(client: Client, hers: VirtualMachine, ben: User) -> None:
    theirs = MachineSet.objects.create(name="Networks")
    theirs.machines.add(hers)
    theirs.stewards.add(ben)
    client.force_login(ben)
    page = page_of(client, hers)
    assert 'data-mode="view"' in page
    assert 'id="mode"' in page


def test_a_holder_has_control(as_ana: Client, hers: VirtualMachine) -> None:
    page = page_of(as_ana, hers)
    assert 'data-mode="control"' in page
    assert 'id="mode"' not in page


def test_without_a_script_the_address_is_shown(as_ana: Client, hers: VirtualMachine) -> None:
    VirtualMachine.objects.filter(pk=hers.pk).update(addresses=["10.88.0.7"])
    without = re.findall("<noscript>(.*?)</noscript>", page_of(as_ana, hers))[-1]
    assert "needs JavaScript" in without
    assert "10.88.0.7" in without
    assert reverse("vms-rdp", args=[hers.pk]) in without


# The ways to it


def test_a_card_and_a_page_lead_to_the_screen_of_what_runs(
    as_ana: Client, hers: VirtualMachine, stopped: VirtualMachine
) -> None:
    to_hers, to_stopped = (f'href="{reverse("vms-console", args=[one.pk])}"' for one in (hers, stopped))
    listed = as_ana.get("/vms/?cluster=").content.decode()
    assert to_hers in listed
    assert to_stopped not in listed
    assert 'target="_blank"' in tag(listed, id=f"open-{hers.pk}")
    assert 'rel="noopener"' in tag(listed, id=f"open-{hers.pk}")
    assert as_ana.get(reverse("vms-machine", args=[hers.pk])).content.decode().count(to_hers) == 2
    assert to_stopped not in as_ana.get(reverse("vms-machine", args=[stopped.pk])).content.decode()


def test_who_may_only_look_has_no_way_to_the_screen(client: Client, hers: VirtualMachine, auditor: User) -> None:
    client.force_login(auditor)
    for address in ("/vms/?cluster=", reverse("vms-machine", args=[hers.pk])):
        assert reverse("vms-console", args=[hers.pk]) not in client.get(address).content.decode()


def test_a_page_says_why_the_screen_cannot_be_opened(as_ana: Client, hers: VirtualMachine) -> None:
    ClusterHealth.objects.filter(cluster__cluster_id=hers.cluster_id).update(ok=False)
    page = as_ana.get(reverse("vms-machine", args=[hers.pk])).content.decode()
    assert "be opened: The cluster is not responding" in page


def test_a_file_for_another_viewer_is_offered_where_that_is_allowed(
    as_ana: Client, hers: VirtualMachine, settings: Any
) -> None:
    page, to_file = reverse("vms-machine", args=[hers.pk]), reverse("vms-spice", args=[hers.pk])
    assert to_file not in as_ana.get(page).content.decode()
    settings.SPICE_FILES = True
    assert to_file not in as_ana.get(page).content.decode()
    VirtualMachine.objects.update(vga="qxl")
    assert to_file in as_ana.get(page).content.decode()


def test_where_consoles_are_switched_off_nothing_leads_to_them(
    as_ana: Client, hers: VirtualMachine, settings: Any
) -> None:
    settings.CONSOLES_PER_PROCESS = 0
    page = as_ana.get(reverse("vms-machine", args=[hers.pk])).content.decode()
    assert reverse("vms-console", args=[hers.pk]) not in page
    assert "This portal has no consoles in the browser" in page
    assert 'data-state="refused"' in page_of(as_ana, hers)


def test_where_consoles_are_switched_off_a_machine_is_only_started(
    as_ana: Client, stopped: VirtualMachine, settings: Any
) -> None:
    settings.CONSOLES_PER_PROCESS = 0
    listed = as_ana.get("/vms/?cluster=").content.decode()
    assert "Start and open" not in listed
    assert f'id="start-{stopped.pk}"' in listed
    page = page_of(as_ana, stopped)
    assert 'data-state="refused"' in page
    assert "hidden" in starts(page)


@pytest.mark.parametrize("most", [0, 1])
def test_a_sets_page_leads_to_consoles_where_there_are_some(
    client: Client, hers: VirtualMachine, ben: User, settings: Any, most: int
) -> None:
    settings.CONSOLES_PER_PROCESS = most
    theirs = MachineSet.objects.create(name="Networks")
    theirs.machines.add(hers)
    theirs.stewards.add(ben)
    HelpRequest.objects.create(assignment=Assignment.objects.get(vm=hers))
    client.force_login(ben)
    page = client.get(reverse("vms-set", args=[theirs.pk])).content.decode()
    assert "1 help request" in page
    assert page.count(reverse("vms-console", args=[hers.pk])) == 2 * most


def test_only_what_ends_by_itself_is_tried_again(as_ana: Client, hers: VirtualMachine, settings: Any) -> None:
    ClusterHealth.objects.update(ok=False)
    assert 'data-state="refused" data-rest="yes"' in page_of(as_ana, hers)
    ClusterHealth.objects.update(ok=True)
    settings.CONSOLES_PER_PROCESS = 0
    assert 'data-state="refused" data-barred="yes">' in page_of(as_ana, hers)


def test_who_has_one_machine_starts_and_opens_it_at_once(as_ana: Client, stopped: VirtualMachine) -> None:
    page = as_ana.get("/vms/?cluster=").content.decode()
    form = page[page.index('target="_blank"') - 200 :]
    assert "Start and open" in form
    assert '<input type="hidden" name="from" value="console">' in form


def test_who_has_several_starts_them_where_they_are(
    as_ana: Client, hers: VirtualMachine, stopped: VirtualMachine
) -> None:
    page = as_ana.get("/vms/?cluster=").content.decode()
    assert "Start and open" not in page
    assert f'id="start-{stopped.pk}"' in page


# What the page asks while it is open


def state_of(client: Client, machine: VirtualMachine) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(reverse("vms-console-state", args=[machine.pk])).json()
    return answer


def test_the_state_follows_a_start(as_ana: Client, stopped: VirtualMachine, ana: User) -> None:
    before = state_of(as_ana, stopped)
    assert (before["words"], before["busy"], before["may_start"]) == ("Stopped", False, True)
    operations.request(stopped, Operation.Action.START, by=ana)
    after = state_of(as_ana, stopped)
    assert (after["words"], after["busy"], after["may_start"]) == ("Starting", True, False)


def test_the_state_tells_that_a_start_failed(as_ana: Client, stopped: VirtualMachine, ana: User) -> None:
    operation, _new = operations.request(stopped, Operation.Action.START, by=ana)
    at = operation.requested_at
    Operation.objects.filter(pk=operation.pk).update(state="failed", admitted_at=at, sent_at=at, finished_at=at)
    assert "“Start” failed" in state_of(as_ana, stopped)["text"]


def test_asking_for_the_state_costs_few_queries(as_ana: Client, hers: VirtualMachine) -> None:
    as_ana.get("/vms/")
    with queries() as asked:
        state_of(as_ana, hers)
    assert len(asked) <= 6
