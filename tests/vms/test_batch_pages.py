"""The page of a batch: how far it is, for whom, and what can be done about the rest."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, queries, run_operations
from tests.vms.machine_groups import many
from vms import operations
from vms.models import Batch, ClusterSync, MachineSet, Operation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

HTMX = {"headers": {"HX-Request": "true"}}
State = Operation.State


@pytest.fixture
def batch(networks: MachineSet, manager: User) -> Batch:
    """Start all: 101, 103 and 104 wait, and 102 runs already."""
    machines = networks.machines.select_related("cluster__health").order_by("vmid")
    return operations.request_many(machines, "start", by=manager, machine_set=networks)


def url(batch: Batch, name: str = "vms-batch") -> str:
    return reverse(name, args=[batch.pk])


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def end(vmid: int, state: str, outcome: str = "") -> None:
    now = timezone.now()
    Operation.objects.filter(vmid=vmid).update(state=state, admitted_at=now, finished_at=now, outcome=outcome)


def settle(lab: Lab) -> None:
    """A worker's turns, until nothing is open."""
    for _ in range(8):
        Operation.objects.update(next_look_at=None)
        run_operations()
        lab.clock.advance(10)
    assert not Operation.objects.open().exists()


def test_the_page_tells_how_far_it_is(tess: Client, batch: Batch):
    end(101, State.DONE)
    Operation.objects.filter(vmid=103).update(admitted_at=timezone.now(), state=State.RUNNING)
    answer = text(tess.get(url(batch)))
    assert "1 of 4 done, 1 in progress, 1 waiting, 1 not possible" in answer
    assert 'max="4" value="2"' in answer
    assert "The machine is running, not stopped." in answer
    assert "at most 4 run at a time on a node" in answer


def test_it_starts_all_that_are_stopped(tess: Client, batch: Batch, building_a: Lab):
    settle(building_a)
    assert "3 of 4 done, 1 not possible" in text(tess.get(url(batch)))
    assert building_a.commands("/status/start$") == 3


def test_four_at_a_time_are_started_on_a_node(tess: Client, networks: MachineSet, building_a: Lab):
    for vmid in range(201, 210):
        building_a.pve.add_guest(vmid, node="pve1")
    building_a.sync()
    networks.machines.set(VirtualMachine.objects.filter(vmid__gte=201))
    answer = tess.post(reverse("vms-set-ask", args=[networks.pk]), {"action": "start", "whose": "stopped"}, follow=True)
    run_operations()
    assert building_a.commands("/status/start$") == 4
    assert "0 of 9 done, 4 in progress, 5 waiting" in text(tess.get(answer.request["PATH_INFO"]))
    settle(building_a)
    assert "9 of 9 done" in text(tess.get(answer.request["PATH_INFO"]))


def test_what_was_saved_at_once_can_be_gone_back_to_at_once(tess: Client, networks: MachineSet, building_a: Lab):
    where, words = reverse("vms-set-ask", args=[networks.pk]), {"asked": "yes", "snapshot": "before-the-risk"}
    chosen = [building_a.machine(vmid).pk for vmid in (101, 104)]
    tess.post(where, {"action": "snapshot", "machine": chosen, **words})
    settle(building_a)
    back = {"action": "rollback", "whose": "all"}
    assert "on 2 of 4 machines" in text(tess.post(where, back))
    answer = tess.post(where, {**back, **words, "sure": "yes"}, follow=True)
    assert "0 of 4 done, 2 waiting, 2 not possible" in text(answer)
    settle(building_a)
    assert building_a.pve.count("POST", "/snapshot/before-the-risk/rollback$") == 2


def test_the_limit_of_this_cluster_is_told(tess: Client, batch: Batch):
    ClusterSync.objects.update(node_limit=2)
    assert "at most 2 run at a time on a node" in text(tess.get(url(batch)))


def test_it_is_asked_again_until_all_is_finished(tess: Client, batch: Batch):
    poll = re.search(r'hx-get="([^"]+)" hx-trigger="every 1s"', text(tess.get(url(batch))))
    assert poll
    assert tess.get(poll[1], **HTMX).status_code == 204
    end(101, State.DONE)
    assert tess.get(poll[1], **HTMX).status_code == 200
    end(103, State.DONE)
    end(104, State.DONE)
    last = tess.get(poll[1], **HTMX)
    assert (last.status_code, "hx-get" in text(last)) == (286, False)


