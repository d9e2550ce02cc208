"""The privileges of Proxmox VE 9 and the roles which it brings along."""

from __future__ import annotations

from collections.abc import Mapping

PRIVILEGE_NAMES = {
    "Datastore": "Allocate AllocateSpace AllocateTemplate Audit",
    "Group": "Allocate",
    "Mapping": "Audit Modify Use",
    "Permissions": "Modify",
    "Pool": "Allocate Audit",
    "Realm": "Allocate AllocateUser",
    "SDN": "Allocate Audit Use",
    "Sys": "AccessNetwork Audit Console Incoming Modify PowerMgmt Syslog",
    "User": "Modify",
    "VM": (
        "Allocate Audit Backup Clone Config.CDROM Config.CPU Config.Cloudinit Config.Disk Config.HWType"
        " Config.Memory Config.Network Config.Options Console GuestAgent.Audit GuestAgent.FileRead"
        " GuestAgent.FileSystemMgmt GuestAgent.FileWrite GuestAgent.Unrestricted Migrate PowerMgmt"
        " Replicate Snapshot Snapshot.Rollback"
    ),
}
PRIVILEGES = frozenset(f"{family}.{name}" for family, names in PRIVILEGE_NAMES.items() for name in names.split())


def _family(*families: str) -> frozenset[str]:
    return frozenset(name for name in PRIVILEGES if name.split(".")[0] in families)


def _named(family: str, names: str) -> frozenset[str]:
    return frozenset(f"{family}.{name}" for name in names.split())


_GUEST_FILES = "GuestAgent.Audit GuestAgent.FileRead GuestAgent.FileSystemMgmt GuestAgent.FileWrite"
_ADMIN_LACKS = _named("Sys", "AccessNetwork Incoming Modify PowerMgmt") | {
    "Mapping.Modify",
    "Permissions.Modify",
    "Realm.Allocate",
}

ROLES: Mapping[str, frozenset[str]] = {
    "Administrator": PRIVILEGES,
    "NoAccess": frozenset(),
    "PVEAdmin": PRIVILEGES - _ADMIN_LACKS,
    "PVEAuditor": frozenset(name for name in PRIVILEGES if name.endswith(".Audit")),
    "PVEDatastoreAdmin": _family("Datastore"),
    "PVEDatastoreUser": _named("Datastore", "AllocateSpace Audit"),
    "PVEMappingAdmin": _family("Mapping"),
    "PVEPoolAdmin": _family("Pool"),
    "PVEPoolUser": _named("Pool", "Audit"),
    "PVESDNAdmin": _family("SDN"),
    "PVESDNUser": _named("SDN", "Audit Use"),
    "PVESysAdmin": _named("Sys", "Audit Console Syslog"),
    "PVETemplateUser": _named("VM", "Audit Clone"),
    "PVEUserAdmin": _family("Group", "User") | _named("Realm", "AllocateUser"),
    "PVEVMAdmin": _family("VM"),
    "PVEVMUser": _named("VM", f"Audit Backup Config.CDROM Config.Cloudinit Console PowerMgmt {_GUEST_FILES}"),
}

# Which privileges the answer to a login counts under which heading.
CAPABILITIES: Mapping[str, frozenset[str]] = {
    "access": _family("User", "Group", "Permissions"),
    "dc": _family("SDN") | _named("Sys", "Audit Modify"),
    "mapping": _family("Mapping", "Permissions"),
    "nodes": _family("Sys", "Permissions"),
    "sdn": _family("SDN", "Permissions"),
    "storage": _family("Datastore", "Permissions"),
    "vms": _family("VM", "Permissions"),
}
