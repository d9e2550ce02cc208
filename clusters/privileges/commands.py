"""Commands for a shell of the Proxmox host. All values in them are quoted, as they may come from a cluster."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from clusters.privileges.features import Feature, Need, Who, features, roles
from clusters.privileges.inheritance import Flags, anchors, reach_of

ROOT = "root@pam"


@dataclass(frozen=True)
class Holder:
    """A credential: its user, its token's whole ID if it is one, what it holds, and what it is there for."""

    who: Who
    user: str
    token: str
    flags: Flags
    wanted: tuple[Feature, ...]


def setup_commands(
    major: int, *, user: str = "portal@pve", main: str = "portal", reader: str = "inventory"
) -> tuple[str, ...]:
    """All that a new cluster needs: roles, the user, its two tokens, and what they may do. In this order."""
    names = {Who.MAIN: main, Who.READER: reader}
    holders = [
        Holder(who, user, f"{user}!{name}", {}, features(major, who, has_reader=True)) for who, name in names.items()
    ]
    needed = [(holder, tuple(need for feature in holder.wanted for need in feature.needs)) for holder in holders]
    return (
        *_role_commands(needed, {}),
        f"pveum user add {quote(user)} --comment 'Lab Portal'",
        # An entry for a token that is not there yet is refused.
        *(f"pveum user token add {quote(user)} {quote(name)} --privsep 1" for name in names.values()),
        *_grant_commands(needed),
    )


def repair_commands(
    lacking: Sequence[tuple[Holder, tuple[Need, ...]]], known: Mapping[str, frozenset[str]]
) -> tuple[str, ...]:
    """The commands that grant these credentials the missing privileges. `known` are the existing roles."""
    return (*_role_commands(lacking, known), *_grant_commands(lacking))


def _role_commands(
    lacking: Iterable[tuple[Holder, tuple[Need, ...]]], known: Mapping[str, frozenset[str]]
) -> Iterable[str]:
    """Make roles whole, or add what they lack: an entry on a deeper path replaces what is inherited there."""
    for holder, needs in lacking:
        wanted = roles(holder.wanted)
        for role in dict.fromkeys(need.role for need in needs):
            missing = quote(" ".join(name for name in wanted[role] if name not in known.get(role, ())))
            if role not in known:
                yield f"pveum role add {quote(role)} --privs {missing}"
            elif missing != quote(""):
                yield f"pveum role modify {quote(role)} --append 1 --privs {missing}"


def _grant_commands(lacking: Iterable[tuple[Holder, tuple[Need, ...]]]) -> Iterable[str]:
    """A token has what both it and its user were given, so both get it, if the user does not have it already."""
    lacking = list(lacking)
    users: dict[tuple[str, str, bool], dict[str, None]] = defaultdict(dict)
    tokens: dict[tuple[str, str, bool], dict[str, None]] = defaultdict(dict)
    given: set[tuple[str, str, str]] = set()
    for holder, needs in lacking:
        known = _known_of(holder.user, [other for other, _ in lacking])
        for need in needs:
            if holder.token:
                for path, deeper in anchors(holder.flags, need.base).items():
                    tokens[path, need.role, deeper][holder.token] = None
            right = (holder.user, need.base, need.privilege)
            if holder.user != ROOT and right not in given and reach_of(known, need.base, [need.privilege]).missing:
                for path, deeper in anchors(known, need.base).items():
                    users[path, need.role, deeper][holder.user] = None
            given.add(right)
    for entry in dict.fromkeys([*users, *tokens]):
        yield _grant_command(*entry, users=users.get(entry, ()), tokens=tokens.get(entry, ()))


def _known_of(user: str, holders: Iterable[Holder]) -> Flags:
    """The privileges that a user has at least: those of all tokens of the user."""
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for holder in holders:
        for path, held in holder.flags.items() if holder.user == user else ():
            for name, deeper in held.items():
                found[path][name] = deeper or found[path].get(name, False)
    return found


def _grant_command(path: str, role: str, propagate: bool, *, users: Iterable[str], tokens: Iterable[str]) -> str:
    parts = ["pveum acl modify", quote(path)]
    parts += ["--users", quote(",".join(users))] if users else []
    parts += ["--tokens", quote(",".join(tokens))] if tokens else []
    parts += ["--roles", quote(role)]
    return " ".join(parts if propagate else [*parts, "--propagate", "0"])
