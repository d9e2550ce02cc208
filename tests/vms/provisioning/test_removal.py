"""Made machines are removed by mark, VMID and SMBIOS UUID as read at that moment, and whatever else is there stays."""

import re
from typing import Any

import pytest
from django.utils import timezone

from tests.workshop import POOL, Workshop
from vms.models import Assignment, MadeMachine, NetworkLease, Operation
from vms.models.capacity import LeasableNetwork
from vms.provisioning import removal

State = MadeMachine.State


@pytest.fixture
def made(workshop: Workshop) -> MadeMachine:
    """One that is ready, and running."""
    workshop.run(1)
    workshop.work()
    machine = workshop.machine()
    assert machine.state == State.READY, machine.outcome
    workshop.guest(machine.vmid).status = "running"
    workshop.pve.clear_requests()
    return machine


def remove(workshop: Workshop, made: MadeMachine, **time: Any) -> MadeMachine:
    assert removal.begin(removal.of_run(made.run), by=workshop.teacher)
    workshop.work(**time)
    return MadeMachine.objects.get(pk=made.pk)


def vmids(workshop: Workshop) -> set[int]:
    return {guest.vmid for guest in workshop.pve.guests}


def changes(workshop: Workshop) -> list[str]:
    """What was sent to the cluster besides questions, without nodes."""
    sent = [one for one in workshop.pve.requests if one.method != "GET"]
    return [f"{one.method} {re.sub(r'/nodes/[^/]+/qemu', '', one.path)}" for one in sent]


def test_afterwards_the_cluster_holds_what_it_held_before(workshop: Workshop):
    before = vmids(workshop)
    run = workshop.run(3)
    workshop.work()
    assert vmids(workshop) - before == {5001, 5002, 5003}
    assert removal.begin(removal.of_run(run), by=workshop.teacher) == 3
    workshop.work()
    assert vmids(workshop) == before
    assert workshop.pve.access.pools.members(POOL) == []
    assert set(run.machines.values_list("state", flat=True)) == {State.REMOVED}
    assert not run.machines.filter(password__isnull=False).exists()
    proofs = Operation.objects.filter(action=Operation.Action.DESTROY)
    assert set(proofs.values_list("vmid", "requested_by_name")) == {(v, "teacher") for v in (5001, 5002, 5003)}


def test_it_is_written_with_the_digest_then_stopped_and_then_destroyed(workshop: Workshop, made: MadeMachine):
    assert remove(workshop, made).state == State.REMOVED
    assert changes(workshop) == ["PUT /5001/config", "POST /5001/status/stop", "DELETE /5001"]


def test_people_lose_it_at_once_and_its_network_is_free_again(workshop: Workshop, made: MadeMachine):
    network = LeasableNetwork.objects.create(cluster=workshop.row, name="Lab 1", bridge="vmbr1")
    lease = NetworkLease.objects.create(network=network, machine_set=workshop.group)
    MadeMachine.objects.filter(pk=made.pk).update(lease=lease)
    Assignment.objects.create(vm=made.vm, user=workshop.teacher)
    removal.begin(removal.of_group(workshop.group), by=workshop.teacher)
    assert not Assignment.objects.live().exists()
    lease.refresh_from_db()
    assert lease.returned_at is None
    workshop.work()
    lease.refresh_from_db()
    made.vm.refresh_from_db()
    assert lease.returned_at
    assert made.vm.gone_at
    assert not Assignment.objects.unreleased().exists()


def test_those_that_were_not_begun_are_cancelled_without_a_call(workshop: Workshop):
    run = workshop.run(2)
    assert removal.begin(removal.of_run(run), by=workshop.teacher) == 2
    workshop.work()
    assert set(run.machines.values_list("state", flat=True)) == {State.CANCELLED}
    assert workshop.pve.requests == []


def test_a_clone_that_is_under_way_is_removed_when_it_has_ended(workshop: Workshop):
    before, run = vmids(workshop), workshop.run(1)
    with workshop.engine() as engine:
        workshop.go_on(engine, seconds=0.5)
        assert workshop.guest(5001).lock == "clone"
        removal.begin(removal.of_run(run), by=workshop.teacher)
        workshop.go_on(engine)
    assert vmids(workshop) == before
    assert run.machines.get().state == State.REMOVED


# What is not ours


def test_a_clone_that_somebody_made_of_it_stays(workshop: Workshop, made: MadeMachine):
    ours = workshop.guest(made.vmid)
    workshop.pve.add_guest(7000, "copy", node=ours.node, description=ours.description)
    assert remove(workshop, made).state == State.REMOVED
    assert 7000 in vmids(workshop)


