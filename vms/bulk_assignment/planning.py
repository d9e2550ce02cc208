"""Plans bulk assignments: the outcome of each line. Reads the database, writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanRow
from vms import preparation
from vms.bulk_assignment.lookup import CurrentAssignment, Machine, Machines, People, Scope, current_assignments, shared
from vms.bulk_assignment.reasons import AssignmentReason
from vms.bulk_assignment.sources import Share, Source, Wish
from vms.models import Assignment, Preparation, people_without_grant

MISSING = Note(gettext_noop("missing on the cluster at the moment"))
IN_PREPARATION = Note(gettext_noop("it is being prepared for the next person"))
KEPT = Note(gettext_noop("it was kept for this person"))


@dataclass(frozen=True)
class AssignmentRow(PlanRow):
    """`ends` is the assignment that is ended for it, and whose machine is prepared first; `back` one that is kept for
    this very person, who has it again.
    """

    person: str = ""
    machine: str = ""
    user: int = 0
    vm: int = 0
    ends: int = 0
    back: int = 0


@dataclass(frozen=True, kw_only=True)
class AssignmentPlan(Plan[AssignmentRow]):
    """`way` is how machines are prepared that are taken from somebody; empty: as their class is set."""

    source: Source
    end_first: bool
    way: str = ""

    columns: ClassVar = (
        ("line", gettext_lazy("Line")),
        ("person", gettext_lazy("Person")),
        ("machine", gettext_lazy("Machine")),
    )

    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d machine will be assigned", "%(n)d machines will be assigned", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d machine will be reassigned", "%(n)d machines will be reassigned", "n"),
    }
    did: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d machine assigned.", "%(n)d machines assigned.", "n"),
        Outcome.CHANGED: ngettext_lazy(
            "%(n)d machine is prepared first and then assigned.",
            "%(n)d machines are prepared first and then assigned.",
            "n",
        ),
    }
    nothing: ClassVar = gettext_lazy("No machine will be assigned")
    button: ClassVar = ngettext_lazy("Assign %(n)d machine", "Assign %(n)d machines", "n")


def plan(source: Source, *, end_first: bool = False, scope: Scope | None = None, way: str = "") -> AssignmentPlan:
    """Raises `Unreadable` for a table that cannot be read. `end_first` ends who holds a machine now.

    With a scope nothing outside of it is found. A pool or tag is not shared out with one.
    """
    wishes, notices = source.wishes()
    people = People((wish.person for wish in wishes), scope)
    if isinstance(source, Share):
        if scope:
            raise ValueError("a pool is shared out by administrators alone")
        rows = list(_shared_out(source, wishes, people, end_first=end_first))
    else:
        machines = Machines(wishes, scope)
        rows = [_row(wish, people, machines) for wish in wishes]
    if scope:
        rows = [_outside(row) if row.reason is AssignmentReason.NO_PERSON else row for row in rows]
    rows = _without_conflicts(rows, one_each=source.way != "table")
    rows = list(_with_grants(rows))
    rows = list(_against_current(rows, end_first=end_first))
    rows = list(_with_preparations(rows, way))
    return AssignmentPlan(rows=tuple(rows), notices=notices, source=source, end_first=end_first, way=way)


def _row(wish: Wish, people: People, machines: Machines) -> AssignmentRow:
    row = AssignmentRow(wish.line, AssignmentReason.INVALID, (), wish.person)
    if wish.problem:
        return replace(row, notes=(Note(wish.problem),))
    row = _person(wish, people)
    reason, notes, machine = _machine(wish, machines)
    if machine:
        row = replace(row, machine=str(machine), vm=machine.pk)
    return _because(row, reason, *notes) if row.reason is AssignmentReason.ASSIGN else row


def _because(row: AssignmentRow, reason: AssignmentReason, *notes: Note) -> AssignmentRow:
    """The row with another reason, and with more notes."""
    return replace(row, reason=reason, notes=(*row.notes, *notes))


def _outside(row: AssignmentRow) -> AssignmentRow:
    """Gives one reason with and without an account: people within a class must not learn who else has one."""
    return replace(row, reason=AssignmentReason.NOT_IN_CLASS)


def _person(wish: Wish, people: People) -> AssignmentRow:
    person = people.find(wish.person)
    row = AssignmentRow(wish.line, AssignmentReason.ASSIGN, (), wish.person, wish.machine)
    if person is None:
        return _because(row, AssignmentReason.NO_PERSON)
    row = replace(row, person=person.username, user=person.pk)
    return row if person.is_active else _because(row, AssignmentReason.DISABLED)


def _machine(wish: Wish, machines: Machines) -> tuple[AssignmentReason, tuple[Note, ...], Machine | None]:
    if wish.cluster and machines.cluster(wish.cluster) is None:
        return AssignmentReason.NO_MACHINE, (_unknown_cluster(wish, machines),), None
    named = machines.named(wish)
    there = [machine for machine in named if not machine.is_gone]
    usable = [machine for machine in there if not machine.template]
    if len(usable) > 1:
        found = ", ".join(f"{m.cluster_id}/{m.vmid}" for m in usable[:5])
        return AssignmentReason.AMBIGUOUS, (Note.of("%(machines)s", machines=found),), None
    if usable:
        return AssignmentReason.ASSIGN, (MISSING,) * usable[0].is_missing, usable[0]
    if there:
        return AssignmentReason.TEMPLATE, (), there[0]
    return (AssignmentReason.GONE, (), named[-1]) if named else (AssignmentReason.NO_MACHINE, (), None)


def _unknown_cluster(wish: Wish, machines: Machines) -> Note:
    ids = machines.clusters_called(wish.cluster)
    if not ids:
        return Note.of(gettext_noop("there is no cluster %(cluster)s"), cluster=wish.cluster)
    text = gettext_noop("several clusters are called %(cluster)s; write the ID: %(ids)s")
    return Note.of(text, cluster=wish.cluster, ids=", ".join(ids))


def _shared_out(share: Share, wishes: Iterable[Wish], people: People, *, end_first: bool) -> Iterator[AssignmentRow]:
    machines = shared(share)
    assigned = current_assignments(machine.pk for machine in machines)
    names = {machine.pk: machine for machine in machines}
    already = {} if end_first else {current.user: names[vm] for vm, current in assigned.items() if current.is_live}
    free = iter(machine for machine in machines if _is_free(assigned.get(machine.pk), end_first=end_first))
    lines: dict[int, int] = {}
    for wish in wishes:
        row = _person(wish, people)
        if row.reason is not AssignmentReason.ASSIGN:
            yield row
        elif (first := lines.setdefault(row.user, row.line)) != row.line:
            yield _duplicate(row, first)
        elif machine := already.get(row.user):
            yield _because(replace(row, machine=str(machine), vm=machine.pk), AssignmentReason.HOLDS)
        elif machine := next(free, None):
            yield replace(row, machine=str(machine), vm=machine.pk)
        else:
            yield _because(row, AssignmentReason.NONE_LEFT)


def _is_free(current: CurrentAssignment | None, *, end_first: bool) -> bool:
    return current is None or (end_first and not current.is_being_prepared)


def _duplicate(row: AssignmentRow, first: int) -> AssignmentRow:
    return _because(row, AssignmentReason.DUPLICATE, Note.of(gettext_noop("of line %(line)s"), line=first))


def _with_grants(rows: list[AssignmentRow]) -> Iterator[AssignmentRow]:
    given = [(row.vm, row.user) for row in rows if row.reason is AssignmentReason.ASSIGN]
    refused = people_without_grant(given) if given else set()
    for row in rows:
        is_refused = row.reason is AssignmentReason.ASSIGN and (row.vm, row.user) in refused
        yield _because(row, AssignmentReason.NO_GRANT) if is_refused else row


def _without_conflicts(rows: list[AssignmentRow], *, one_each: bool) -> list[AssignmentRow]:
    """Lines that give one machine to several people are all refused: nobody can tell which one is right."""
    wanted: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if row.reason is AssignmentReason.ASSIGN:
            wanted[row.vm].setdefault(row.user, row.line)
    lines: dict[int, int] = {}
    return [_checked(row, wanted[row.vm] if row.vm else {}, lines, one_each=one_each) for row in rows]


def _checked(row: AssignmentRow, wanted: dict[int, int], lines: dict[int, int], *, one_each: bool) -> AssignmentRow:
    """`wanted` are the first lines that ask for this machine, by person; `lines` the first of each person so far."""
    if row.reason not in {AssignmentReason.ASSIGN, AssignmentReason.HOLDS}:
        return row
    others = [line for user, line in wanted.items() if user != row.user]
    if others:
        note = Note.of(gettext_noop("line %(line)s assigns it to somebody else"), line=others[0])
        return _because(row, AssignmentReason.CONFLICT, note)
    first = lines.setdefault(row.user, row.line) if one_each else wanted.get(row.user, row.line)
    return row if first == row.line else _duplicate(row, first)


def _against_current(rows: list[AssignmentRow], *, end_first: bool) -> Iterator[AssignmentRow]:
    assigned = current_assignments(row.vm for row in rows if row.vm)
    for row in rows:
        current = assigned.get(row.vm)
        yield _against(row, current, end_first=end_first) if current and row.reason is AssignmentReason.ASSIGN else row


def _against(row: AssignmentRow, current: CurrentAssignment, *, end_first: bool) -> AssignmentRow:
    if current.is_being_prepared:
        return _because(row, AssignmentReason.NOT_READY, IN_PREPARATION)
    if current.user == row.user and current.is_live:
        return _because(row, AssignmentReason.HOLDS)
    if current.user == row.user and not current.was_freed:
        return _because(replace(row, back=current.pk), AssignmentReason.ASSIGN, KEPT)
    kept = Note.of(gettext_noop("it was kept for %(username)s"), username=current.username)
    if end_first:
        ends = Note.of(gettext_noop("ends the assignment to %(username)s"), username=current.username)
        note = ends if current.is_live else kept
        return _because(replace(row, ends=current.pk), AssignmentReason.REASSIGN, note)
    if current.is_live:
        assignee = Note.of("%(username)s", username=current.username)
        return _because(row, AssignmentReason.TAKEN, assignee)
    return _because(row, AssignmentReason.NOT_READY, kept)


def _with_preparations(rows: list[AssignmentRow], way: str) -> Iterator[AssignmentRow]:
    """Adds to lines that take a machine from somebody how it is prepared, and which restore points are deleted."""
    ends = [row.ends for row in rows if row.ends]
    taken = preparation.outlooks_for(Assignment.objects.filter(pk__in=ends)) if ends else []
    outlooks = {one.assignment.pk: one for one in taken}
    for row in rows:
        found = outlooks.get(row.ends)
        yield _because(row, AssignmentReason.REASSIGN, *_prepared(found, way)) if found else row


def _prepared(found: preparation.Outlook, way: str) -> Iterator[Note]:
    fits = found.possible_way(way)
    yield Note.of(gettext_noop("before that: %(way)s"), way=Preparation.Way(fits))
    if going := found.points_to_delete(fits):
        yield Note.of(gettext_noop("deletes these restore points: %(names)s"), names=", ".join(going))
