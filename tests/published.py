"""A published template on a cluster that nobody asks: its answers are put in by hand."""

from collections.abc import Iterable
from typing import Any

import pytest

from accounts.encrypted_fields import Secret
from accounts.models import User
from classes import lifecycle
from classes.models import LabClass
from clusters.models import Cluster, ProvisioningAccess
from vms.models import ClusterGrant, LeasableNetwork, MachineTemplate, TemplateCopy, VirtualMachine
from vms.provisioning import facts, running
from vms.provisioning.facts import Reading
from vms.provisioning.planning import NodeFacts, StorageFacts

LOCAL = StorageFacts("local", is_shared=False, is_usable=True, total=500, free=400)


def node(name: str, **more: Any) -> NodeFacts:
    known = {"memory": 64_000, "memory_free": 60_000, "cores": 16, "storages": {"local": LOCAL}}
    return NodeFacts(name, **{"is_online": True, **known, **more})


def reading(*nodes: NodeFacts, vmids: Iterable[int] = (), names: Iterable[str] = ()) -> Reading:
    return Reading(nodes or (node("pve1"), node("pve2")), frozenset(vmids), frozenset(names))


def cluster(cluster_id: str = "north", **fields: Any) -> Cluster:
    row: Cluster = Cluster.objects.create(
        cluster_id=cluster_id, name=cluster_id.title(), host="192.0.2.1", user="portal@pve", **fields
    )
    ProvisioningAccess.objects.create(
        cluster=row, is_enabled=True, token_id="prov@pve!class", token_secret=Secret("for-tests")
    )
    return row


def template(on: Cluster, *, pool: str = "labs", **fields: Any) -> MachineTemplate:
    """With a copy on each of pve1 and pve2."""
    values = {
        "name": "Web server", "vmid_from": 5000, "vmid_to": 5099, "name_pattern": "web-{n}", "cores": 2,
        "memory_mib": 2048, "disk_gib": 10,
    }  # fmt: skip
    made = MachineTemplate.objects.create(cluster=on, pool=pool, **values | fields)
    for vmid, where in ((900, "pve1"), (901, "pve2")):
        TemplateCopy.objects.create(template=made, node=where, vmid=vmid, storage="local")
    return made


def network(of: MachineTemplate, number: int) -> LeasableNetwork:
    row = LeasableNetwork.objects.create(cluster=of.cluster, name=f"Lab {number}", bridge=f"vmbr{number}")
    of.networks.add(row)
    return row


def class_of(owner: User, on: Cluster, *, name: str = "Networks 101", pool: str = "labs") -> LabClass:
    """A class with a grant for the pool, which its owner has."""
    given, _new = ClusterGrant.objects.get_or_create(user=owner, cluster=on, pool=pool)
    return lifecycle.create(LabClass(name=name), owner=owner, grants=[given])


def machine(on: Cluster, vmid: int, **fields: Any) -> VirtualMachine:
    """As the inventory would show it."""
    values = {"name": f"vm-{vmid}", "node": "pve1", "status": "stopped", "pool": "labs", "cpus": 2}
    sizes = {"memory": 2048 * 2**20, "disk": 10 * 2**30}
    return VirtualMachine.objects.create(cluster=on, vmid=vmid, **values | sizes | fields)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the cluster says (`reading`), and the runs that were begun."""
    said: dict[str, Any] = {"reading": reading(), "begun": []}

    def read(of: MachineTemplate) -> Reading:
        if isinstance(said["reading"], Exception):
            raise said["reading"]
        found: Reading = said["reading"]
        return found

    monkeypatch.setattr(facts, "read", read)
    monkeypatch.setattr(running, "begin", said["begun"].append)
    return said
