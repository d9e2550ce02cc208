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
from vms.models import Assignment, ClusterSync, MadeMachine, Operation, Snapshot
from vms.provisioning import running
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
