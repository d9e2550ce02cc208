"""A run makes exactly its machines, step by step, and asks the cluster no more than it has to."""

import itertools
import re
import time
from typing import Any

import pytest
from django_tasks_db.models import DBTaskResult

from clusters.models import Cluster, ProvisioningAccess
from tests.labs import ago, queries
from tests.workshop import POOL, Workshop
from vms.models import (
    Assignment,
    ClusterGrant,
    ClusterSync,
    MachineTemplate,
    MadeMachine,
    Operation,
    Quota,
    Snapshot,
)
from vms.provisioning import permission, running
from vms.provisioning.engine.engine import Engine
from vms.worker.heartbeat import Heartbeat

State, Step = MadeMachine.State, MadeMachine.Step

POLLS = re.compile(r"/tasks$|/agent/")


def states() -> list[str]:
    return list(MadeMachine.objects.order_by("position").values_list("state", flat=True))


def test_a_run_makes_its_machines_and_gives_them_to_their_group_and_people(workshop: Workshop, ana):
    run = workshop.run(3, for_user=ana)
    workshop.work()
    assert states() == [State.READY] * 3
    assert {guest.name for guest in workshop.pve.guests if guest.vmid < 9000} == {"web-1", "web-2", "web-3"}
    assert workshop.group.machines.count() == 3
    assert Assignment.objects.filter(user=ana, ended_at=None).count() == 3
    made = workshop.machine(1)
    assert made.vm.hardware_id == made.uuid != ""
    assert (made.vm.status, made.vm.pool, made.step) == ("stopped", POOL, Step.HANDED_OVER)
    assert Snapshot.objects.get(vm=made.vm).name == "baseline"
    done = Operation.objects.filter(vm=made.vm, requested_by=run.requested_by).order_by("finished_at")
    assert [one.action for one in done] == ["clone", "start", "snapshot"]


def test_it_makes_six_calls_a_machine_besides_looking(workshop: Workshop):
    workshop.run(4)
    workshop.work()
    calls = [request for request in workshop.pve.requests if not POLLS.search(request.path)]
    assert len(calls) == 4 * 6
    asked = [request.at for request in workshop.pve.requests if request.path == "/nodes/pve1/tasks"]
    assert min(later - before for before, later in itertools.pairwise(asked)) >= 1.0


def test_no_more_clones_run_at_once_than_the_limits_allow(workshop: Workshop, settings):
    settings.LINKED_CLONES = {"storage": 8, "node": 2, "cluster": 3}
    workshop.run(8)
    with workshop.engine() as engine:
        engine.turn()
        assert workshop.pve.count("POST", "/clone$") == 3
        workshop.go_on(engine)
    assert states() == [State.READY] * 8


def test_a_turn_costs_no_query_while_nothing_is_due(workshop: Workshop):
    workshop.run(4)
    with workshop.engine() as engine:
        while engine.turn() == 0.0 or engine.has_answers:
            pass
        with queries() as asked:
            engine.turn()
        assert len(asked) == 0


def test_the_worker_makes_them(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    driven: list[str] = []
    monkeypatch.setattr(running, "drive", driven.append)
    workshop.run(1)
    Heartbeat("one").tick(everything=True)
    [job] = DBTaskResult.objects.filter(task_path="vms.jobs.make_machines")
    job.task.call(*job.args_kwargs["args"])
    assert driven == [workshop.row.cluster_id]


@pytest.mark.parametrize("off", [(ProvisioningAccess, "is_enabled"), (Cluster, "is_active")], ids=["switch", "cluster"])
def test_a_cluster_that_is_switched_off_gets_no_more_calls(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, off: tuple[Any, str]
):
    model, switch = off
    turn = Engine.turn

    def turn_and_switch_off(engine: Engine, **how: Any) -> float:
        model.objects.update(**{switch: False})
        return turn(engine, **how)

    monkeypatch.setattr(Engine, "turn", turn_and_switch_off)
    monkeypatch.setattr(running, "RENEW_EVERY", 0.0)
    monkeypatch.setattr(running, "LONGEST_DRIVE", 2.0)
    workshop.run(2)
    began = time.monotonic()
    running.drive(workshop.row.cluster_id, threads=0)
    assert time.monotonic() - began < 2.0
    running.drive(workshop.row.cluster_id, threads=0)
    assert states() == [State.FAILED] * 2


@pytest.mark.parametrize("lost", ["grant", "template", "class"])
def test_waiting_machines_are_withdrawn_with_the_right_to_make_them(
    workshop: Workshop, settings, monkeypatch: pytest.MonkeyPatch, lost: str
):
    """What was begun is finished."""
    settings.LINKED_CLONES = {"storage": 8, "node": 2, "cluster": 2}
    run = workshop.run(5)
    with workshop.engine() as engine:
        engine.turn()
        assert running.withdraw(workshop.row.cluster_id) == 0
        if lost == "grant":
            ClusterGrant.objects.all().delete()
        elif lost == "template":
            MachineTemplate.objects.update(is_active=False)
        else:
            monkeypatch.setattr(permission, "closed", [lambda group: group == workshop.group.pk])
        assert running.withdraw(workshop.row.cluster_id) == 3
        workshop.go_on(engine)
    assert states() == [State.READY] * 2 + [State.CANCELLED] * 3
    why = workshop.machine(5).rendered_outcome
    assert why.startswith("Withdrawn before it was begun")
    assert ("the class has ended" in why) == (lost == "class")
    running.close_finished()
    run.refresh_from_db()
    assert run.finished_at
    assert workshop.pve.count("POST", "/clone$") == 2


def test_the_worker_asks_whether_machines_may_still_be_made(workshop: Workshop):
    workshop.run(2)
    ClusterGrant.objects.all().delete()
    running.drive(workshop.row.cluster_id, threads=0)
    assert states() == [State.CANCELLED] * 2
    assert workshop.pve.count("POST", "/clone$") == 0


def test_a_machine_that_waits_for_a_quota_makes_no_worker_begin_anew(workshop: Workshop):
    """Until it looks again, nobody is enqueued for it."""
    quota = Quota.objects.create(machine_set=workshop.group, running=0)
    workshop.run(1)
    workshop.work()
    assert "0 machines of Networks 101 are running" in workshop.machine().rendered_outcome
    assert workshop.machine().step == Step.CONFIGURED
    enqueued: list[str] = []

    def note(**sent: Any) -> None:
        enqueued.append(sent["cluster_id"])

    running.making_waits.connect(note)
    try:
        running.reconcile()
        assert enqueued == []
        MadeMachine.objects.update(next_look_at=ago(seconds=1))
        running.reconcile()
        assert enqueued == [workshop.row.cluster_id]
    finally:
        running.making_waits.disconnect(note)
    quota.delete()
    workshop.work()
    assert states() == [State.READY]


def test_one_worker_at_a_time_drives_a_cluster(workshop: Workshop):
    workshop.run(1)
    running.reconcile()
    cluster_id = workshop.row.cluster_id
    assert running._claim(cluster_id, "one")
    assert not running._claim(cluster_id, "two")
    running.reconcile()
    assert DBTaskResult.objects.filter(task_path="vms.jobs.make_machines").count() == 1
    ClusterSync.objects.update(provisioned_until=ago(seconds=1))  # it died
    running.reconcile()
    assert running._claim(cluster_id, "two")
    assert not running._renew(cluster_id, "one")
