"""Bring a clusters.json into the database: first a plan that can be shown, then exactly that plan.

Existing and deleted clusters are left alone unless one asks otherwise. All or nothing, unless one asks otherwise.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.config import (
    MAX_CLUSTERS,
    ClusterConfig,
    ClusterFile,
    Problem,
    address_lines,
    inspect,
    read_bytes,
    settle_default,
)
from clusters.models import SECRETS, TARGET, Adoption, Cluster, DeletedCluster

PLAIN = (
    "name", "host", "port", "addresses", "user", "token_id", "read_token_id", "verify_ssl", "ca_certificate",
    "fingerprint", "is_active", "is_restricted",
)  # fmt: skip
# The secret that goes with a token's ID: a file that names one without the other says nothing of the token.
TOKENS = {"token_id": "token_secret", "read_token_id": "read_token_secret"}

# A change of one of these sends the credential somewhere else, or on somebody else's word.
MOVES = {*TARGET} - {*TOKENS}


class Verdict(StrEnum):
    """In English; a page says `label`."""

    NEW = gettext_noop("new")
    SAME = gettext_noop("same")
    DIFFERS = gettext_noop("differs")
    DELETED = gettext_noop("deleted")
    INVALID = gettext_noop("invalid")

    @property
    def label(self) -> str:
        return _(self.value)


@dataclass(frozen=True)
class Change:
    """One field, before and after. What is secret or long is described, never shown."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


@dataclass(frozen=True)
class Row:
    """What an entry means for the database, and whether the plan writes it."""

    cluster_id: str
    verdict: Verdict
    writes: bool = False
    changes: tuple[Change, ...] = ()
    note: str = ""
    config: ClusterConfig | None = None


@dataclass(frozen=True)
class Options:
    """What an import may do besides creating clusters that are new."""

    partial: bool = False
    restore: bool = False
    update: bool = False
    update_secrets: bool = False


