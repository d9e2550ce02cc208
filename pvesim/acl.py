"""Who may do what where: the access control list and how it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pvesim.pools import Pools
from pvesim.roles import catalogue

ROOT = "root@pam"
# A role, a role with its propagate flag, or several of both.
Grant = str | tuple[str, bool]
Grants = Mapping[str, Grant | Sequence[Grant]]
# From a privilege (or a role) to its propagate flag.
Flags = dict[str, bool]

# Whoever asks for many paths must not fill the memory.
MOST_REMEMBERED = 200_000

ALWAYS_LISTED = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")
# The heading under which privileges below the first part of a path are counted.
CAPABILITIES_BELOW = {
    "access": "access",
    "nodes": "nodes",
    "pool": "vms",
    "sdn": "sdn",
    "storage": "storage",
    "vms": "vms",
}


@dataclass(frozen=True)
class Identity:
    """Who asks: a user, or one of the user's tokens."""

    user: str
    tokenid: str | None = None
    separated: bool = False

    def __str__(self) -> str:
        return f"{self.user}!{self.tokenid}" if self.tokenid else self.user

    @property
    def owner(self) -> Identity:
        return Identity(self.user)


@dataclass(frozen=True)
class AclEntry:
    path: str
    holder: str
    role: str
    propagate: bool = True


class AccessList:
    """`generation` grows with every change. `groups` are sets of users by name; `@name` holds roles for all of them."""

    def __init__(self, major: int = 9) -> None:
        self.catalogue = catalogue(major)
        self.roles: dict[str, frozenset[str]] = dict(self.catalogue.roles)
        self.groups: dict[str, set[str]] = {}
        self.pools = Pools(self.touch)
        self.generation = 0
        self._at: dict[str, set[AclEntry]] = {}
        self._remembered: dict[tuple[Identity, str], Flags] = {}

    def touch(self) -> None:
        self.generation += 1
        self._remembered.clear()

    def add_role(self, name: str, privileges: Iterable[str]) -> None:
        named = frozenset(privileges)
        if named - self.catalogue.privileges:
            raise ValueError(f"invalid privilege {', '.join(sorted(named - self.catalogue.privileges))}")
        self.roles[name] = named
        self.touch()

    def remove_role(self, name: str) -> None:
        """Entries with a role that is not there are passed over when the file is read, and left out when written."""
        del self.roles[name]
        for entries in self._at.values():
            entries -= {entry for entry in entries if entry.role == name}
        self.touch()

    def set_group(self, name: str, users: Iterable[str]) -> None:
        self.groups[name] = set(users)
        self.touch()

    def grant(self, path: str, holder: str, role: str, propagate: bool = True) -> None:
        if role not in self.roles:
            raise ValueError(f"role '{role}' does not exist")
        path = normal_path(path)
        self.revoke(path, holder, role)
        self._at.setdefault(path, set()).add(AclEntry(path, holder, role, propagate))
        self.touch()

    def grant_all(self, holder: str, grants: Grants) -> None:
        for path, given in grants.items():
            for role, propagate in _listed(given):
                self.grant(path, holder, role, propagate)

    def revoke(self, path: str, holder: str, role: str | None = None) -> None:
        path = normal_path(path)
        kept = {one for one in self._at.get(path, ()) if one.holder != holder or role not in (None, one.role)}
        if kept:
            self._at[path] = kept
        else:
            self._at.pop(path, None)
        self.touch()

    def forget_path(self, path: str) -> None:
        self._at.pop(normal_path(path), None)
        self.touch()

    def forget_holder(self, holder: str) -> None:
        for path in list(self._at):
            self.revoke(path, holder)

    def entries(self) -> list[AclEntry]:
        return [entry for path in sorted(self._at) for entry in sorted(self._at[path], key=str)]

    def privileges(self, identity: Identity, path: str) -> Flags:
        known = self._remembered.get((identity, path))
        if known is None:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[identity, path] = self._find_privileges(identity, normal_path(path))
        return known

    def _find_privileges(self, identity: Identity, path: str) -> Flags:
        if not identity.tokenid:
            return self._privileges_of(identity.user, path)
        if not identity.separated:
            return self._privileges_of(identity.user, path)
        own = self._privileges_of(str(identity), path)
        if identity.user == ROOT:
            return own
        of_user = self._privileges_of(identity.user, path)
        return {name: flag for name, flag in own.items() if name in of_user}

    def allows(self, identity: Identity, path: str, *privileges: str) -> bool:
        """Whether the identity has any of these privileges there."""
        return not self.privileges(identity, path).keys().isdisjoint(privileges)

    def effective(self, identity: Identity) -> dict[str, Flags]:
        """Every path with an entry, and every member of a pool, at which the identity has a privilege."""
        found = {path: self.privileges(identity, path) for path in self._paths()}
        return {path: flags for path, flags in found.items() if flags}

    def capabilities(self, identity: Identity) -> dict[str, dict[str, int]]:
        capabilities = self.catalogue.capabilities
        held: dict[str, dict[str, int]] = {heading: {} for heading in capabilities}
        for path, flags in self.effective(identity).items():
            below = CAPABILITIES_BELOW.get(path.split("/")[1])
            for heading in capabilities if path == "/" else filter(None, [below]):
                held[heading].update({name: 1 for name in flags if name in capabilities[heading]})
        return held

    def _privileges_of(self, holder: str, path: str) -> Flags:
        if holder == ROOT:
            return dict.fromkeys(self.catalogue.privileges, True)
        flags: Flags = {}
        for role, propagate in self._roles_at(holder, path).items():
            for name in self.roles[role]:
                flags[name] = propagate or flags.get(name, False)
        return flags

    def _roles_at(self, holder: str, path: str) -> Flags:
        roles = self._direct_roles(holder, path)
        pool = self._pool_of_path(path)
        if pool is None or "NoAccess" in roles:
            return roles
        through_pool = self._direct_roles(holder, f"/pool/{pool}")
        return through_pool if "NoAccess" in through_pool else {**roles, **through_pool}

    def _direct_roles(self, holder: str, path: str) -> Flags:
        """The deepest path which says something about the holder, or else about a group of theirs, decides alone."""
        groups = [f"@{name}" for name, users in self.groups.items() if holder in users]
        roles: Flags = {}
        for step in _prefixes(path):
            said = [entry for entry in self._at.get(step, ()) if entry.propagate or step == path]
            here = _held_by(said, holder) or _held_by(said, *groups)
            if here:
                roles = {"NoAccess": here["NoAccess"]} if "NoAccess" in here else here
        return roles

    def _pool_of_path(self, path: str) -> str | None:
        match = re.fullmatch(r"/vms/(\d+)", path)
        return self.pools.pool_of(int(match[1])) if match else None

    def _paths(self) -> list[str]:
        names = self.pools.names()
        members = (f"/vms/{vmid}" for name in names for vmid in self.pools.members(name))
        return sorted({*ALWAYS_LISTED, *self._at, *members})


def _held_by(entries: Iterable[AclEntry], *holders: str) -> Flags:
    return {entry.role: entry.propagate for entry in entries if entry.holder in holders}


def normal_path(path: str) -> str:
    return "/" + path.strip("/")


def _prefixes(path: str) -> Iterator[str]:
    yield "/"
    parts = path.strip("/").split("/") if path != "/" else []
    for length in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:length])


def _listed(given: Grant | Sequence[Grant]) -> Iterator[tuple[str, bool]]:
    if isinstance(given, str):
        yield given, True
    elif len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], bool):
        yield given[0], given[1]
    else:
        for one in given:
            if not isinstance(one, bool):
                yield from _listed(one)
