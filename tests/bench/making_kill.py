"""Kill -9 of the workers at random moments while runs of 30 machines are made; then rows and simulator are compared.

The simulator is in this process, the workers are real ones. A killed worker's leases are ended at once, as if their
time had passed: a round takes seconds then, instead of half a minute.
"""

import os
import random
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connections
from django.utils import timezone

import pvesim
from accounts.models import User
from clusters.models import Cluster, ProvisioningAccess
from tests.bench import report
from tests.bench.kill import WORKER, Program
from tests.waits import wait_until
from vms.models import (
    ClusterGrant,
    ClusterSync,
    MachineSet,
    MachineTemplate,
    MadeMachine,
    ProvisioningRun,
    TemplateCopy,
)

NODES = ("pve1", "pve2")
FIRST, TEMPLATE, POOL, MACHINES = 5001, 900_001, "made", 30
QUICK = pvesim.Durations(clone=0.8, start=0.4, shutdown=0.3, snapshot=0.3)
MAKES = r"/(clone|config|start|shutdown|snapshot|tasks)$"
MOST = 300.0  # seconds until the last run is over


@dataclass
class Outcome:
    kills: int = 0
    runs: int = 0
    states: Counter[str] = field(default_factory=Counter)
    clones: int = 0
    faults: list[str] = field(default_factory=list)


def storm(*, rounds: int, seed: int, environment: dict[str, str]) -> Outcome:
    """On the default database, which is migrated and empty, and which the workers share."""
    found, chance = Outcome(), random.Random(seed)  # noqa: S311 - to be the same again
    with ExitStack() as running:
        lab = _lab(running.enter_context(pvesim.Simulator()))
        template = MachineTemplate.objects.get()
        worker = Program(WORKER, {**environment, "SYNC_INTERVAL": "3"})
        worker.begin()
        running.callback(worker.kill)
        while found.kills < rounds:
            run = _run(template)
            found.runs += 1
            while found.kills < rounds and run.machines.filter(state__in=("waiting", "working")).exists():
                begun = lab.count(None, MAKES)
                wait_until(lambda before=begun: lab.count(None, MAKES) > before)  # type: ignore[misc]
                time.sleep(chance.uniform(0.0, 1.5))
                worker.kill()
                _expire()
                worker.begin()
                found.kills += 1
        begun = time.monotonic()
        while MadeMachine.objects.filter(state__in=("waiting", "working")).exists() and time.monotonic() < begun + MOST:
            time.sleep(0.3)
        _compare(found, lab)
    return found


def _expire() -> None:
    """The worker is dead: nothing of it can come any more."""
    past = timezone.now() - timedelta(seconds=1)
    MadeMachine.objects.exclude(leased_until=None).update(leased_until=past)
    ClusterSync.objects.update(provisioned_until=past)


def _compare(found: Outcome, lab: pvesim.Cluster) -> None:
    rows = {made.vmid: made for made in MadeMachine.objects.all()}
    found.states = Counter(made.state for made in rows.values())
    guests = {guest.vmid: guest for guest in lab.guests if guest.vmid < TEMPLATE}
    found.clones = len([one for one in lab.requests if one.path.endswith("/clone") and one.status == 200])
    found.faults += [f"{rows[vmid]} has not ended" for vmid in rows if rows[vmid].state in ("waiting", "working")]
    found.faults += [f"{vmid} has no row" for vmid in guests.keys() - rows.keys()]
    found.faults += [f"{rows[vmid]} has no machine" for vmid in rows.keys() - guests.keys()]
    for vmid in rows.keys() & guests.keys():
        if str(rows[vmid].mark) not in guests[vmid].description:
            found.faults.append(f"{rows[vmid]} has another's machine")
    names = Counter(guest.name for guest in guests.values())
    found.faults += [f"{count} machines are called {name}" for name, count in names.items() if count > 1]


def _lab(simulator: pvesim.Simulator) -> pvesim.Cluster:
    lab = simulator.add_cluster("lab", nodes=NODES, statd_interval=0.0, durations=QUICK)
    lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
    token = lab.add_token("portal@pve", "labs", privsep=False)
    lab.add_pool(POOL)
    access = {"token_id": token.full_id, "token_secret": token.secret}
    row = Cluster.objects.create(
        cluster_id="lab", name="Lab", host=lab.host, port=lab.port, user="portal@pve", ca_certificate=lab.ca_pem,
        **access,
    )  # fmt: skip
    ProvisioningAccess.objects.create(cluster=row, is_enabled=True, **access)
    template = MachineTemplate.objects.create(
        name="Web server", cluster=row, pool=POOL, vmid_from=FIRST, vmid_to=TEMPLATE - 1, name_pattern="web-{n}"
    )
    for number, node in enumerate(NODES):
        lab.add_guest(TEMPLATE + number, node=node, template=True, agent="alive")
        TemplateCopy.objects.create(template=template, node=node, vmid=TEMPLATE + number, storage="data")
    return lab


def _run(template: MachineTemplate) -> ProvisioningRun:
    group, _new = MachineSet.objects.get_or_create(name="Networks 101")
    teacher, _new = User.objects.get_or_create(username="teacher")
    ClusterGrant.objects.get_or_create(machine_set=group, cluster=template.cluster, pool=POOL)
    made = ProvisioningRun.objects.create(
        template=template, machine_set=group, requested_by=teacher, requested_by_name="teacher"
    )
    copies, first = list(template.copies.all()), MadeMachine.objects.count()
    for number in range(first, first + MACHINES):
        copy = copies[number % len(copies)]
        MadeMachine.objects.create(
            run=made, position=number, cluster_id="lab", vmid=FIRST + number, name=f"web-{number}", storage="data",
            copy=copy, node=copy.node, template_vmid=copy.vmid, template_node=copy.node, cores=1, memory_mib=1024,
            disk_gib=8,
        )  # fmt: skip
    return made


def run() -> None:
    from tests.bench.database import environment  # noqa: PLC0415

    seed = int(os.environ.get("BENCH_SEED") or time.time())
    report.tell("making_kill: seed", str(seed))
    found = storm(rounds=int(os.environ.get("BENCH_ROUNDS") or 20), seed=seed, environment=dict(environment()))
    report.tell("making_kill: kills, runs of 30", f"{found.kills}, {found.runs}")
    states = ", ".join(f"{state} {count}" for state, count in sorted(found.states.items()))
    report.tell("making_kill: machines", f"{found.states.total()} ({states}), {found.clones} clones sent")
    for fault in found.faults[:20]:
        report.tell("making_kill: fault", fault)
    connections.close_all()
    report.count("making_kill: faults", len(found.faults), 0)