def test_without_a_script_the_page_loads_itself_until_all_is_finished(tess: Client, batch: Batch):
    refresh = '<noscript><meta http-equiv="refresh"'
    assert refresh in text(tess.get(url(batch)))
    Operation.objects.all().delete()
    assert refresh not in text(tess.get(url(batch)))


def test_a_hundred_machines_cost_as_many_queries_as_four(
    tess: Client, batch: Batch, networks: MachineSet, building_a: Lab, manager: User
):
    with queries() as few:
        tess.get(url(batch))
    many(building_a, networks, 96)
    machines = networks.machines.select_related("cluster__health")
    large = operations.request_many(machines, "start", by=manager, machine_set=networks)
    with queries() as lots:
        assert "0 of 100 done" in text(tess.get(url(large)))
    assert len(lots) == len(few) <= 8


# Who may


def test_a_batch_of_somebody_else_is_not_found(client: Client, batch: Batch, ben: User):
    client.force_login(ben)
    assert client.get(url(batch)).status_code == 404
    assert client.post(url(batch, "vms-batch-cancel")).status_code == 404
    assert client.post(url(batch, "vms-batch-retry")).status_code == 404
    assert Operation.objects.waiting().count() == 3


def test_another_steward_of_the_set_sees_it(client: Client, batch: Batch, networks: MachineSet, ben: User):
    networks.stewards.add(ben)
    client.force_login(ben)
    assert client.get(url(batch)).status_code == 200


def test_who_is_no_steward_any_more_does_not_find_what_he_asked_for(tess: Client, batch: Batch, networks: MachineSet):
    networks.stewards.clear()
    assert tess.get(url(batch)).status_code == 404
    networks.delete()
    assert tess.get(url(batch)).status_code == 404


def test_an_auditor_looks_and_takes_nothing_back(client: Client, batch: Batch, auditor: User):
    client.force_login(auditor)
    assert client.get(url(batch)).status_code == 200
    assert client.post(url(batch, "vms-batch-cancel")).status_code == 404
    assert Operation.objects.waiting().count() == 3


# What can be done


def test_what_waits_is_taken_back(tess: Client, batch: Batch):
    end(101, State.DONE)
    answer = tess.post(url(batch, "vms-batch-cancel"), follow=True)
    assert "2 waiting operations were cancelled." in text(answer)
    assert "1 of 4 done, 1 not possible, 2 cancelled" in text(answer)


def test_what_failed_is_asked_for_again_in_another_batch(tess: Client, batch: Batch, building_a: Lab):
    end(101, State.DONE)
    end(103, State.FAILED, "no space left")
    end(104, State.UNKNOWN, "Look at it.")
    assert "no space left" not in text(tess.get(url(batch)))
    again = tess.post(url(batch, "vms-batch-retry"), follow=True)
    assert again.redirect_chain[0][0] != url(batch)
    assert sorted(Operation.objects.open().values_list("vmid", flat=True)) == [103, 104]
    assert Batch.objects.count() == 2


def test_what_was_taken_back_is_asked_for_again(tess: Client, batch: Batch):
    end(101, State.FAILED)
    batch.cancel_waiting(by=batch.requested_by)
    assert "Retry cancelled (2)" in text(tess.get(url(batch)))
    tess.post(url(batch, "vms-batch-resume"))
    assert sorted(Operation.objects.open().values_list("vmid", flat=True)) == [103, 104]


def test_what_loses_work_is_asked_first_also_the_second_time(
    tess: Client, networks: MachineSet, building_a: Lab, manager: User
):
    Snapshot.objects.create(vm=building_a.machine(101), name="base")
    machines = networks.machines.filter(vmid=101).select_related("cluster__health")
    batch = operations.request_many(machines, "rollback", by=manager, machine_set=networks, snapshot="base")
    end(101, State.FAILED)
    assert "are lost for good" in text(tess.post(url(batch, "vms-batch-retry")))
    assert not Operation.objects.open().exists()
    tess.post(url(batch, "vms-batch-retry"), {"asked": "yes", "sure": "yes", "snapshot": "base"})
    assert Operation.objects.open().get().snapshot == "base"


def test_staff_read_what_the_cluster_said(client: Client, batch: Batch, lab_admin: User):
    end(103, State.FAILED, "no space left")
    client.force_login(lab_admin)
    assert "no space left" in text(client.get(url(batch)))
