"""Making machines: exactly which privileges its token needs on exactly which paths, and what the token has besides.

An entry on a deeper path replaces what is inherited there, so each role is whole.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from shlex import quote

from clusters.privileges.inheritance import Flags

MACHINES, NODES, ZONES = "/vms", "/nodes", "/sdn/zones"
LOCAL_NETWORK = f"{ZONES}/localnetwork"

# Roles by name. The look: until a clone ends the machine is in no pool, and only this shows what became of it. The
# room: how much memory each node has left, by which machines are spread.
LOOK, ROOM, TEMPLATE, MACHINE, STORAGE, NETWORK = (
    "LabPortalMakeLook", "LabPortalMakeRoom", "LabPortalMakeFrom", "LabPortalMake", "LabPortalMakeOn",
    "LabPortalMakeNet",
)  # fmt: skip
LIFE = (
    "VM.Allocate", "VM.Audit", "VM.Config.Cloudinit", "VM.Config.Network", "VM.Config.Options", "VM.PowerMgmt",
    "VM.Snapshot",
)  # fmt: skip
# Reading more than is needed does no harm that anybody has to be told of.
HARMLESS = {"Datastore.Audit", "Pool.Audit", "SDN.Audit"}
_PATH = re.compile(r"/[A-Za-z0-9._/-]*")


@dataclass(frozen=True)
class Places:
    """What machines are made with on a cluster. `members` are the VMIDs that are in the pools now.

    `zones` are those of VNets, as far as they are known; bridges are in `localnetwork`.
    """

    pools: tuple[str, ...] = ()
    templates: tuple[int, ...] = ()
    storages: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()
    members: frozenset[int] = field(default=frozenset())
    zones: Mapping[str, str] = field(default_factory=dict)

    def network_path(self, bridge: str) -> str:
        zone = self.zones.get(bridge)
        return f"{ZONES}/{zone}/{bridge}" if zone else f"{LOCAL_NETWORK}/{bridge}"


@dataclass(frozen=True)
class MakingReport:
    """`missing` and `excess` are privileges by path; `lines` grant what is missing."""

    token_id: str
    missing: Mapping[str, tuple[str, ...]]
    excess: Mapping[str, tuple[str, ...]]
    lines: tuple[str, ...]

    @property
    def script(self) -> str:
        return "\n".join(self.lines)


def roles(major: int) -> dict[str, tuple[str, ...]]:
    """The privileges of each role. Before version 8 nobody needs one for a bridge."""
    agent = "VM.GuestAgent.Audit" if major >= 9 else "VM.Monitor"
    found = {
        LOOK: ("VM.Audit",),
        ROOM: ("Sys.Audit",),
        TEMPLATE: ("VM.Audit", "VM.Clone"),
        MACHINE: (*LIFE, agent),
        STORAGE: ("Datastore.AllocateSpace",),
        NETWORK: ("SDN.Use",),
    }
    if major < 8:
        del found[NETWORK]
    return found


def entries(places: Places, major: int) -> dict[str, str]:
    """The role that the token has on each path."""
    found = {MACHINES: LOOK, NODES: ROOM}
    found |= {f"/vms/{vmid}": TEMPLATE for vmid in places.templates}
    found |= {f"/pool/{name}": MACHINE for name in places.pools}
    found |= {f"/storage/{name}": STORAGE for name in places.storages}
    found |= {places.network_path(name): NETWORK for name in places.bridges} if major >= 8 else {}
    return found


def setup_lines(places: Places, major: int, *, user: str = "portal-make@pve", name: str = "make") -> tuple[str, ...]:
    """Commands for a shell of the Proxmox host: roles, user, its token of this name, and what both may do."""
    return (
        *_role_lines(roles(major), {}),
        f"pveum user add {quote(user)} --comment 'Lab Portal, making machines'",
        f"pveum user token add {quote(user)} {quote(name)} --privsep 1",
        *_entry_lines(entries(places, major).items(), user, f"{user}!{name}"),
    )


def check(token_id: str, flags: Flags, known: Mapping[str, frozenset[str]], places: Places, major: int) -> MakingReport:
    """Judge what a token holds. `known` are the existing roles."""
    places = replace(places, zones={**_zones(flags, places.bridges), **places.zones})
    wanted, needed = roles(major), entries(places, major)
    missing = {path: _lacking(flags, path, wanted[role]) for path, role in needed.items()}
    missing = {path: names for path, names in missing.items() if names}
    used = {needed[path]: wanted[needed[path]] for path in missing}
    user, _, token = token_id.partition("!")
    lines = (
        *_role_lines(used, known),
        *_entry_lines(((path, needed[path]) for path in missing), user, token_id if token else ""),
    )
    return MakingReport(token_id, missing, dict(_excess(flags, places, major)), lines if missing else ())


def _zones(flags: Flags, bridges: Iterable[str]) -> dict[str, str]:
    """The zones in which the token may use a VNet of this name: the portal may not read which zone has it."""
    found = {}
    for path, held in flags.items():
        zone, _, name = path.removeprefix(f"{ZONES}/").partition("/")
        if path.startswith(f"{ZONES}/") and name in bridges and "SDN.Use" in held and zone != "localnetwork":
            found[name] = zone
    return found


def _lacking(flags: Flags, path: str, wanted: Iterable[str]) -> tuple[str, ...]:
    """What the path lacks, or has without passing it on to what lies below."""
    here = flags.get(path, {})
    deeper = path in (MACHINES, NODES) or path.startswith("/pool/")
    return tuple(name for name in wanted if not (here.get(name) if deeper else name in here))


def _excess(flags: Flags, places: Places, major: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path, held in sorted(flags.items()):
        allowed = _allowed(path, places, major)
        if path != "/access" and (more := tuple(sorted(set(held) - allowed - HARMLESS))) and _PATH.fullmatch(path):
            yield path, more


def _allowed(path: str, places: Places, major: int) -> set[str]:
    """A role on a pool counts on its members and on pools below it; what `/vms` has counts on every machine."""
    wanted, needed = roles(major), entries(places, major)
    found = set(wanted[needed[path]]) if path in needed else set()
    if path.startswith("/pool/") and any(path.startswith(f"/pool/{name}/") for name in places.pools):
        found |= set(wanted[MACHINE])
    if path.startswith(f"{NODES}/"):
        found |= set(wanted[ROOM])
    if path.startswith(f"{MACHINES}/"):
        vmid = path.removeprefix(f"{MACHINES}/")
        found |= set(wanted[LOOK])
        found |= set(wanted[MACHINE]) if vmid.isdecimal() and int(vmid) in places.members else set()
    for bridge in places.bridges:  # a VLAN of a bridge
        found |= set(wanted.get(NETWORK, ())) if path.startswith(f"{places.network_path(bridge)}/") else set()
    return found


def _role_lines(wanted: Mapping[str, tuple[str, ...]], known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for name, privileges in wanted.items():
        missing = [one for one in privileges if one not in known.get(name, ())]
        if name not in known:
            yield f"pveum role add {name} --privs {quote(' '.join(privileges))}"
        elif missing:
            yield f"pveum role modify {name} --append 1 --privs {quote(' '.join(missing))}"


def _entry_lines(found: Iterable[tuple[str, str]], user: str, token: str) -> Iterator[str]:
    """A token has what both it and its user were given, so both get it."""
    for path, role in found:
        tokens = f" --tokens {quote(token)}" if token else ""
        yield f"pveum acl modify {quote(path)} --users {quote(user)}{tokens} --roles {role}"
