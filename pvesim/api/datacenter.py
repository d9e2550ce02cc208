"""What belongs to the cluster as a whole, and to no guest: backups, replication, membership, indexes."""

from __future__ import annotations

from pvesim.api.call import Call, Handler, Json, Permission, Routes

ROUTES = Routes()
AUDITS = Permission("/", ("Sys.Audit",))
ROOT = "access cluster nodes pools storage version"
CLUSTER = "backup backup-info config ha log nextid options replication resources status tasks"
NODE = "certificates lxc network qemu replication rrddata status storage subscription tasks version"


def _index(names: str, key: str) -> Handler:
    return lambda _: [{key: name} for name in names.split()]


ROUTES.add("GET", "/", unordered=True)(_index(ROOT, "subdir"))
ROUTES.add("GET", "/cluster", unordered=True)(_index(CLUSTER, "name"))
ROUTES.add("GET", "/cluster/backup-info", unordered=True)(_index("not-backed-up", "subdir"))
ROUTES.add("GET", "/cluster/config", permission=AUDITS, unordered=True)(_index("nodes qdevice totem", "name"))
ROUTES.add("GET", "/nodes/{node}", unordered=True)(_index(NODE, "name"))


@ROUTES.add("GET", "/cluster/backup", permission=AUDITS)
def backup_jobs(_: Call) -> list[Json]:
    return []


@ROUTES.add("GET", "/cluster/backup-info/not-backed-up", permission=AUDITS, protected=True)
def not_backed_up(call: Call) -> list[Json]:
    """All guests, since there is no backup job."""
    return [{"vmid": guest.vmid, "name": guest.name, "type": guest.kind} for guest in call.cluster.guests]


@ROUTES.add("GET", "/cluster/replication")
def replication_jobs(_: Call) -> list[Json]:
    return []


@ROUTES.add("GET", "/nodes/{node}/replication", protected=True)
def replication_of_a_node(_: Call) -> list[Json]:
    return []


@ROUTES.add("GET", "/cluster/config/nodes", permission=AUDITS, unordered=True)
def members(call: Call) -> list[Json]:
    """What corosync knows, which a standalone node does not run."""
    nodes = [] if call.cluster.standalone else call.cluster.nodes.values()
    return [
        {
            "node": node.name,
            "name": node.name,
            "nodeid": str(node.number),
            "quorum_votes": "1",
            "ring0_addr": node.address,
        }
        for node in nodes
    ]


@ROUTES.add("GET", "/cluster/config/qdevice", permission=AUDITS)
def quorum_device(_: Call) -> Json:
    return {}
