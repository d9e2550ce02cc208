"""The features that the portal offers, in order of importance, and the privileges that each needs."""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

# The newest major version that is known here; a newer one is taken for it.
NEWEST = 9
MAJORS = (9, 8, 7)

CLUSTER, NODES, MACHINES, POOLS = "/", "/nodes", "/vms", "/pool"
GROUPS = "/access/groups"

# Of the privileges that count on a path, the beginning of their names.
FAMILY = {CLUSTER: "Sys.", NODES: "Sys.", GROUPS: "Sys.", MACHINES: "VM.", POOLS: "Pool."}

# Roles that older versions had made, for what the portal does not do.
UNUSED_ROLES = ("LabPortalClone", "LabPortalStorage", "LabPortalNetwork")


class Who(StrEnum):
    MAIN = gettext_noop("main credential")
    READER = gettext_noop("read-only token")

    @property
    def label(self) -> str:
        return _(self.value)


@dataclass(frozen=True)
class Need:
    """A privilege, the path below which it is needed, and the role that carries it for the portal."""

    privilege: str
    base: str
    role: str


@dataclass(frozen=True)
class Feature:
    """`is_asked_by` is who needs it where the cluster has a read-only token. Without one it is all the main one's."""

    name: str
    needs: tuple[Need, ...]
    is_asked_by: tuple[Who, ...] = (Who.MAIN,)


def features(major: int, who: Who = Who.MAIN, *, has_reader: bool = False) -> tuple[Feature, ...]:
    """The privileges that this credential needs for the features that are on at present, and no more.

    Naming a privilege that a version lacks is an error there.
    """
    audit = "LabPortalAudit" if who is Who.READER else "LabPortalOperate"
    agent = "VM.GuestAgent.Audit" if major >= 9 else "VM.Monitor"
    screens = [_("Console")] * bool(settings.CONSOLES_PER_PROCESS) + [_("SPICE files")] * settings.SPICE_FILES
    known = (
        Feature(_("See machines"), (Need("VM.Audit", MACHINES, audit),), (Who.MAIN, Who.READER)),
        Feature(_("Start and stop"), (Need("VM.PowerMgmt", MACHINES, "LabPortalOperate"),)),
        *(Feature(name, (Need("VM.Console", MACHINES, "LabPortalOperate"),)) for name in screens),
        Feature(_("Snapshots and revert"), (Need("VM.Snapshot", MACHINES, "LabPortalOperate"),)),
        # Not the read-only token's: until version 8 this privilege also runs commands inside machines.
        Feature(_("Guest addresses"), (Need(agent, MACHINES, "LabPortalOperate"),)),
        Feature(
            _("Nodes and quorum"),
            (Need("Sys.Audit", CLUSTER, "LabPortalNodes"), Need("Sys.Audit", NODES, "LabPortalNodes")),
            (Who.READER,),
        ),
        # An account may not even look at itself without it.
        Feature(
            _("Warn before a credential expires"), (Need("Sys.Audit", GROUPS, "LabPortalAccounts"),), (Who.READER,)
        ),
        Feature(_("Pools"), (Need("Pool.Audit", POOLS, "LabPortalPools"),), (Who.READER,)),
    )
    return tuple(feature for feature in known if not has_reader or who in feature.is_asked_by)


def roles(wanted: tuple[Feature, ...]) -> dict[str, tuple[str, ...]]:
    """The portal's roles, with the privileges of each."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for need in (need for feature in wanted for need in feature.needs):
        found[need.role][need.privilege] = None
    return {role: tuple(privileges) for role, privileges in found.items()}
