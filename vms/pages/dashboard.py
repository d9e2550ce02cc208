"""The content of a machine group's page: its machines, a summary, help requests and recent batches."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledRows
from accounts.models import User
from clusters.models import ClusterNotice
from vms.access import lookups
from vms.models import Assignment, Batch, HelpRequest, MachineSet, Operation, VirtualMachine
from vms.pages import cards, latest_operations, row_version

Action = Operation.Action

RECENT_BATCHES = 5


@dataclass(frozen=True)
class Assignee:
    pk: int
    name: str


@dataclass(frozen=True)
class HelpCall:
    """Somebody asks for help at a machine."""

    pk: int
    machine: int
    machine_name: str
    assignee: str
    text: str
    since: datetime
    has_console: bool


@dataclass(frozen=True)
class GroupMachine:
    card: cards.Card
    assignee: Assignee | None
    help: HelpCall | None
    note: str = ""


@dataclass(frozen=True)
class RecentBatch:
    """A batch of lately."""

    url: str
    title: str
    who: str
    at: datetime
    done: int
    total: int
    is_open: bool


@dataclass(frozen=True)
class Dashboard:
    groups: tuple[cards.Group, ...]
    machines: tuple[GroupMachine, ...]
    batches: tuple[RecentBatch, ...]
    # Of its tiles, by what else they look at, without tokens and ages.
    html: dict[Hashable, str] = field(default_factory=dict, compare=False, repr=False)

    def with_notes(self, notes: Mapping[int, str]) -> "Dashboard":
        """The same with a sentence on the tiles of these machines, by primary key."""
        if not notes:
            return self
        noted = tuple(replace(entry, note=notes.get(entry.card.pk, "")) for entry in self.machines)
        return replace(self, machines=noted, html={})

    @property
    def helps(self) -> list[HelpCall]:
        """Help requests; the person who waits longest comes first."""
        return sorted((entry.help for entry in self.machines if entry.help), key=lambda one: one.since)

    @property
    def is_busy(self) -> bool:
        return any(entry.card.busy for entry in self.machines) or any(batch.is_open for batch in self.batches)

    @property
    def to_start(self) -> int:
        return self._offering(Action.START)

    @property
    def to_shut_down(self) -> int:
        return self._offering(Action.SHUTDOWN)

    @property
    def running(self) -> int:
        return sum(entry.card.tone == "running" for entry in self.machines)

    @property
    def summary(self) -> str:
        """`18 running, 11 stopped, 1 busy`."""
        return cards.summary(entry.card for entry in self.machines)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the page would say something else."""
        minute = timezone.now().strftime("%H:%M") if self.helps else ""  # the page tells ages in minutes
        told = f"{self.machines!r}{self.batches!r}{cards.fingerprint(list(self.groups))}{minute}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def _offering(self, action: str) -> int:
        return sum(any(button.action == action for button in entry.card.buttons) for entry in self.machines)


def for_person(group: MachineSet, person: User) -> Dashboard:
    """As this person sees it, in a number of queries that does not depend on the machines'."""
    machines = _rows(group, person)
    operable = lookups.operable_among(person, machines)
    # One card after another as they are listed; what is wrong with a cluster is told by its group.
    groups = cards.groups(machines, operable=operable, for_staff=person.is_staff)
    by_machine = {card.pk: card for group in groups for card in group.cards}
    assignees = _assignees(machines)
    helps = _helps(by_machine) if any(getattr(one, "is_calling", True) for one in machines) else {}
    shown = tuple(GroupMachine(by_machine[one.pk], assignees.get(one.pk), helps.get(one.pk)) for one in machines)
    return Dashboard(tuple(groups), shown, _batches(group))


def kept_for_person(group: MachineSet, person: User) -> Dashboard:
    """`for_person`, or what it returned before where nothing changed."""
    version, fresh = partial(_version, group, person), partial(for_person, group, person)
    return row_version.dashboard(version, fresh, person.pk, group.pk, weight=lambda made: len(made.machines))


def _version(group: MachineSet, person: User) -> str:
    rows = "" if person.is_staff or not person.is_active else row_version.of_rows(_ROWS, person.pk, group.pk)
    batches = _batches(group) if rows else ()
    return "" if any(batch.is_open for batch in batches) else f"{rows}{batches!r}" if rows else ""


def _rows(group: MachineSet, person: User) -> list[VirtualMachine]:
    now = timezone.now()
    if person.is_staff or not person.is_active:
        return list(_machines(group.pk, person, now))
    return _ROWS.rows(person.pk, now, group.pk)


def _machines(group_pk: int, person: User, now: datetime) -> QuerySet[VirtualMachine]:
    """With all that the page shows of them, or whether there is more to look up."""
    live = Assignment.objects.live().filter(vm=OuterRef("pk")).order_by()
    names = {
        f"assignee_{name}": Subquery(live.values(f"user__{name}")[:1])
        for name in ("pk", "first_name", "last_name", "username")
    }
    machines = lookups.machines_in(MachineSet(pk=group_pk), person).only(*cards.COLUMNS)
    return machines.annotate(
        is_active=Exists(latest_operations.recent_operations(now)),
        is_noticed=Exists(ClusterNotice.objects.now(now).filter(cluster__cluster_id=OuterRef("cluster_id"))),
        is_calling=Exists(HelpRequest.objects.open().filter(assignment__vm=OuterRef("pk"))),
        **names,
    )


_ROWS = CompiledRows(lambda person, now, group: _machines(group, User(pk=person), now), key=SENTINEL_NUMBER)


def _assignees(machines: Iterable[Any]) -> dict[int, Assignee]:
    """Of machines with their annotations."""
    return {one.pk: Assignee(one.assignee_pk, _name(one)) for one in machines if one.assignee_pk}


def _name(machine: Any) -> str:
    return f"{machine.assignee_first_name} {machine.assignee_last_name}".strip() or machine.assignee_username


def _helps(by_machine: dict[int, cards.Card]) -> dict[int, HelpCall]:
    asked = HelpRequest.objects.open().filter(assignment__vm__in=by_machine).select_related("assignment__user")
    return {
        one.assignment.vm_id: HelpCall(
            pk=one.pk,
            machine=one.assignment.vm_id,
            machine_name=by_machine[one.assignment.vm_id].name,
            assignee=one.assignment.user.get_full_name() or one.assignment.user.username,
            text=one.text,
            since=one.asked_at,
            has_console=by_machine[one.assignment.vm_id].has_console,
        )
        for one in asked
    }


def _batches(group: MachineSet) -> tuple[RecentBatch, ...]:
    lately = Batch.objects.filter(machine_set=group).order_by("-requested_at")[:RECENT_BATCHES]
    counted = Batch.objects.filter(pk__in=list(lately.values_list("pk", flat=True))).counted()
    return tuple(_recent_batch(one) for one in counted.order_by("-requested_at"))


def _recent_batch(batch: Batch) -> RecentBatch:
    total, done, unfinished = batch.counts
    return RecentBatch(
        url=batch.get_absolute_url(),
        title=batch.title,
        who=batch.requested_by_name,
        at=batch.requested_at,
        done=done,
        total=total,
        is_open=bool(unfinished),
    )
