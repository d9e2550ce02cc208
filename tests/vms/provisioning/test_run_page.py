"""The page of a run: how far it is, what came of each machine, and what can be done about the rest."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.labs import queries
from tests.workshop import POOL, Workshop
from vms.models import ClusterGrant, MachineTemplate, MadeMachine, ProvisioningRun
from vms.models.operations import ended
from vms.provisioning import permission
from vms.sentences import say

HTMX = {"headers": {"HX-Request": "true"}}
State, Step = MadeMachine.State, MadeMachine.Step


@pytest.fixture
def page(workshop: Workshop, client: Client) -> Client:
    client.force_login(workshop.teacher)
    return client


def url(run: ProvisioningRun, name: str = "vms-run") -> str:
    return reverse(name, args=[run.pk])


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def fail(number: int, words: str) -> None:
    MadeMachine.objects.filter(name=f"web-{number}").update(state=State.FAILED, **ended(words))


def test_the_page_tells_the_step_and_the_outcome_of_each_machine(page: Client, workshop: Workshop):
    run = workshop.run(4)
    MadeMachine.objects.filter(name="web-1").update(state=State.WORKING, step=Step.STARTED)
    fail(2, say("made-no-free-id"))
    answer = text(page.get(url(run)))
    assert "0 of 4 ready, 1 failed, 1 in progress, 2 waiting" in answer
    assert 'max="24" value="9"' in answer  # three steps of one, and the one that goes no further
    assert "No VMID of the template&#x27;s range is free. Ask an administrator." in answer
    assert 'http-equiv="refresh"' in answer


def test_it_polls_until_the_run_is_over(page: Client, workshop: Workshop):
    run = workshop.run(1)
    poll = re.search(r'hx-get="(/runs/[^"]+)"', text(page.get(url(run))))[1]
    assert page.get(poll, **HTMX).status_code == 204
    workshop.work()
    answer = page.get(poll, **HTMX)
    assert answer.status_code == 286
    assert "1 of 1 ready" in text(answer)
    assert reverse("vms-machine", args=[workshop.machine().vm_id]) in text(answer)


def test_its_queries_do_not_grow_with_the_machines(page: Client, workshop: Workshop):
    few, many = workshop.run(1), workshop.run(20)
    counts = []
    for run in (few, many):
        page.get(url(run))
        with queries() as asked:
            page.get(url(run))
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8


def test_waiting_machines_are_cancelled_and_the_others_go_on(page: Client, workshop: Workshop, settings):
    settings.LINKED_CLONES = {"storage": 8, "node": 8, "cluster": 2}
    run = workshop.run(3)
    with workshop.engine() as engine:
        engine.turn()
        answer = page.post(url(run, "vms-run-cancel"), follow=True)
        workshop.go_on(engine)
    assert "1 waiting machine was cancelled." in text(answer)
    cancelled = workshop.machine(3)
    assert (cancelled.state, cancelled.rendered_outcome) == (
        State.CANCELLED,
        "Cancelled by teacher before it was begun.",
    )
    assert cancelled.removed_at
    assert workshop.machine(1).state == State.READY
    run.refresh_from_db()
    assert run.cancelled_at


@pytest.fixture
def granted(workshop: Workshop) -> None:
    ClusterGrant.objects.create(cluster=workshop.row, pool=POOL, user=workshop.teacher)


@pytest.mark.usefixtures("granted")
def test_failed_machines_are_retried_from_where_they_failed(page: Client, workshop: Workshop):
    run = workshop.run(2)
    workshop.pve.faults.tasks_fail("qmstart", "bridge 'vmbr7' does not exist")
    workshop.work()
    assert {made.state for made in MadeMachine.objects.all()} == {State.FAILED}
    workshop.pve.faults.undo()
    assert "Retry failed (2)" in text(page.get(url(run)))
    assert "2 machines are tried again." in text(page.post(url(run, "vms-run-retry"), follow=True))
    workshop.work()
    assert {made.state for made in MadeMachine.objects.all()} == {State.READY}
    assert workshop.pve.count("POST", "/clone$") == 2


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("lost", ["the grant of the class", "the template", "those who may use it"])
def test_nothing_is_retried_out_of_a_template_that_was_withdrawn(
    page: Client, workshop: Workshop, ana: User, lost: str
):
    run = workshop.run(1, state=State.FAILED)
    if lost == "the grant of the class":
        ClusterGrant.objects.filter(machine_set=workshop.group).delete()
    elif lost == "the template":
        MachineTemplate.objects.update(is_active=False)
    else:
        workshop.template.users.add(ana)
    answer = page.post(url(run, "vms-run-retry"), follow=True)
    assert "Its template is not available to you." in text(answer)
    assert workshop.machine().state == State.FAILED


@pytest.mark.usefixtures("granted")
def test_nothing_is_retried_after_the_end_of_the_class(
    page: Client, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
):
    run = workshop.run(1, state=State.FAILED)
    monkeypatch.setattr(permission, "closed", [lambda group: group == workshop.group.pk])
    assert "This class has ended." in text(page.post(url(run, "vms-run-retry"), follow=True))
    assert workshop.machine().state == State.FAILED


@pytest.mark.parametrize("name", ["vms-run-cancel", "vms-run-retry"])
def test_others_find_no_run(workshop: Workshop, client: Client, ana: User, name: str):
    run = workshop.run(1)
    client.force_login(ana)
    assert client.get(url(run)).status_code == 404
    assert client.post(url(run, name)).status_code == 404
    assert workshop.machine().state == State.WAITING
