"""A simulated cluster on which machines are made: a published template, a group, and runs of so many machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pvesim
from accounts.models import User
from clusters.models import Cluster, ProvisioningAccess
from tests.labs import NUMBERS, add_cluster
from vms.models import ClusterGrant, MachineSet, MachineTemplate, MadeMachine, ProvisioningRun, TemplateCopy
from vms.provisioning import running
from vms.provisioning.engine.calling import Calls
from vms.provisioning.engine.engine import Engine

TEMPLATE, FIRST = 9000, 5001
POOL = "class-pool"


@dataclass
class Workshop:
    """`pve` is the simulator's cluster; its copies of the template have the VMIDs from 9000 on, one a node."""

    pve: pvesim.Cluster
    row: Cluster
    clock: pvesim.ManualClock
    template: MachineTemplate
    group: MachineSet
    teacher: User

    def run(self, count: int, **fields: Any) -> ProvisioningRun:
        """A reserved run, as a plan makes it: machines on all nodes in turn, from the first VMID on."""
        run = ProvisioningRun.objects.create(
            template=self.template, machine_set=self.group, requested_by=self.teacher, requested_by_name="teacher"
        )
        copies = list(self.template.copies.all())
        first = MadeMachine.objects.count()
        for number in range(first, first + count):
            copy = copies[number % len(copies)]
            values = {
                "cluster_id": self.row.cluster_id, "vmid": FIRST + number, "node": copy.node, "copy": copy,
                "template_vmid": copy.vmid, "template_node": copy.node, "name": f"web-{number + 1}",
                "storage": "data", "cores": 1, "memory_mib": 1024, "disk_gib": 8,
            }  # fmt: skip
            MadeMachine.objects.create(run=run, position=number, **values | fields)
        return run

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """An engine without threads, whose clock is the simulator's."""
        with Calls(self.row.config, threads=0) as calls:
            engine = self.engine_with(calls)
            yield engine
            engine.leave()

    def engine_with(self, calls: Calls) -> Engine:
        return running.engine_for(self.row.config, calls, clock=self.clock.now, durations={})

    def work(self, *, seconds: float = 120.0, step: float = 0.5) -> None:
        """Make machines for so many simulated seconds, or until nothing is open."""
        with self.engine() as engine:
            self.go_on(engine, seconds=seconds, step=step)

    def go_on(self, engine: Engine, *, seconds: float = 120.0, step: float = 0.5) -> None:
        for _ in range(int(seconds / step)):
            while engine.turn() == 0.0 or engine.has_answers:
                pass
            if not engine.hands:
                break
            self.clock.advance(step)

    def machine(self, number: int = 1) -> MadeMachine:
        return MadeMachine.objects.select_related("vm", "run").get(name=f"web-{number}")

    def guest(self, vmid: int) -> pvesim.Guest:
        return next(guest for guest in self.pve.guests if guest.vmid == vmid)


def make_workshop(
    sim: pvesim.Simulator, clock: pvesim.ManualClock, *, nodes: tuple[str, ...] = ("pve1", "pve2"), **template: Any
) -> Workshop:
    pve = sim.add_cluster(f"workshop-{next(NUMBERS)}", nodes=nodes, statd_interval=0.0)
    pve.add_user("portal@pve", password="unused", acl={"/": "Administrator"})
    pve.add_pool(POOL)
    row = add_cluster(pve, "building-m")
    token = pve.add_token("portal@pve", "making", privsep=False)
    ProvisioningAccess.objects.create(cluster=row, is_enabled=True, token_id=token.full_id, token_secret=token.secret)
    published = MachineTemplate.objects.create(
        name="Web server",
        cluster=row,
        pool=POOL,
        vmid_from=FIRST,
        vmid_to=FIRST + 99,
        name_pattern="web-{n}",
        **template,
    )
    for number, node in enumerate(nodes):
        pve.add_guest(TEMPLATE + number, name=f"template-{number}", node=node, template=True, agent="alive")
        TemplateCopy.objects.create(template=published, node=node, vmid=TEMPLATE + number, storage="data")
    group = MachineSet.objects.create(name="Networks 101")
    teacher = User.objects.create(username="teacher")
    group.stewards.add(teacher)
    ClusterGrant.objects.create(machine_set=group, cluster=row, pool=POOL)
    pve.clear_requests()
    return Workshop(pve, row, clock, published, group, teacher)
