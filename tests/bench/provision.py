"""200 linked clones on 4 nodes, by one worker, while the simulator runs as a process of its own.

The shortest possible time follows from the simulated durations and the limits in force: so many rounds of clones, and
for the last one the start and the baseline. What the worker asks is counted by the simulator.
"""

import math
import re
import time
from collections import Counter
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from clusters.models import Cluster, ProvisioningAccess
from tests.bench import report
from tests.bench.making_world import DURATIONS, NODES, POOL, TEMPLATE, made_world
from vms.models import ClusterGrant, MachineSet, MachineTemplate, MadeMachine, ProvisioningRun, TemplateCopy
from vms.pages.run import POLL_EVERY
from vms.provisioning import running

MACHINES, FIRST = 200, 5001
TASKS, ADDRESSES, SNAPSHOT = re.compile(r"/tasks$"), re.compile(r"/agent/"), re.compile(r"/snapshot$")


def run() -> None:
    with made_world() as world:
        made = _run(_published(world.place), MACHINES)
        running.reconcile()
        begun, cpu = time.time(), time.process_time()
        running.drive("lab")
        cpu = time.process_time() - cpu
        _tell_time(made, begun)
        report.goal("provision: CPU of the worker, a machine", cpu * 1000 / MACHINES, 25, unit=" ms")
        requests = world.requests()
        _tell_calls(requests)
        _tell_page(made, requests)


def _tell_time(made: ProvisioningRun, begun: float) -> None:
    rows = list(MadeMachine.objects.filter(run=made))
    ready = [row.ready_at.timestamp() for row in rows if row.state == MadeMachine.State.READY and row.ready_at]
    report.count("provision: machines ready", len(ready), MACHINES)
    limit = min(settings.LINKED_CLONES["cluster"], settings.LINKED_CLONES["node"] * len(NODES))
    shortest = math.ceil(MACHINES / limit) * DURATIONS.clone + DURATIONS.start + DURATIONS.snapshot
    took = max(ready, default=begun) - begun
    report.tell("provision: shortest possible, and taken", f"{shortest:.1f} s, {took:.1f} s")
    report.goal("provision: time / shortest possible", took / shortest, 1.10)


def _tell_calls(requests: list[list[Any]]) -> None:
    sent = [path for _method, path, _at in requests if not TASKS.search(path) and not ADDRESSES.search(path)]
    report.goal("provision: calls a machine besides looking", len(sent) / MACHINES, 6)
    for name, pattern, most in (("tasks", TASKS, 1), ("addresses", ADDRESSES, 4)):
        at = [(path.split("/")[2], at) for _method, path, at in requests if pattern.search(path)]
        report.goal(f"provision: questions for {name}, a second and node", _most_within_a_second(at), most)


def _most_within_a_second(asked: list[tuple[str, float]]) -> float:
    """A hundredth less, because what left a second apart may arrive a little closer."""
    most = Counter[str]()
    for node in {node for node, _at in asked}:
        times = sorted(at for one, at in asked if one == node)
        most[node] = max(sum(before <= at < before + 0.97 for at in times) for before in times)
    return max(most.values(), default=0)


def _tell_page(made: ProvisioningRun, requests: list[list[Any]]) -> None:
    """How many queries it costs, and how old its news were: from the end of a snapshot until the row said so."""
    teacher = User.objects.get(username="teacher")
    client = Client()
    client.force_login(teacher, backend="accounts.lockout.RecheckingBackend")
    few = _run(MachineTemplate.objects.get(), 3)
    costs = [_queries(client, one) for one in (few, made)]
    few.machines.all().delete()
    report.count("provision: queries of the page, 200 machines / 3", costs[1] / costs[0], 1)
    rows = MadeMachine.objects.filter(run=made, ready_at__isnull=False)
    ends = {int(path.split("/")[4]): at + DURATIONS.snapshot for _method, path, at in requests if SNAPSHOT.search(path)}
    late = sorted(row.ready_at.timestamp() - ends[row.vmid] for row in rows)
    report.tell(
        "provision: age of a row, half of them and 95 in 100",
        f"{late[len(late) // 2]:.2f} s, {late[len(late) * 95 // 100]:.2f} s",
    )
    report.goal("provision: age of the page, its pause included", late[-1] + POLL_EVERY / 1000, 2.0, unit=" s")


def _queries(client: Client, one: ProvisioningRun) -> int:
    url = reverse("vms-run", args=[one.pk])
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        client.get(url)
    return len(asked)


# The portal's side


def _published(place: dict[str, Any]) -> MachineTemplate:
    access = {name: place.pop(name) for name in ("token_id", "token_secret")}
    row = Cluster.objects.create(cluster_id="lab", name="Lab", user="portal@pve", **access, **place)
    ProvisioningAccess.objects.create(cluster=row, is_enabled=True, **access)
    template = MachineTemplate.objects.create(
        name="Web server", cluster=row, pool=POOL, vmid_from=FIRST, vmid_to=FIRST + 999, name_pattern="web-{n}",
        baseline_running=True,
    )  # fmt: skip
    for number, node in enumerate(NODES):
        TemplateCopy.objects.create(template=template, node=node, vmid=TEMPLATE + number, storage="data")
    return template


def _run(template: MachineTemplate, count: int) -> ProvisioningRun:
    group, _new = MachineSet.objects.get_or_create(name="Networks 101")
    teacher, _new = User.objects.get_or_create(username="teacher")
    group.stewards.add(teacher)
    ClusterGrant.objects.get_or_create(machine_set=group, cluster=template.cluster, pool=POOL)
    made = ProvisioningRun.objects.create(
        template=template, machine_set=group, requested_by=teacher, requested_by_name="teacher"
    )
    copies, first = list(template.copies.all()), MadeMachine.objects.count()
    MadeMachine.objects.bulk_create(
        MadeMachine(
            run=made, position=number, cluster_id="lab", vmid=FIRST + number, name=f"web-{number}", storage="data",
            copy=(copy := copies[number % len(copies)]), node=copy.node, template_vmid=copy.vmid,
            template_node=copy.node, cores=1, memory_mib=1024, disk_gib=8,
        )
        for number in range(first, first + count)
    )  # fmt: skip
    return made
