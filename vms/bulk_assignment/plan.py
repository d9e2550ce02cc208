"""What giving machines away would do, line by line. Reads the database, writes nothing."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from vms import preparation
from vms.bulk_assignment.lookup import Holding, Machine, Machines, People, Scope, holdings, shared
from vms.bulk_assignment.sources import Share, Source, Wish
from vms.models import Assignment, Preparation, people_without_grant


class Verdict(StrEnum):
    """In English; a page says `label`."""

    ASSIGN = gettext_noop("assign")
    HOLDS = gettext_noop("already holds it")
    TAKEN = gettext_noop("held by somebody else")
    NOT_READY = gettext_noop("not ready")
    NO_PERSON = gettext_noop("unknown person")
    DISABLED = gettext_noop("account is disabled")
    NO_MACHINE = gettext_noop("unknown machine")
    AMBIGUOUS = gettext_noop("ambiguous name")
    TEMPLATE = gettext_noop("template")
    GONE = gettext_noop("gone")
    NO_GRANT = gettext_noop("not granted the cluster")
    NONE_LEFT = gettext_noop("no machine left")
    CONFLICT = gettext_noop("lines disagree")
    REPEATED = gettext_noop("repeated")
    WRONG = gettext_noop("not understood")

    @property
    def label(self) -> str:
        return _(self.value)


@dataclass(frozen=True)
class Row:
    """A line, and what becomes of it. `ends` is the assignment that is ended for it, and whose machine is prepared
    first; `back` one that is kept for this very person, who has it again.
    """

    line: int
    person: str
    machine: str
    verdict: Verdict
    note: str = ""
    user: int = 0
    vm: int = 0
    ends: int = 0
    back: int = 0


@dataclass(frozen=True)
class Plan:
    """`way` is how machines are prepared that are taken from somebody; empty: as their class is set."""

    source: Source
    end_first: bool
    rows: tuple[Row, ...]
    way: str = ""

    @property
    def given(self) -> list[Row]:
        """What is written."""
        return [row for row in self.rows if row.verdict is Verdict.ASSIGN]

    @property
    def counts(self) -> list[tuple[str, int]]:
        counted = Counter(row.verdict for row in self.rows)
        return [(verdict.value, counted[verdict]) for verdict in Verdict if counted[verdict]]

    @property
    def digest(self) -> str:
        """Tells one plan from another, so that what was shown is what is applied."""
        return hashlib.sha256(repr((self.source, self.end_first, self.rows, self.way)).encode()).hexdigest()


def plan(source: Source, *, end_first: bool = False, scope: Scope | None = None, way: str = "") -> Plan:
    """Raises `Unreadable` for a table that cannot be read. `end_first` ends who holds a machine now.

    With a scope nothing outside of it is found. A pool or tag is not shared out with one.
    """
    wishes = source.wishes()
    people = People((wish.person for wish in wishes), scope)
    if isinstance(source, Share):
        if scope:
            raise ValueError("a pool is shared out by administrators alone")
        rows = list(_shared_out(source, wishes, people, end_first=end_first))
    else:
        machines = Machines(wishes, scope)
        rows = [_row(wish, people, machines) for wish in wishes]
    rows = _without_conflicts(rows, one_each=source.way != "table")
    rows = list(_with_grants(rows))
    rows = list(_against_holders(rows, end_first=end_first))
    return Plan(source, end_first, tuple(_with_preparations(rows, way)), way)


def _row(wish: Wish, people: People, machines: Machines) -> Row:
    if wish.problem:
        return Row(wish.line, wish.person, "", Verdict.WRONG, wish.problem)
    row = _person(wish, people)
    verdict, note, machine = _machine(wish, machines)
    if machine:
        row = replace(row, machine=str(machine), vm=machine.pk)
    if row.verdict is not Verdict.ASSIGN:
        return row
    return replace(row, verdict=verdict, note=note)


def _person(wish: Wish, people: People) -> Row:
    person = people.find(wish.person)
    row = Row(wish.line, wish.person, wish.machine, Verdict.ASSIGN)
    if person is None:
        return replace(row, verdict=Verdict.NO_PERSON)
    row = replace(row, person=person.username, user=person.pk)
    return row if person.is_active else replace(row, verdict=Verdict.DISABLED)


def _machine(wish: Wish, machines: Machines) -> tuple[Verdict, str, Machine | None]:
    if wish.cluster and machines.cluster(wish.cluster) is None:
        return Verdict.NO_MACHINE, _("there is no cluster %(cluster)s") % {"cluster": wish.cluster}, None
    named = machines.named(wish)
    there = [machine for machine in named if not machine.is_gone]
    usable = [machine for machine in there if not machine.template]
    if len(usable) > 1:
        return Verdict.AMBIGUOUS, ", ".join(f"{m.cluster_id}/{m.vmid}" for m in usable[:5]), None
    if usable:
        note = _("missing on the cluster at the moment") if usable[0].is_missing else ""
        return Verdict.ASSIGN, note, usable[0]
    if there:
        return Verdict.TEMPLATE, "", there[0]
    return (Verdict.GONE, "", named[-1]) if named else (Verdict.NO_MACHINE, "", None)


def _shared_out(share: Share, wishes: Iterable[Wish], people: People, *, end_first: bool) -> Iterator[Row]:
    machines = shared(share)
    held = holdings(machine.pk for machine in machines)
    names = {machine.pk: machine for machine in machines}
    already = {} if end_first else {holding.user: names[vm] for vm, holding in held.items() if holding.is_live}
    free = iter(machine for machine in machines if _is_free(held.get(machine.pk), end_first=end_first))
    lines: dict[int, int] = {}
    for wish in wishes:
        row = _person(wish, people)
        if row.verdict is not Verdict.ASSIGN:
            yield row
        elif (first := lines.setdefault(row.user, row.line)) != row.line:
            yield replace(row, verdict=Verdict.REPEATED, note=_("line %(line)s says it already") % {"line": first})
        elif machine := already.get(row.user):
            yield replace(row, verdict=Verdict.HOLDS, machine=str(machine), vm=machine.pk)
        elif machine := next(free, None):
            yield replace(row, machine=str(machine), vm=machine.pk)
        else:
            yield replace(row, verdict=Verdict.NONE_LEFT)


def _is_free(holding: Holding | None, *, end_first: bool) -> bool:
    return holding is None or (end_first and not holding.is_being_prepared)


def _with_grants(rows: list[Row]) -> Iterator[Row]:
    given = [(row.vm, row.user) for row in rows if row.verdict is Verdict.ASSIGN]
    refused = people_without_grant(given) if given else set()
    for row in rows:
        is_refused = row.verdict is Verdict.ASSIGN and (row.vm, row.user) in refused
        yield replace(row, verdict=Verdict.NO_GRANT) if is_refused else row


def _without_conflicts(rows: list[Row], *, one_each: bool) -> list[Row]:
    """Lines that give one machine to several people are all refused: nobody can tell which one is right."""
    wanted: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if row.verdict is Verdict.ASSIGN:
            wanted[row.vm].setdefault(row.user, row.line)
    lines: dict[int, int] = {}
    return [_checked(row, wanted[row.vm] if row.vm else {}, lines, one_each=one_each) for row in rows]


def _checked(row: Row, wanted: dict[int, int], lines: dict[int, int], *, one_each: bool) -> Row:
    """`wanted` are the first lines that ask for this machine, by person; `lines` the first of each person so far."""
    if row.verdict not in {Verdict.ASSIGN, Verdict.HOLDS}:
        return row
    others = [line for user, line in wanted.items() if user != row.user]
    if others:
        return replace(
            row, verdict=Verdict.CONFLICT, note=_("line %(line)s gives it to somebody else") % {"line": others[0]}
        )
    first = lines.setdefault(row.user, row.line) if one_each else wanted.get(row.user, row.line)
    return (
        row
        if first == row.line
        else replace(row, verdict=Verdict.REPEATED, note=_("line %(line)s says it already") % {"line": first})
    )


def _against_holders(rows: list[Row], *, end_first: bool) -> Iterator[Row]:
    held = holdings(row.vm for row in rows if row.vm)
    for row in rows:
        holding = held.get(row.vm)
        yield _against(row, holding, end_first=end_first) if holding and row.verdict is Verdict.ASSIGN else row


def _against(row: Row, holding: Holding, *, end_first: bool) -> Row:
    if holding.is_being_prepared:
        return replace(row, verdict=Verdict.NOT_READY, note=_("it is being prepared for the next person"))
    if holding.user == row.user and holding.is_live:
        return replace(row, verdict=Verdict.HOLDS)
    if holding.user == row.user and not holding.was_freed:
        return replace(row, back=holding.pk, note=_("it was kept for this person"))
    name = {"username": holding.username}
    if end_first:
        ends = _("ends the assignment to %(username)s") if holding.is_live else _("it was kept for %(username)s")
        return replace(row, ends=holding.pk, note=ends % name)
    if holding.is_live:
        return replace(row, verdict=Verdict.TAKEN, note=holding.username)
    return replace(row, verdict=Verdict.NOT_READY, note=_("it was kept for %(username)s") % name)


def _with_preparations(rows: list[Row], way: str) -> Iterator[Row]:
    """What is taken from somebody is prepared first, and the line says how, and which restore points go."""
    ends = [row.ends for row in rows if row.ends]
    taken = preparation.outlooks_for(Assignment.objects.filter(pk__in=ends)) if ends else []
    outlooks = {one.assignment.pk: one for one in taken}
    for row in rows:
        found = outlooks.get(row.ends)
        yield replace(row, note=f"{row.note}; {_prepared(found, way)}") if found else row


def _prepared(found: preparation.Outlook, way: str) -> str:
    fits = found.possible_way(way)
    said = _("before that: %(way)s") % {"way": Preparation.Way(fits).label}
    going = found.points_to_delete(fits)
    return f"{said}; {_('deletes these restore points: %(names)s') % {'names': ', '.join(going)}}" if going else said
