"""What clusters do to machines that are being made, and the right end of each."""

import itertools

import pytest

from tests.labs import clock, sim
from tests.workshop import FIRST, TEMPLATE, Workshop, make_workshop
from vms.models import MadeMachine
from vms.provisioning import running
from vms.provisioning.engine import hand

__all__ = ["clock", "sim"]

State, Step = MadeMachine.State, MadeMachine.Step
CLONES = "/clone$"


@pytest.fixture(autouse=True)
def _settles_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal's own time does not move with the simulator's."""
    monkeypatch.setattr(hand, "SETTLE_WITHIN", hand.timedelta())


def guests(workshop: Workshop) -> list[int]:
    return sorted(guest.vmid for guest in workshop.pve.guests if guest.vmid < TEMPLATE)


def ends(workshop: Workshop, state: str, words: str = "") -> MadeMachine:
    workshop.work(seconds=400)
    made = workshop.machine()
    assert (made.state, words in made.rendered_outcome) == (state, True), (made.state, made.step, made.outcome)
    return made


@pytest.mark.parametrize("path", [CLONES, "/config$", "/status/start$", "/status/shutdown$", "/snapshot$"])
@pytest.mark.parametrize("executed", [True, False])
def test_what_is_sent_is_sent_once_whatever_becomes_of_the_answer(workshop: Workshop, path: str, executed: bool):
    workshop.run(1)
    method = "PUT" if path == "/config$" else "POST"
    workshop.pve.faults.reset(path, method=method, executed=executed, times=1)
    ends(workshop, State.READY)
    assert guests(workshop) == [FIRST]
    sent = workshop.pve.count(method, path)
    assert sent == (1 if executed and method == "POST" else 2)  # a configuration may be written twice


def test_a_template_that_is_deleted_meanwhile(workshop: Workshop):
    workshop.run(1)
    workshop.pve.remove_guest(TEMPLATE)
    ends(workshop, State.FAILED, "The template (VMID 9000) is no longer on node pve1. Ask an administrator.")
    assert guests(workshop) == []


def test_a_vmid_that_somebody_else_took_on_this_node(workshop: Workshop):
    workshop.run(1)
    workshop.pve.add_guest(FIRST, name="foreign", node="pve1")
    made = ends(workshop, State.READY)
    assert (made.vmid, made.ids_tried) == (FIRST + 1, 1)
    assert workshop.guest(FIRST).name == "foreign"


def test_the_vmids_of_the_range_may_end(workshop: Workshop):
    workshop.template.vmid_to = FIRST
    workshop.template.save()
    workshop.run(1)
    workshop.pve.add_guest(FIRST, name="foreign", node="pve1")
    ends(workshop, State.FAILED, "No VMID of the template's range is free.")


@pytest.mark.parametrize("lock", ["template", "new", "storage"])
def test_a_lock_that_others_hold_is_waited_for(workshop: Workshop, lock: str):
    workshop.run(1)
    workshop.pve.faults.clones_meet_a_lock(lock, times=3)
    made = ends(workshop, State.READY)
    assert (made.vmid, made.outcome) == (FIRST, "")
    sent = [request.at for request in workshop.pve.requests if request.path.endswith("/clone")]
    pauses = [later - before for before, later in itertools.pairwise(sent)]
    assert len(sent) == 4
    assert pauses == sorted(pauses)


def test_a_lock_that_never_ends_is_given_up(workshop: Workshop):
    workshop.run(1)
    workshop.pve.faults.clones_meet_a_lock("template", times=1000)
    workshop.work(seconds=900, step=5)
    made = workshop.machine()
    assert (made.state, made.sent_what) == (State.FAILED, "")
    assert 10 < workshop.pve.count("POST", CLONES) < 30


def test_a_vmid_that_somebody_else_took_on_another_node(workshop: Workshop):
    workshop.run(1)
    workshop.pve.faults.ids_taken()
    assert ends(workshop, State.READY).vmid == FIRST + 1


def test_a_full_storage(workshop: Workshop):
    workshop.run(1)
    workshop.pve.faults.storage_full()
    ends(workshop, State.FAILED, "Copying the disk failed. Its storage may be full.")
    assert guests(workshop) == []


def test_a_clone_whose_worker_died_needs_an_administrator(workshop: Workshop):
    run = workshop.run(2)
    workshop.pve.faults.clones_die()
    made = ends(workshop, State.STUCK, f"qm unlock {FIRST}")
    assert workshop.guest(FIRST).lock == "clone"
    assert workshop.machine(2).state == State.READY
    running.retry_failed(run)
    workshop.work()
    made.refresh_from_db()
    assert made.state == State.STUCK
    workshop.pve.remove_guest(FIRST)  # as the administrator does
    running.retry_failed(run)
    ends(workshop, State.READY)


def test_a_node_that_dies_during_its_clones(sim, clock, db: None, monkeypatch: pytest.MonkeyPatch):
    """The other node's machines are made meanwhile. What the dead one left is found afterwards."""
    workshop = make_workshop(sim, clock, nodes=("pve1", "pve2", "pve3"))
    workshop.template.copies.filter(node="pve1").delete()  # the portal's own way to the cluster
    monkeypatch.setattr("vms.provisioning.engine.tasks.NODE_PATIENCE", 60.0)
    run = workshop.run(4)
    workshop.pve.faults.node_dies_in_task("qmclone", seconds=0.5)
    workshop.work(seconds=300, step=1)
    on_pve2 = MadeMachine.objects.filter(node="pve2")
    assert {made.state for made in MadeMachine.objects.filter(node="pve3")} == {State.READY}
    assert {made.state for made in on_pve2} == {State.FAILED}
    assert "Node pve2 did not respond" in on_pve2[0].rendered_outcome
    workshop.pve.faults.undo()
    running.retry_failed(run)
    workshop.work(seconds=300)
    assert {made.state for made in on_pve2.all()} == {State.STUCK}
    sim.remove_cluster(workshop.pve.name)


def test_a_machine_whose_identity_is_another_is_left_alone(workshop: Workshop):
    """Somebody destroyed it after the clone, and made another one with its number."""
    workshop.run(1)

    def swap() -> None:
        workshop.pve.remove_guest(FIRST)
        workshop.pve.add_guest(FIRST, name="foreign", node="pve1")

    with workshop.engine() as engine:
        engine.turn()
        workshop.clock.advance(2)
        swap()
        workshop.go_on(engine)
    made = workshop.machine()
    assert made.state == State.FAILED
    assert "belongs to another machine now" in made.rendered_outcome
    assert workshop.pve.count("PUT", "/config$") == 0


def test_a_guest_that_ignores_its_shutdown_is_stopped_for_its_baseline(workshop: Workshop):
    workshop.run(1)
    workshop.pve.faults.tasks_fail("qmshutdown", "VM quit/powerdown failed - got timeout")
    made = ends(workshop, State.READY)
    assert workshop.pve.count("POST", "/status/stop$") == 1
    assert workshop.guest(made.vmid).snapshots.keys() == {"baseline"}


def test_a_storage_without_snapshots_gives_a_machine_without_baseline(workshop: Workshop):
    workshop.run(1)
    workshop.guest(TEMPLATE).can_snapshot = False
    ends(workshop, State.READY, "No baseline: this storage can't save snapshots.")


def test_a_machine_without_an_address_is_ready_after_a_while(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    workshop.run(1)
    workshop.guest(TEMPLATE).agent = "dead"
    monkeypatch.setattr("vms.provisioning.steps.addresses.PATIENCE", hand.timedelta(seconds=-1))
    ends(workshop, State.READY, "No IP address within 5 minutes.")
