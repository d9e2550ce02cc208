"""The progress of a batch, computed from the states of its operations."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from vms.models import Batch, BatchItem, ClusterSync, Operation
from vms.pages import outcomes

State = Operation.State

DONE, FAILED, RUNNING, WAITING, REFUSED, CANCELLED = "done", "failed", "running", "waiting", "refused", "cancelled"
UNFINISHED = {RUNNING, WAITING}

TONES = {
    DONE: "running",
    FAILED: "failed",
    RUNNING: "busy",
    WAITING: "waiting",
    REFUSED: "failed",
    CANCELLED: "stopped",
}


@dataclass(frozen=True)
class ItemRow:
    """One machine. `machine` is None when it has no page any more."""

    name: str
    machine: int | None
    state: str
    tone: str
    words: str
    problem: str


@dataclass(frozen=True)
class Progress:
    rows: tuple[ItemRow, ...]
    limit: str

    def count(self, *states: str) -> int:
        return sum(row.state in states for row in self.rows)

    @property
    def total(self) -> int:
        return len(self.rows)

    @property
    def finished(self) -> int:
        return self.total - self.count(*UNFINISHED)

    @property
    def is_finished(self) -> bool:
        return self.finished == self.total

    @property
    def waiting(self) -> int:
        return self.count(WAITING)

    @property
    def to_retry(self) -> int:
        return self.count(FAILED, REFUSED)

    @property
    def cancelled(self) -> int:
        return self.count(CANCELLED)

    @property
    def summary(self) -> str:
        """`17 of 30 done, 1 failed, 4 running, 8 waiting`."""
        n = Counter(row.state for row in self.rows)
        parts = [
            (n[FAILED], _("%(n)d failed")),
            (n[RUNNING], _("%(n)d in progress")),
            (n[WAITING], _("%(n)d waiting")),
            (n[REFUSED], _("%(n)d not possible")),
            (n[CANCELLED], _("%(n)d cancelled")),
        ]
        told = [_("%(done)d of %(total)d done") % {"done": n[DONE], "total": self.total}]
        return ", ".join(told + [words % {"n": count} for count, words in parts if count])

    @property
    def fingerprint(self) -> str:
        """Changes when the page would show something else."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def for_batch(batch: Batch, *, for_staff: bool) -> Progress:
    """In two queries, for any number of machines."""
    items = batch.items.select_related("operation", "machine").order_by("position")
    rows = tuple(_row(item, for_staff=for_staff) for item in items)
    clusters = {item.operation.cluster_id for item in items if item.operation}
    return Progress(rows, _limit(clusters))


def state_of(item: BatchItem) -> str:
    operation = item.operation
    if operation is None:
        return REFUSED if item.refusal else CANCELLED
    if operation.state == State.REQUESTED and not operation.admitted_at:
        return WAITING
    if operation.is_open:
        return RUNNING
    return {str(State.DONE): DONE, str(State.CANCELLED): CANCELLED}.get(operation.state, FAILED)


def _row(item: BatchItem, *, for_staff: bool) -> ItemRow:
    state = state_of(item)
    words = {
        DONE: _("Done"),
        FAILED: _("Failed"),
        RUNNING: _("In progress"),
        WAITING: _("Waiting"),
        REFUSED: _("Not possible"),
        CANCELLED: _("Cancelled"),
    }
    if item.operation and item.operation.state == State.UNKNOWN:
        words[FAILED] = _("Outcome unknown")
    return ItemRow(
        name=item.machine_name,
        machine=item.machine_id if item.machine and not item.machine.gone_at else None,
        state=state,
        tone=TONES[state],
        words=words[state],
        problem=item.rendered_refusal or _problem(item.operation, for_staff=for_staff),
    )


def _problem(operation: Operation | None, *, for_staff: bool) -> str:
    """Only staff see what the cluster says about a failure."""
    if operation is None:
        return _("The result is no longer stored.")
    if operation.state == State.FAILED and not for_staff:
        return outcomes.advice(operation)
    return operation.rendered_outcome if not operation.is_open else ""


def _limit(clusters: set[str]) -> str:
    """The number of operations that run at once on a node; a span where clusters differ."""
    set_for = dict(ClusterSync.objects.filter(cluster__cluster_id__in=clusters).values_list("cluster", "node_limit"))
    limits = sorted({set_for.get(cluster) or settings.OPERATIONS_PER_NODE for cluster in clusters})
    if not limits:
        return ""
    if len(limits) == 1:
        return str(limits[0])
    return _("%(least)d to %(most)d") % {"least": limits[0], "most": limits[-1]}