@dataclass(frozen=True)
class Plan:
    source: str
    rows: tuple[Row, ...]
    notices: tuple[str, ...]
    options: Options
    problems: tuple[Problem, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether something is wrong and only everything or nothing is wanted."""
        return bool(self.problems) and not self.options.partial

    def ids(self, verdict: Verdict, *, written: bool | None = None) -> list[str]:
        rows = [row for row in self.rows if row.verdict is verdict and written in {None, row.writes}]
        return [row.cluster_id for row in rows]

    @property
    def digest(self) -> str:
        """Tells one plan from another, so that what was shown is what is applied."""
        shown = [(row.cluster_id, row.verdict, row.writes, row.changes, row.note) for row in self.rows]
        return hashlib.sha256(repr((shown, self.notices, self.problems, self.options)).encode()).hexdigest()


class PlanChanged(Exception):
    """The clusters changed between the preview and the import."""

    def __init__(self) -> None:
        super().__init__(_("The clusters were changed after this preview. Look at the new preview and import again."))


def find_file() -> Path:
    """The configured file, else where the predecessor kept its own. The configured one if none exists.

    An import reads it, and the portal whose database is away: both the same one, from whatever folder they run in.
    """
    places = (settings.CLUSTER_CONFIG_FILE, "clusters.json", "app/clusters.json")
    candidates = [Path(settings.BASE_DIR, place) for place in places]
    return next((path for path in candidates if path.exists()), candidates[0])


def import_file(path: Path, options: Options = Options()) -> Plan:
    """Plan and apply in one go. Raises `FileNotFoundError` or `ClusterFileError`; a refused plan changes nothing."""
    return import_content(read_bytes(path), source=str(path), options=options)


def import_content(content: bytes, *, source: str, options: Options, expected: str = "") -> Plan:
    """The same for bytes. With `expected`, the digest of the plan that was shown, anything else is `PlanChanged`."""
    try:
        return _plan_and_apply(inspect(content, source=source), options, expected)
    except IntegrityError:  # somebody added one of them at the same moment; now it is there
        return _plan_and_apply(inspect(content, source=source), options, expected)


def plan(file: ClusterFile, options: Options) -> Plan:
    """What an import would do. Reads the database, writes nothing."""
    stored = {cluster.cluster_id: cluster for cluster in Cluster.objects.all()}
    obstacles = _obstacles(file.configs, stored)
    hindered = {problem.entry for problem in obstacles}
    configs, notices = settle_default(config for config in file.configs if config.cluster_id not in hindered)
    buried = {grave.cluster_id: grave for grave in DeletedCluster.objects.all()}
    rows = [_row(config, stored.get(config.cluster_id), buried.get(config.cluster_id), options) for config in configs]
    rows, surplus = _without_surplus(rows, len(stored))
    rows, decided = _yield_default(rows, next((c for c in stored.values() if c.is_default), None))
    if file.ignored_keys:
        notices.append(
            _("These keys mean nothing here and are passed over: %(keys)s.") % {"keys": ", ".join(file.ignored_keys)}
        )
    refused = [Problem(row.cluster_id, "", row.note) for row in rows if row.verdict is Verdict.DIFFERS and row.note]
    refused = refused if options.update else []
    wrong = (*file.problems, *obstacles, *surplus)
    invalid = [Row(problem.entry, Verdict.INVALID, note=f"{problem.key} {problem.expected}") for problem in wrong]
    return Plan(
        source=file.source,
        rows=(*rows, *invalid),
        notices=(*notices, *decided),
        options=options,
        problems=(*wrong, *refused),
    )


def _obstacles(configs: Iterable[ClusterConfig], stored: Iterable[str]) -> list[Problem]:
    """What is wrong with an entry only here: beside these clusters, and with this key."""
    spelt, found = {cluster_id.casefold(): cluster_id for cluster_id in stored}, []
    for config in configs:
        other = spelt.get(config.cluster_id.casefold(), config.cluster_id)
        if other != config.cluster_id and config.cluster_id not in stored:
            found.append(
                Problem(config.cluster_id, "id", _("is in the portal already, spelt %(other)s") % {"other": other})
            )
        secrets = {name: getattr(config, name) for name in SECRETS}
        found += [
            Problem(config.cluster_id, name, _("was not sealed with a key of FIELD_ENCRYPTION_KEY"))
            for name, secret in secrets.items()
            if secret and not secret.is_readable
        ]
    return found


def _without_surplus(rows: list[Row], stored: int) -> tuple[list[Row], list[Problem]]:
    """Those for which there is room, and what is said of the others."""
    room = max(0, MAX_CLUSTERS - stored)
    surplus = {row.cluster_id for row in [row for row in rows if row.verdict is Verdict.NEW][room:]}
    told = _("finds no room: the portal holds at most %(most)s clusters") % {"most": MAX_CLUSTERS}
    return [row for row in rows if row.cluster_id not in surplus], [Problem(one, "id", told) for one in sorted(surplus)]


def _plan_and_apply(file: ClusterFile, options: Options, expected: str) -> Plan:
    with transaction.atomic():
        if file.configs:
            Adoption.objects.wait()  # two at once would both find an entry to be new
        list(Cluster.objects.locked())
        made = plan(file, options)
        if expected and made.digest != expected:
            raise PlanChanged
        if made.is_refused or not any(row.writes for row in made.rows):
            transaction.set_rollback(True)
            return made
        for row in made.rows:
            _write(row, with_secrets=options.update_secrets)
    return made


def _row(config: ClusterConfig, stored: Cluster | None, grave: DeletedCluster | None, options: Options) -> Row:
    if stored is None and grave and not options.restore:
        note = _("deleted %(day)s") % {"day": f"{grave.deleted_at:%Y-%m-%d}"} + (
            _(" by %(who)s") % {"who": grave.deleted_by} if grave.deleted_by else ""
        )
        return Row(
            config.cluster_id,
            Verdict.DELETED,
            note=_("%(note)s; --restore brings it back") % {"note": note},
            config=config,
        )
    if stored is None:
        return Row(config.cluster_id, Verdict.NEW, writes=True, config=config)
    changes = _plain_changes(config, stored)
    changes += _secret_changes(config, stored, moved=any(change.field in MOVES for change in changes))
    if not changes:
        return Row(config.cluster_id, Verdict.SAME, config=config)
    needs_secrets = any(change.field in {*TARGET, *SECRETS} for change in changes)
    refused = options.update and needs_secrets and not options.update_secrets
    return Row(
        config.cluster_id,
        Verdict.DIFFERS,
        writes=options.update and not refused,
        changes=tuple(changes),
        note=_("addresses, user, trust or credential differ: --update-secrets takes them over together")
        if refused
        else "",
        config=config,
    )


def _plain_changes(config: ClusterConfig, stored: Cluster) -> list[Change]:
    """What the file says otherwise. What it does not mention stays: old files know nothing of certificates."""
    named = [name for name in PLAIN if name in config.given]
    names = [name for name in named if name not in TOKENS or getattr(config, TOKENS[name])]
    if "host" in names and config.host != stored.host and "addresses" not in names:
        names.append("addresses")  # those of the old place
    pairs = [(name, getattr(stored, name), _stored_as(config, name)) for name in names]
    return [Change(name, _shown(name, old), _shown(name, new)) for name, old, new in pairs if old != new]


def _stored_as(config: ClusterConfig, name: str) -> Any:
    return "\n".join(config.addresses) if name == "addresses" else getattr(config, name)


def _secret_changes(config: ClusterConfig, stored: Cluster, *, moved: bool) -> list[Change]:
    """A secret that the file lacks stays, unless the cluster moves: it is not sent to a place that it was not for."""
    found = []
    for token_id, secret in TOKENS.items():
        if moved and getattr(stored, token_id) and not getattr(config, secret):
            found.append(Change(token_id, getattr(stored, token_id), _("none")))
    for name in SECRETS:
        new, old = getattr(config, name), getattr(stored, name)
        if new and not new.matches(old):
            found.append(Change(name, "***" if old else _("none"), _("another one")))
        if moved and old and not new:
            found.append(Change(name, "***", _("removed, because the file moves the cluster and does not bring it")))
    return found


def _shown(name: str, value: object) -> str:
    if name == "ca_certificate":
        return _("a certificate") if value else _("none")
    text = ", ".join(address_lines(str(value))) if name == "addresses" else str(value)
    return (text if text.isprintable() else repr(text)) if text else _("none")


def _yield_default(rows: list[Row], present: Cluster | None) -> tuple[list[Row], list[str]]:
    """The default of the database wins over the one of the file; an import never moves it."""
    if present and any(row.cluster_id == present.cluster_id and _switches_off(row) for row in rows):
        notice = _("%(cluster_id)s is the default and is switched off: there is no default then.") % {
            "cluster_id": present.cluster_id
        }
        return [_without_default(row) for row in rows], [notice]
    wanted = next((row for row in rows if row.config and row.config.is_default), None)
    if not wanted or (present and present.cluster_id == wanted.cluster_id):
        return rows, []
    if wanted.verdict is Verdict.NEW and not present:
        return rows, []
    who = (
        _("%(cluster_id)s stays the default") % {"cluster_id": present.cluster_id}
        if present
        else _("There is no default cluster")
    )
    notice = _("%(who)s; the file's (%(cluster_id)s) does not replace it.") % {
        "who": who,
        "cluster_id": wanted.cluster_id,
    }
    return [_without_default(row) for row in rows], [notice]


def _switches_off(row: Row) -> bool:
    return row.writes and row.config is not None and not row.config.is_active


def _without_default(row: Row) -> Row:
    return replace(row, config=replace(row.config, is_default=False) if row.config else None)


def _write(row: Row, *, with_secrets: bool) -> None:
    if not row.writes or row.config is None:
        return
    values = {name: _stored_as(row.config, name) for name in (*PLAIN, *SECRETS)}
    if row.verdict is Verdict.NEW:
        Cluster.objects.create(cluster_id=row.cluster_id, is_default=row.config.is_default, **values)
        return
    cluster = Cluster.objects.get(cluster_id=row.cluster_id)
    fields = {change.field for change in row.changes} - (set() if with_secrets else set(SECRETS))
    for name in fields:
        setattr(cluster, name, values[name])
    if not cluster.is_active and cluster.is_default:
        cluster.is_default = False
        fields.add("is_default")
    cluster.save(update_fields=[*fields, "updated_at"])


def table(rows: Iterable[Row]) -> list[str]:
    """A plan as lines of text."""
    lines = []
    for row in rows:
        mark = "" if row.writes or row.verdict is not Verdict.DIFFERS else " (left alone)"
        lines.append(f"  {row.verdict:8} {row.cluster_id}{mark}" + (f"  {row.note}" if row.note else ""))
        lines += [f"           {change}" for change in row.changes]
    return lines
