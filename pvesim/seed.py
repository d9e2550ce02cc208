"""The accounts and guests with which `python -m pvesim` begins."""

from __future__ import annotations

from pvesim.cluster import Cluster
from pvesim.guests import GIB

# The others are numbered from here on.
FIRST_OF_MANY = 1000
MOST_POOLS = 200


def seed(cluster: Cluster, password: str, token_secret: str | None = None) -> None:
    cluster.add_user("admin@pve", password, acl={"/": "Administrator"})
    cluster.add_token("admin@pve", "portal", privsep=False, secret=token_secret)
    cluster.add_user("student@pve", password, acl={"/vms/101": "PVEVMUser"})
    cluster.add_pool("labs", "class labs")
    cluster.add_pool("staff", "staff machines")
    cluster.add_guest(100, "lab-100", pool="labs", tags=["lab"], agent="alive")
    cluster.add_guest(101, "lab-101", status="running", pool="labs", tags=["lab", "web"], agent="dead", acpi=False)
    for vmid in (102, 103, 104):
        cluster.add_guest(vmid, f"lab-{vmid}", pool="labs", tags=["lab"])
    for vmid in (105, 106, 107):
        cluster.add_guest(vmid, f"staff-{vmid}", pool="staff", tags=["staff"], maxcpu=2, maxmem=4 * GIB)
    cluster.add_guest(110, "tmpl-base", pool="labs", tags=["template"], template=True, acpi=False)
    last = list(cluster.nodes)[-1]
    cluster.add_guest(200, "desk-200", node=last)
    cluster.add_guest(201, "box-201", node=last, kind="lxc", status="running")


def fill(cluster: Cluster, count: int) -> None:
    """As many more as make `count` altogether, spread over nodes and pools; every second one runs."""
    nodes = list(cluster.nodes)
    for number in range(max(0, count - len(cluster.guests))):
        cluster.add_guest(
            FIRST_OF_MANY + number,
            f"vm-{number:05}",
            node=nodes[number % len(nodes)],
            kind="lxc" if number % 10 == 9 else "qemu",
            status="running" if number % 2 else "stopped",
            pool=f"pool-{number % MOST_POOLS:03}",
            tags=("lab", f"course-{number % 25}"),
        )
