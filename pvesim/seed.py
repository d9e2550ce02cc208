"""The accounts and guests with which `python -m pvesim` begins."""

from __future__ import annotations

from collections.abc import Sequence

from pvesim.accounts import Token
from pvesim.cluster import Cluster
from pvesim.guest_config import GIB
from pvesim.storage import Storage

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


def seed_provisioning(cluster: Cluster) -> Token:
    """Templates to make machines out of, a pool for them, and the token that may do it."""
    cluster.storages = (*cluster.storages, Storage("data2", "images"), Storage("shared", "images", shared=True))
    cluster.bridges.add("vmbr1")
    keys = "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIBkqv1c0b3o0a6m7JH6h2oZ5s2yCq8d1m4l0pQ9Z3x%2B%2F%20golden%40lab"
    for vmid, storage in ((111, "data"), (112, "shared")):
        cluster.add_guest(
            vmid,
            f"golden-{vmid}",
            template=True,
            agent="alive",
            tags=["golden"],
            description="Debian 13 with cloud-init.\nRenewed in October.",
            maxdisk=4 * GIB,
            storage=storage,
            options={
                "ide2": f"{storage}:{vmid}/vm-{vmid}-cloudinit.qcow2,media=cdrom",
                "ciuser": "golden",
                "cipassword": "$5$golden",
                "sshkeys": keys,
                "ipconfig0": "ip=dhcp",
                "onboot": 1,
            },
        )
    cluster.add_pool("prov", "made machines")
    return add_maker(cluster, pool="prov", templates=[111], storages=["data"], bridges=["vmbr0"])


CLONE = ("VM.Clone",)
LIFE = (
    "VM.Allocate", "VM.Audit", "VM.Config.Cloudinit", "VM.Config.Network", "VM.Config.Options", "VM.PowerMgmt",
    "VM.Snapshot",
)  # fmt: skip


def add_maker(
    cluster: Cluster,
    *,
    pool: str,
    templates: Sequence[int],
    storages: Sequence[str],
    bridges: Sequence[str],
    user: str = "prov@pve",
    tokenid: str = "class",
) -> Token:
    """A token that makes machines in a pool, with no more than that takes."""
    roles = {
        "ProvClone": CLONE,
        "ProvClass": LIFE,
        "ProvStorage": ("Datastore.AllocateSpace",),
        "ProvBridge": ("SDN.Use",),
    }
    known = cluster.access.catalogue.privileges
    for name, privileges in roles.items():
        cluster.add_role(name, [privilege for privilege in privileges if privilege in known])
    cluster.add_user(user, cluster.accounts.new_secret())
    token = cluster.add_token(user, tokenid)
    places = {f"/vms/{vmid}": "ProvClone" for vmid in templates} | {f"/pool/{pool}": "ProvClass"}
    places |= {f"/storage/{name}": "ProvStorage" for name in storages}
    places |= {f"/sdn/zones/localnetwork/{name}": "ProvBridge" for name in bridges}
    for path, role in places.items():
        cluster.grant(path, user, role)
        cluster.grant(path, token.full_id, role)
    return token


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
