"""Asks a cluster for the privileges of the portal's credentials, and judges them feature by feature."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.privileges import excess
from clusters.privileges.commands import Holder, repair_commands
from clusters.privileges.features import NEWEST, UNUSED_ROLES, Feature, Need, Who, features
from clusters.privileges.inheritance import Flags, Reach, reach_of

MOST_NAMED = 5
# What comes from a cluster and looks otherwise is not put into anybody's shell.
_PATH = re.compile(r"/[A-Za-z0-9._/-]*")


@dataclass(frozen=True)
class FeatureResult:
    """One feature for one credential. `text` says it in words; `missing` are needs that are met nowhere."""

    feature: str
    who: Who
    text: str
    is_limited: bool = False
    missing: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Report:
    """`lines` grant what is missing, and nothing else; `cautions` are about doing so, `warnings` about what is.

    `removals` are lines that take away what older versions asked for.
    """

    version: str
    major: int
    results: tuple[FeatureResult, ...]
    lines: tuple[str, ...]
    cautions: tuple[str, ...]
    warnings: tuple[str, ...]
    removals: tuple[str, ...] = ()

    @property
    def cleaning(self) -> str:
        return "\n".join(self.removals)

    @property
    def script(self) -> str:
        return "\n".join(self.lines)

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the features that do not work."""
        return tuple(dict.fromkeys(result.feature for result in self.results if result.missing))


def check(config: ClusterConfig, *, throttle: proxmox.LoginThrottle | None = None) -> Report:
    """Raises `ProxmoxError` when the cluster cannot be asked."""
    has_reader = bool(config.read_token_id and config.read_token_secret)
    with proxmox.connect(config, throttle=throttle) as pve:
        version, known, flags = pve.version().version, pve.roles(), pve.permission_flags()
    major = major_of(version)
    name = config.token_id if config.token_id and config.token_secret else config.user
    holders = [_holder(Who.MAIN, name, flags, features(major, has_reader=has_reader))]
    if has_reader:
        with proxmox.read(config, throttle=throttle) as pve:
            flags = pve.permission_flags()
        wanted = features(major, Who.READER, has_reader=True)
        holders.append(_holder(Who.READER, config.read_token_id, flags, wanted))
    return _report(version, holders, known)


def major_of(version: str) -> int:
    """The major version; a newer one than known, or an unreadable one, is taken for the newest known."""
    found = re.match(r"\d{1,3}", version)
    return min(int(found[0]), NEWEST) if found else NEWEST


def _holder(who: Who, name: str, flags: Flags, wanted: tuple[Feature, ...]) -> Holder:
    user, _, token = name.partition("!")
    safe = {path: held for path, held in flags.items() if _PATH.fullmatch(path)}
    return Holder(who, user, name if token else "", safe, wanted)


def _report(version: str, holders: list[Holder], known: dict[str, frozenset[str]]) -> Report:
    results = [(holder, [_feature_result(holder, feature) for feature in holder.wanted]) for holder in holders]
    # All credentials, also those that lack nothing: what one holds tells about the user of another.
    lacking = [(holder, tuple(need for result in judged for need in result.missing)) for holder, judged in results]
    found = repair_commands(lacking, known)
    return Report(
        version=version,
        major=major_of(version),
        results=tuple(result for _, judged in results for result in judged),
        lines=found,
        cautions=(str(excess.MONITOR),) if any("VM.Monitor" in line for line in found) else (),
        warnings=tuple(
            text for one in holders for text in excess.warnings(one.who, one.token or one.user, one.flags, one.wanted)
        ),
        removals=tuple(f"pveum role delete {role}" for role in UNUSED_ROLES if role in known),
    )


def _feature_result(holder: Holder, feature: Feature) -> FeatureResult:
    reach = {
        base: reach_of(holder.flags, base, [need.privilege for need in feature.needs if need.base == base])
        for base in dict.fromkeys(need.base for need in feature.needs)
    }
    missing = tuple(need for need in feature.needs if need.privilege in reach[need.base].missing)
    limited = any(found.paths or found.not_on for found in reach.values())
    return FeatureResult(feature.name, holder.who, _text(missing, reach), limited and not missing, missing)


def _text(missing: tuple[Need, ...], reach: Mapping[str, Reach]) -> str:
    if missing:
        bases = dict.fromkeys(need.base for need in missing)
        told = (
            _("%(paths)s on %(base)s")
            % {"paths": _listed(n.privilege for n in missing if n.base == base), "base": base}
            for base in bases
        )
        return _("Missing %(rights)s.") % {"rights": "; ".join(told)}
    only = [path for found in reach.values() for path in found.paths]
    except_on = [path for found in reach.values() for path in found.not_on]
    if only:
        return _("Works only on %(paths)s.") % {"paths": _listed(only)}
    if except_on:
        return _("Works everywhere except on %(paths)s, where a separate permission replaces the inherited ones.") % {
            "paths": _listed(except_on)
        }
    return _("Works everywhere.")


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    rest = len(shown) - MOST_NAMED
    return ", ".join(shown[:MOST_NAMED]) + (_(" and %(rest)s more") % {"rest": rest} if rest > 0 else "")
