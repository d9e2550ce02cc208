"""The simulated clusters of the demo, and the clusters.json that an old portal would have had for them."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvesim import Cluster, Simulator

USER, MAKER = "portal@pve", "portal-make@pve"

# Who holds what: cluster, VMID. Building A and Building B both have 101 and 102, which are different machines.
ASSIGNMENTS = {
    "ana": [("building-a", 101), ("building-b", 101), ("annex", 301)],
    "ben": [("building-a", 102), ("building-b", 102)],
    "chen": [("building-a", 103)],
}

# Who teaches, and the pool that is granted to them: a class takes its machines from there.
TEACHERS = ("tess", "cora")
PLACE = ("building-a", "web201")

# Where they have machines made, out of which copies by their node, with which VMIDs, and on which networks.
NEW_PLACE = ("building-a", "web201-new")
COPIES = {"pve1": 900, "pve2": 901, "pve3": 902}
VMIDS = (5000, 5099)
STORAGE, BRIDGES = "data", ("vmbr0", "vmbr1", "vmbr2", "vmbr3", "vmbr4")

# What the token for making machines may do, as the page of the template says it. The program that has the world runs
# without Django, and can't ask the portal.
ROLES = {
    "Look": ("VM.Audit",),
    "Room": ("Sys.Audit",),
    "From": ("VM.Audit", "VM.Clone"),
    "Make": (
        "VM.Allocate", "VM.Audit", "VM.Config.Cloudinit", "VM.Config.Network", "VM.Config.Options",
        "VM.GuestAgent.Audit", "VM.PowerMgmt", "VM.Snapshot",
    ),
    "On": ("Datastore.AllocateSpace",),
    "Net": ("SDN.Use",),
}  # fmt: skip
ALLOWED = {
    "/vms": "Look",
    "/nodes": "Room",
    **{f"/vms/{vmid}": "From" for vmid in COPIES.values()},
    f"/pool/{NEW_PLACE[1]}": "Make",
    f"/storage/{STORAGE}": "On",
    **{f"/sdn/zones/localnetwork/{bridge}": "Net" for bridge in BRIDGES},
}


@dataclass
class World:
    """Three clusters: three nodes, a standalone node, and one that goes away."""

    simulator: Simulator = field(default_factory=Simulator)

    def __post_init__(self) -> None:
        self.password = secrets.token_urlsafe(12)
        self.a = self.simulator.add_cluster("building-a", nodes=("pve1", "pve2", "pve3"))
        self.b = self.simulator.add_cluster("building-b", nodes=("lab",), standalone=True)
        self.annex = self.simulator.add_cluster("annex", nodes=("old",), standalone=True)
        for cluster in self.clusters:
            cluster.add_user(USER, password=self.password, acl={"/": "Administrator"})
        self.token = self.b.add_token(USER, "labs", privsep=False)
        self._fill()
        self._let_machines_be_made()

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        return self.a, self.b, self.annex

    def _fill(self) -> None:
        for number in range(1, 13):
            running = number % 4 == 0
            self.a.add_guest(
                100 + number, name=f"net101-{number:02}", node=f"pve{number % 3 + 1}", pool="net101",
                status="running" if running else "stopped", tags=("net101",), agent="alive",
            )  # fmt: skip
        for number in range(1, 7):
            self.a.add_guest(
                200 + number, name=f"web201-{number:02}", node=f"pve{number % 3 + 1}", pool=PLACE[1], agent="alive"
            )
        for node, vmid in COPIES.items():
            copy = self.a.add_guest(vmid, name="debian-template", node=node, template=True, agent="alive")
            copy.options["ide2"] = f"{STORAGE}:vm-{vmid}-cloudinit,media=cdrom"
        for number in range(1, 5):
            self.b.add_guest(100 + number, name=f"db-{number:02}", node="lab", kind="qemu" if number < 4 else "lxc")
        self.annex.add_guest(301, name="archive", node="old", status="running")

    def _let_machines_be_made(self) -> None:
        self.a.add_pool(NEW_PLACE[1])
        self.a.bridges |= set(BRIDGES)
        for name, privileges in ROLES.items():
            self.a.add_role(name, privileges)
        self.a.add_user(MAKER, password=secrets.token_urlsafe(12), acl=ALLOWED)
        self.maker = self.a.add_token(MAKER, "make", acl=ALLOWED)

    def write_clusters_json(self, path: Path) -> None:
        """As the legacy portal wrote it, with one token and two of the ways to trust a certificate."""
        entries: list[dict[str, Any]] = [
            self._entry(self.a, "Building A", ca_certificate=self.a.ca_pem, is_default=True),
            self._entry(
                self.b, "Building B", fingerprint=self.b.fingerprint("lab"),
                token_id=self.token.full_id, token_secret=self.token.secret,
            ),
            self._entry(self.annex, "Annex", verify_ssl=False),
        ]  # fmt: skip
        path.write_text(json.dumps(entries, indent=2), encoding="utf-8")

    def _entry(self, cluster: Cluster, name: str, **more: Any) -> dict[str, Any]:
        where = {"id": cluster.name, "name": name, "host": cluster.host, "port": cluster.port}
        return {**where, "user": USER, "password": self.password, **more}

    def change_certificates(self, cluster: Cluster) -> None:
        """Changes the certificates of all nodes. Trust in the authority still works; a pinned fingerprint does not."""
        cluster.stop()  # an open connection would go on
        for node in cluster.nodes:
            cluster.renew_certificate(node)
        cluster.start()

    def starts(self) -> dict[str, int]:
        """The number of starts that each cluster was asked for."""
        return {cluster.name: cluster.count(method="POST", path_regex="/status/start$") for cluster in self.clusters}
