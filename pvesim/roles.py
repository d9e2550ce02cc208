"""The privileges of Proxmox VE and the roles which it brings along. They differ between its major versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

Privileges = frozenset[str]

EVERYWHERE = {
    "Datastore": "Allocate AllocateSpace AllocateTemplate Audit",
    "Group": "Allocate",
    "Permissions": "Modify",
    "Pool": "Allocate Audit",
    "Realm": "Allocate AllocateUser",
    "SDN": "Allocate Audit",
    "Sys": "Audit Console Incoming Modify PowerMgmt Syslog",
    "User": "Modify",
    "VM": (
        "Allocate Audit Backup Clone Config.CDROM Config.CPU Config.Cloudinit Config.Disk Config.HWType"
        " Config.Memory Config.Network Config.Options Console Migrate PowerMgmt Snapshot Snapshot.Rollback"
    ),
}
SINCE_8 = {"Mapping": "Audit Modify Use", "SDN": "Use", "Sys": "AccessNetwork"}
UNTIL_8 = {"VM": "Monitor"}
GUEST_FILES = "GuestAgent.Audit GuestAgent.FileRead GuestAgent.FileSystemMgmt GuestAgent.FileWrite"
SINCE_9 = {"VM": f"{GUEST_FILES} GuestAgent.Unrestricted Replicate"}


@dataclass(frozen=True)
class Catalogue:
    """`capabilities`: which privileges the answer to a login counts under which heading."""

    privileges: Privileges
    roles: Mapping[str, Privileges]
    capabilities: Mapping[str, Privileges]


@cache
def catalogue(major: int) -> Catalogue:
    families = [EVERYWHERE]
    families += [SINCE_8] if major >= 8 else []
    families += [SINCE_9] if major >= 9 else [UNTIL_8]
    privileges = frozenset[str]().union(*map(_expanded, families))
    return Catalogue(privileges, _roles(privileges), _capabilities(privileges))


def _expanded(families: Mapping[str, str]) -> Privileges:
    return frozenset(f"{family}.{name}" for family, names in families.items() for name in names.split())


def _roles(known: Privileges) -> Mapping[str, Privileges]:
    reserved = _named("Sys", "AccessNetwork Incoming Modify PowerMgmt")
    reserved |= {"Mapping.Modify", "Permissions.Modify", "Realm.Allocate"}
    roles = {
        "Administrator": known,
        "NoAccess": frozenset[str](),
        "PVEAdmin": known - reserved,
        "PVEAuditor": frozenset(name for name in known if name.endswith(".Audit")),
        "PVEDatastoreAdmin": _family(known, "Datastore"),
        "PVEDatastoreUser": _named("Datastore", "AllocateSpace Audit"),
        "PVEMappingAdmin": _family(known, "Mapping"),
        "PVEPoolAdmin": _family(known, "Pool"),
        "PVEPoolUser": _named("Pool", "Audit"),
        "PVESDNAdmin": _family(known, "SDN"),
        "PVESDNUser": _named("SDN", "Audit Use"),
        "PVESysAdmin": _named("Sys", "Audit Console Syslog"),
        "PVETemplateUser": _named("VM", "Audit Clone"),
        "PVEUserAdmin": _family(known, "Group", "User") | _named("Realm", "AllocateUser"),
        "PVEVMAdmin": _family(known, "VM"),
        "PVEVMUser": _named("VM", f"Audit Backup Config.CDROM Config.Cloudinit Console PowerMgmt {GUEST_FILES}"),
    }
    return {name: held & known for name, held in roles.items() if held & known or name == "NoAccess"}


def _capabilities(known: Privileges) -> Mapping[str, Privileges]:
    headings = {
        "access": _family(known, "User", "Group", "Permissions"),
        "dc": _family(known, "SDN") | _named("Sys", "Audit Modify"),
        "mapping": _family(known, "Mapping", "Permissions"),
        "nodes": _family(known, "Sys", "Permissions"),
        "sdn": _family(known, "SDN", "Permissions"),
        "storage": _family(known, "Datastore", "Permissions"),
        "vms": _family(known, "VM", "Permissions"),
    }
    has_mappings = any(name.startswith("Mapping.") for name in known)
    return {heading: held for heading, held in headings.items() if heading != "mapping" or has_mappings}


def _family(known: Privileges, *families: str) -> Privileges:
    return frozenset(name for name in known if name.split(".")[0] in families)


def _named(family: str, names: str) -> Privileges:
    return frozenset(f"{family}.{name}" for name in names.split())
