"""Effective privileges of an account on each path, computed from the cluster's own answer.

On Proxmox VE an entry on a deeper path replaces what would be inherited there; a pool's entry adds to its members.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clusters.privileges.features import CLUSTER, FAMILY, MACHINES, POOLS

# From a path to its privileges, each with whether deeper paths inherit it.
Flags = Mapping[str, Mapping[str, bool]]


@dataclass(frozen=True)
class Reach:
    """`missing` is held nowhere that helps; else it works everywhere but `not_on`, or only on `paths`."""

    missing: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()


def reach_of(flags: Flags, base: str, privileges: Iterable[str]) -> Reach:
    """The reach of these privileges below this path. On the root alone, they only have to be there."""
    wanted = tuple(privileges)
    here = flags.get(base, {})
    if base == CLUSTER:
        return Reach(missing=tuple(name for name in wanted if name not in here))
    if all(here.get(name) for name in wanted):
        return Reach(not_on=tuple(path for path in _below(flags, base) if not flags[path].keys() >= {*wanted}))
    if paths := _paths(flags, base, wanted):
        return Reach(paths=paths)
    return Reach(missing=tuple(name for name in wanted if not here.get(name)) or wanted)


def anchors(flags: Flags, base: str) -> dict[str, bool]:
    """The paths for new entries that add to what is held and replace nothing, with their propagate flag."""
    if base == CLUSTER:
        return {CLUSTER: False}
    inherited = {name for name, deeper in flags.get(CLUSTER, {}).items() if deeper and name.startswith(FAMILY[base])}
    if inherited and inherited == {name for name in flags.get(base, {}) if name.startswith(FAMILY[base])}:
        return {CLUSTER: True}
    if base in (MACHINES, POOLS) and (paths := _seen_in(flags, base)):
        return dict.fromkeys(paths, True)
    return dict.fromkeys([base, *_overriding(flags, base)], True)


def _seen_in(flags: Flags, base: str) -> tuple[str, ...]:
    """The pools, or else the machines, that an account is confined to."""
    if flags.get(MACHINES, {}).get("VM.Audit"):
        return ()
    paths = _paths(flags, MACHINES, ["VM.Audit"])
    pools = tuple(path for path in paths if _is_within(path, POOLS))
    return pools if base == POOLS else pools or paths


def _overriding(flags: Flags, base: str) -> tuple[str, ...]:
    """Deeper paths with an entry of their own, which shows where they lack what they would inherit."""
    passed_on = {name for name, deeper in flags.get(base, {}).items() if deeper}
    if base == MACHINES:
        return tuple(path for path in _below(flags, base) if not flags[path].keys() >= passed_on)
    return tuple(path for path in _below(flags, base) if {*flags[path]} != passed_on)


def _paths(flags: Flags, base: str, wanted: Iterable[str]) -> tuple[str, ...]:
    """The outermost paths below which all of this is held. Machines are reached through their pools, too."""
    bases = (POOLS, base) if base == MACHINES else (base,)
    able = [
        path
        for root in bases
        for path in ([root] if all(flags.get(root, {}).get(name) for name in wanted) else _below(flags, root))
        if flags[path].keys() >= {*wanted}
    ]
    return tuple(path for path in able if not any(_is_part(flags, path, other) for other in able))


def _is_part(flags: Flags, path: str, other: str) -> bool:
    """Whether the other path says as much: it is further out, or seems to be the pool that this machine is in."""
    if path == other or _is_within(path, other):
        return path != other
    passed_on = {name for name, deeper in flags.get(MACHINES, {}).items() if deeper}
    return _is_within(path, MACHINES) and _is_within(other, POOLS) and {*flags[path]} == passed_on | {*flags[other]}


def _below(flags: Flags, base: str) -> list[str]:
    return sorted(path for path in flags if path != base and _is_within(path, base))


def _is_within(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")
