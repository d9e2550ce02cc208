"""Plans an import of clusters.json: the outcome of each entry. Reads the database, writes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanRow, Reason, reasons
from clusters.config import MAX_CLUSTERS, ClusterConfig, ClusterFile, Problem, settle_default, validate_endpoints
from clusters.importing.changes import Change, changes_of, need_secrets
from clusters.models import SECRETS, Cluster, DeletedCluster


class ClusterReason(Reason):
    NEW = reasons.CREATED
    UPDATED = reasons.CHANGED
    SAME = reasons.SAME
    DIFFERS = (
        "differs", Outcome.SKIPPED, gettext_lazy("differs; will not be changed"),
        ngettext_lazy("%(n)d differs and will not be changed", "%(n)d differ and will not be changed", "n"),
    )  # fmt: skip
    DELETED = (
        "deleted", Outcome.SKIPPED, gettext_lazy("was deleted here; will not be brought back"),
        ngettext_lazy("%(n)d was deleted here", "%(n)d were deleted here", "n"),
    )  # fmt: skip
    NEEDS_SECRETS = (
        "needs-secrets", Outcome.REFUSED, gettext_lazy("addresses, user, trust or credential differ"),
        ngettext_lazy(
            "%(n)d differs in addresses, user, trust or credential",
            "%(n)d differ in addresses, user, trust or credential",
            "n",
        ),
    )  # fmt: skip
    INVALID = reasons.INVALID


# What the command calls an entry, where it is not the reason's code.
STATES: dict[Reason, str] = {ClusterReason.UPDATED: "differs", ClusterReason.NEEDS_SECRETS: "differs"}
LEFT_ALONE = {ClusterReason.DIFFERS, ClusterReason.NEEDS_SECRETS}


@dataclass(frozen=True)
class ClusterRow(PlanRow):
    """The outcome of an entry. Entries have no line; `config` holds credentials and is never told."""

    cluster_id: str = ""
    changes: tuple[Change, ...] = ()
    config: ClusterConfig | None = field(default=None, compare=False, repr=False)

    @property
    def details(self) -> list[str]:
        return [*map(str, self.changes), *super().details]

    @property
    def is_switched_off(self) -> bool:
        return self.outcome.writes and self.config is not None and not self.config.is_active


@dataclass(frozen=True)
class Options:
    """The options of an import, besides creating clusters that are new."""

    partial: bool = False
    restore: bool = False
    update: bool = False
    update_secrets: bool = False


@dataclass(frozen=True, kw_only=True)
class ClusterPlan(Plan[ClusterRow]):
    source: str
    options: Options
    problems: tuple[Problem, ...] = ()

    columns: ClassVar = (("cluster_id", gettext_lazy("Entry")),)

    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d cluster will be created", "%(n)d clusters will be created", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d cluster will be changed", "%(n)d clusters will be changed", "n"),
    }
    did: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d cluster created.", "%(n)d clusters created.", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d cluster changed.", "%(n)d clusters changed.", "n"),
    }
    nothing: ClassVar = gettext_lazy("No cluster will be created or changed")
    button: ClassVar = ngettext_lazy("Import %(n)d cluster", "Import %(n)d clusters", "n")

    @property
    def heading(self) -> str:
        return _("Nothing can be imported: some entries are wrong") if self.is_refused else super().heading

    @property
    def is_refused(self) -> bool:
        """Whether something is wrong and only everything or nothing is wanted."""
        return bool(self.problems) and not self.options.partial


def plan(file: ClusterFile, options: Options) -> ClusterPlan:
    stored = {cluster.cluster_id: cluster for cluster in Cluster.objects.all()}
    obstacles = _obstacles(file.configs, stored)
    hindered = {problem.entry for problem in obstacles}
    configs, notices = settle_default(config for config in file.configs if config.cluster_id not in hindered)
    deleted = {grave.cluster_id: grave for grave in DeletedCluster.objects.all()}
    rows = [_row(config, stored.get(config.cluster_id), deleted.get(config.cluster_id), options) for config in configs]
    rows, surplus = _without_surplus(rows, len(stored))
    rows, decided = _yield_default(rows, next((c for c in stored.values() if c.is_default), None))
    if file.ignored_keys:
        notices.append(_("These keys are unknown and ignored: %(keys)s.") % {"keys": ", ".join(file.ignored_keys)})
    wrong = (*file.problems, *obstacles, *surplus)
    refused = [Problem(row.cluster_id, "", _hint(row)) for row in rows if row.reason is ClusterReason.NEEDS_SECRETS]
    return ClusterPlan(
        rows=(*rows, *map(_invalid, wrong)),
        notices=(*notices, *decided),
        source=file.source,
        options=options,
        problems=(*wrong, *refused),
    )


def _obstacles(configs: Iterable[ClusterConfig], stored: Iterable[str]) -> list[Problem]:
    """The faults of an entry that depend on the other clusters and on this key."""
    spelt, found = {cluster_id.casefold(): cluster_id for cluster_id in stored}, []
    for config in configs:
        other = spelt.get(config.cluster_id.casefold(), config.cluster_id)
        if other != config.cluster_id and config.cluster_id not in stored:
            found.append(
                Problem(config.cluster_id, "id", _("is already in the portal as %(other)s") % {"other": other})
            )
        found += _out_of_reach(config)
        secrets = {name: getattr(config, name) for name in SECRETS}
        found += [
            Problem(config.cluster_id, name, _("was not encrypted with a key of FIELD_ENCRYPTION_KEY"))
            for name, secret in secrets.items()
            if secret and not secret.is_readable
        ]
    return found


def _out_of_reach(config: ClusterConfig) -> list[Problem]:
    """By the networks that this portal may connect to."""
    try:
        validate_endpoints(config.host, config.addresses)
    except ValidationError as error:
        told = error.message_dict.items()
        return [Problem(config.cluster_id, key, message) for key, messages in told for message in messages]
    return []


def _without_surplus(rows: list[ClusterRow], stored: int) -> tuple[list[ClusterRow], list[Problem]]:
    """The rows for which there is room, and refusals of the others."""
    room = max(0, MAX_CLUSTERS - stored)
    surplus = {row.cluster_id for row in [row for row in rows if row.reason is ClusterReason.NEW][room:]}
    told = _("is one too many: the portal can have at most %(most)s clusters") % {"most": MAX_CLUSTERS}
    return [row for row in rows if row.cluster_id not in surplus], [Problem(one, "id", told) for one in sorted(surplus)]


def _invalid(problem: Problem) -> ClusterRow:
    note = Note.of("%(key)s %(problem)s", key=problem.key, problem=problem.expected)
    return ClusterRow(0, ClusterReason.INVALID, (note,), problem.entry)


def _row(config: ClusterConfig, stored: Cluster | None, deleted: DeletedCluster | None, options: Options) -> ClusterRow:
    row = ClusterRow(0, ClusterReason.NEW, (), config.cluster_id, config=config)
    if stored is None and deleted and not options.restore:
        return replace(row, reason=ClusterReason.DELETED, notes=(_deletion(deleted),))
    if stored is None:
        return row
    changes = changes_of(config, stored)
    if not changes:
        return replace(row, reason=ClusterReason.SAME)
    reason = ClusterReason.DIFFERS
    if options.update:
        is_refused = need_secrets(changes) and not options.update_secrets
        reason = ClusterReason.NEEDS_SECRETS if is_refused else ClusterReason.UPDATED
    return replace(row, reason=reason, changes=changes)


def _deletion(deleted: DeletedCluster) -> Note:
    day = f"{deleted.deleted_at:%Y-%m-%d}"
    if deleted.deleted_by:
        return Note.of(gettext_noop("deleted %(day)s by %(who)s"), day=day, who=deleted.deleted_by)
    return Note.of(gettext_noop("deleted %(day)s"), day=day)


def _yield_default(rows: list[ClusterRow], present: Cluster | None) -> tuple[list[ClusterRow], list[str]]:
    """The default of the database wins over the one of the file; an import never moves it."""
    if present and any(row.cluster_id == present.cluster_id and row.is_switched_off for row in rows):
        notice = _("%(cluster_id)s is the default and will be deactivated, so there will be no default.")
        return [_without_default(row) for row in rows], [notice % {"cluster_id": present.cluster_id}]
    wanted = next((row for row in rows if row.config and row.config.is_default), None)
    if not wanted or (present and present.cluster_id == wanted.cluster_id):
        return rows, []
    if wanted.reason is ClusterReason.NEW and not present:
        return rows, []
    who = _("There is no default cluster")
    if present:
        who = _("%(cluster_id)s stays the default") % {"cluster_id": present.cluster_id}
    notice = _("%(who)s; the file's (%(cluster_id)s) does not replace it.")
    return [_without_default(row) for row in rows], [notice % {"who": who, "cluster_id": wanted.cluster_id}]


def _without_default(row: ClusterRow) -> ClusterRow:
    return replace(row, config=replace(row.config, is_default=False) if row.config else None)


def table(rows: Iterable[ClusterRow]) -> list[str]:
    """A plan as lines of text, as the command prints it."""
    lines = []
    for row in rows:
        mark = " (left alone)" if row.reason in LEFT_ALONE else ""
        lines.append(f"  {STATES.get(row.reason, row.reason.value):8} {row.cluster_id}{mark}" + _after(_hint(row)))
        lines += [f"           {change}" for change in row.changes]
    return lines


def _after(hint: str) -> str:
    return f"  {hint}" if hint else ""


def _hint(row: ClusterRow) -> str:
    """The command's text about a row besides its state: the option that would change it."""
    if row.reason is ClusterReason.NEEDS_SECRETS:
        return _("addresses, user, trust or credential differ: --update-secrets applies all of them")
    note = "; ".join(map(str, row.notes))
    return _("%(note)s; --restore restores it") % {"note": note} if row.reason is ClusterReason.DELETED else note