@pytest.mark.parametrize(
    ("has_mark", "state"), [(True, State.REFUSED), (False, State.REMOVED)], ids=["with our mark", "without"]
)
def test_another_machine_with_its_vmid_stays(workshop: Workshop, made: MadeMachine, has_mark: bool, state: str):
    notes = workshop.guest(made.vmid).description if has_mark else "somebody's notes"
    workshop.pve.faults.vmid_reused(made.vmid, description=notes)
    after = remove(workshop, made)
    assert (after.state, bool(after.removed_at)) == (state, not has_mark)
    assert str(made.vmid) in after.outcome
    assert workshop.guest(made.vmid).name == "somebody-elses"
    assert changes(workshop) == []


@pytest.mark.parametrize("after", [r"/5001/config$", r"/5001/status/stop$", r"/tasks"], ids=["write", "stop", "wait"])
@pytest.mark.parametrize("has_mark", [True, False])
def test_a_machine_that_gets_its_vmid_meanwhile_stays(
    workshop: Workshop, made: MadeMachine, after: str, has_mark: bool
):
    notes = workshop.guest(made.vmid).description if has_mark else ""
    workshop.pve.faults.vmid_reused(made.vmid, description=notes, after=after)
    assert remove(workshop, made).state == (State.REFUSED if has_mark else State.REMOVED)
    assert workshop.guest(made.vmid).name == "somebody-elses"
    assert "DELETE /5001" not in changes(workshop)


def test_one_that_lost_its_mark_is_listed_and_can_be_removed_when_it_has_it_again(
    workshop: Workshop, made: MadeMachine
):
    ours = workshop.guest(made.vmid)
    notes, ours.description = ours.description, "my notes"
    assert remove(workshop, made).state == State.REFUSED
    ours.description = notes
    assert remove(workshop, made).state == State.REMOVED


@pytest.mark.parametrize("fact", ["template", "protection"])
def test_a_template_and_a_protected_machine_are_not_even_stopped(workshop: Workshop, made: MadeMachine, fact: str):
    ours = workshop.guest(made.vmid)
    if fact == "template":
        ours.template = True
    else:
        ours.options["protection"] = 1
    assert remove(workshop, made).state == State.REFUSED
    assert changes(workshop) == []


def test_a_clone_that_was_left_locked_is_listed_with_the_line_that_frees_it(workshop: Workshop):
    workshop.pve.faults.clones_die()
    run = workshop.run(1)
    workshop.work()
    assert run.machines.get().state == State.STUCK
    after = remove(workshop, run.machines.get())
    assert after.state == State.REFUSED
    assert "qm unlock 5001" in after.outcome
    assert 5001 in vmids(workshop)
    workshop.pve.remove_guest(5001)  # an administrator did both
    assert remove(workshop, after).state == State.REMOVED


# Obstacles that pass


def test_a_lost_answer_is_not_repeated(workshop: Workshop, made: MadeMachine):
    workshop.pve.faults.reset(r"/qemu/5001$", executed=True, times=1)
    assert remove(workshop, made).state == State.REMOVED
    assert changes(workshop).count("DELETE /5001") == 1


def test_a_change_of_somebody_else_begins_with_another_look(workshop: Workshop, made: MadeMachine):
    ours = workshop.guest(made.vmid)
    workshop.pve.faults.after(r"/5001/config$", lambda: setattr(ours, "tags", ("changed",)))
    assert remove(workshop, made).state == State.REMOVED
    assert changes(workshop)[:2] == ["PUT /5001/config", "PUT /5001/config"]


def test_a_machine_that_was_moved_is_found(workshop: Workshop, made: MadeMachine):
    other = next(name for name in workshop.pve.nodes if name != made.node)
    workshop.guest(made.vmid).node = other
    assert remove(workshop, made).state == State.REMOVED
    assert made.vmid not in vmids(workshop)


def test_the_page_learns_who_used_it_since_it_was_ready(workshop: Workshop, made: MadeMachine):
    [unused] = removal.losses(removal.of_run(made.run))
    assert unused.people == ()
    Operation.objects.create(
        vm=made.vm, cluster_id=made.cluster_id, vmid=made.vmid, action="reboot", state="done", requested_by_name="ana",
        finished_at=timezone.now(), admitted_at=timezone.now(), sent_at=timezone.now(),
    )  # fmt: skip
    [used] = removal.losses(removal.of_run(made.run))
    assert used.people == ("ana",)
    assert used.last
