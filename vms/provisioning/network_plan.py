"""Lists many networks at once: which ones will be listed, and the lines that make them on the cluster.

The portal never gets rights over the networks of a cluster: an administrator runs the lines.
"""

from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanRow, Reason, carry_out
from vms.models import LeasableNetwork

MOST = 200

BRIDGES, VNETS, VLANS = "bridges", "vnets", "vlans"
KINDS = (
    (BRIDGES, gettext_lazy("Bridges without a port, like vmbr12: each a network of one node")),
    (VNETS, gettext_lazy("VNets of a VLAN zone, like lab12: each a network of all nodes")),
    (VLANS, gettext_lazy("VLAN tags on a bridge that is aware of VLANs")),
)

BRIDGE_LINES = """auto vmbr{number}
iface vmbr{number} inet manual
    bridge-ports none
    bridge-stp off
    bridge-fd 0
"""
INTERFACES = Note(
    gettext_noop("Add these lines to /etc/network/interfaces on every node, then run “ifreload -a” there.")
)
COMMANDS = Note(gettext_noop("Run these lines on one node as root. The VLANs have to be allowed on the switches."))
AWARE = Note(gettext_noop("The bridge needs these lines in /etc/network/interfaces, on every node."))


class NetworkReason(Reason):
    LISTED = (
        "listed", Outcome.CREATED, gettext_lazy("will be listed"),
        ngettext_lazy("%(n)d will be listed", "%(n)d will be listed", "n"),
    )  # fmt: skip
    KNOWN = (
        "known", Outcome.SKIPPED, gettext_lazy("listed already"),
        ngettext_lazy("%(n)d is listed already", "%(n)d are listed already", "n"),
    )  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Networks with numbers from `first` on. `prefix` begins their names for people, `vnet` those of VNets.

    `bridge` is what VNets and VLANs are on, and `zone` what VNets are in.
    """

    cluster_id: str
    kind: str
    first: int
    count: int
    prefix: str
    bridge: str = ""
    zone: str = ""
    vnet: str = ""

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)

    def place(self, number: int) -> tuple[str, int | None]:
        """Bridge and VLAN of a network, as its row has them."""
        if self.kind == VLANS:
            return self.bridge, number
        return (f"vmbr{number}" if self.kind == BRIDGES else f"{self.vnet}{number}"), None

    @property
    def lines(self) -> str:
        if self.kind == BRIDGES:
            return "\n".join(BRIDGE_LINES.format(number=number) for number in self.numbers)
        if self.kind == VLANS:
            return f"    bridge-vlan-aware yes\n    bridge-vids {self.first}-{self.first + self.count - 1}\n"
        vnets = [
            f"pvesh create /cluster/sdn/vnets --vnet {self.vnet}{number} --zone {self.zone} --tag {number}"
            for number in self.numbers
        ]
        zone = f"pvesh create /cluster/sdn/zones --zone {self.zone} --type vlan --bridge {self.bridge}"
        return "\n".join([zone, *vnets, "pvesh set /cluster/sdn"]) + "\n"

    @property
    def help(self) -> Note:
        return {BRIDGES: INTERFACES, VNETS: COMMANDS, VLANS: AWARE}[self.kind]


@dataclass(frozen=True)
class NetworkRow(PlanRow):
    name: str = ""
    bridge: str = ""
    vlan: int | str = ""


@dataclass(frozen=True, kw_only=True)
class NetworkPlan(Plan[NetworkRow]):
    wanted: Wanted

    columns: ClassVar = (
        ("name", gettext_lazy("Name")),
        ("bridge", gettext_lazy("Bridge or VNet")),
        ("vlan", gettext_lazy("VLAN tag")),
    )
    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d network will be listed", "%(n)d networks will be listed", "n"),
    }
    did: ClassVar = {Outcome.CREATED: ngettext_lazy("%(n)d network listed.", "%(n)d networks listed.", "n")}
    nothing: ClassVar = gettext_lazy("No network will be listed")
    button: ClassVar = ngettext_lazy("List %(n)d network", "List %(n)d networks", "n")


def plan(wanted: Wanted) -> NetworkPlan:
    known = set(LeasableNetwork.objects.filter(cluster_id=wanted.cluster_id).values_list("bridge", "vlan"))
    rows = []
    for line, number in enumerate(wanted.numbers, 1):
        bridge, vlan = wanted.place(number)
        reason = NetworkReason.KNOWN if (bridge, vlan) in known else NetworkReason.LISTED
        rows.append(NetworkRow(line, reason, (), f"{wanted.prefix} {number}", bridge, "" if vlan is None else vlan))
    return NetworkPlan(rows=tuple(rows), wanted=wanted)


def apply(wanted: Wanted, *, expected: str) -> NetworkPlan:
    """Raises `PlanChanged`, and then nothing was written."""

    def write(fresh: NetworkPlan) -> None:
        for row in fresh.written:
            LeasableNetwork.objects.create(
                cluster_id=wanted.cluster_id, name=row.name, bridge=row.bridge, vlan=row.vlan or None
            )

    return carry_out(lambda: plan(wanted), write, expected=expected)
