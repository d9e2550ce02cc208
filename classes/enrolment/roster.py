"""Puts people on a class's roster by their user names: a preview, then exactly that."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext, ngettext_lazy

from accounts import tables
from accounts.models import User
from accounts.plans import Note, Outcome, Plan, PlanChanged, PlanRow, Reason, carry_out, reasons
from accounts.spreadsheet import Line
from classes.enrolment import membership, waiting_list
from classes.models import ClassMachine, LabClass, Membership
from vms.bulk_assignment.lookup import People
from vms.models import Assignment


class RosterReason(Reason):
    NEW = (
        "new", Outcome.CREATED, gettext_lazy("will be added"),
        ngettext_lazy("%(n)d will be added", "%(n)d will be added", "n"),
    )  # fmt: skip
    JOINS = (
        "joins", Outcome.CHANGED, gettext_lazy("on the list, will be enrolled"),
        ngettext_lazy("%(n)d on the list will be enrolled", "%(n)d on the list will be enrolled", "n"),
    )  # fmt: skip
    LISTED = (
        "listed", Outcome.SKIPPED, gettext_lazy("on the list already"),
        ngettext_lazy("%(n)d is on the list already", "%(n)d are on the list already", "n"),
    )  # fmt: skip
    MEMBER = (
        "member", Outcome.SKIPPED, gettext_lazy("in the class already"),
        ngettext_lazy("%(n)d is in the class already", "%(n)d are in the class already", "n"),
    )  # fmt: skip
    TEACHER = (
        "teacher", Outcome.SKIPPED, gettext_lazy("teaches the class"),
        ngettext_lazy("%(n)d teaches the class", "%(n)d teach the class", "n"),
    )  # fmt: skip
    DUPLICATE = reasons.DUPLICATE
    NO_ACCOUNT = reasons.NO_ACCOUNT
    DISABLED = reasons.DISABLED


EACH = Note(gettext_noop("They are enrolled immediately, and each gets a machine."))
NONE = Note(gettext_noop("They are enrolled immediately and wait: no machine is available for them."))
SOME = gettext_noop("They are enrolled immediately. %(get)s of them get a machine, and the others wait for one.")
LATER = Note(gettext_noop("They join the class with the invite."))
ASK = Note(gettext_noop("ask an administrator to create one"))


@dataclass(frozen=True)
class RosterRow(PlanRow):
    username: str = ""
    user: int = 0
    machine: str = ""
    waits: bool = False

    @property
    def gets(self) -> str:
        """The machine, or that somebody who is enrolled waits for one."""
        return self.machine or (_("waits for one") if self.waits else "")


@dataclass(frozen=True, kw_only=True)
class RosterPlan(Plan[RosterRow]):
    """People are enrolled `at_once`, or put on the list and join with the invite."""

    at_once: bool

    columns: ClassVar = (
        ("line", gettext_lazy("Line")),
        ("username", gettext_lazy("User name")),
        ("gets", gettext_lazy("Machine")),
    )

    nothing: ClassVar = gettext_lazy("Nobody will be added")
    button: ClassVar = ngettext_lazy("Add %(n)d person", "Add %(n)d people", "n")

    @property
    def heading(self) -> str:
        enrols = ngettext_lazy("%(n)d person will be enrolled", "%(n)d people will be enrolled", "n")
        lists = ngettext_lazy("%(n)d person will be put on the list", "%(n)d people will be put on the list", "n")
        count = len(self.written)
        return str((enrols if self.at_once else lists) % {"n": count}) if count else super().heading

    @property
    def said(self) -> list[str]:
        count = len(self.written)
        return [ngettext("%(n)d person added.", "%(n)d people added.", count) % {"n": count}]


def plan(lab_class: LabClass, text: str, *, at_once: bool) -> RosterPlan:
    """User names: one a line, all in one line, or the column of a table. Raises `spreadsheet.Unreadable`."""
    table = tables.names(text)
    lines = table.lines
    people = People(line.cell(0) for line in lines)
    joined = dict(Membership.objects.live().filter(lab_class=lab_class).values_list("user", "joined_at"))
    teachers = {person.pk for person in lab_class.teachers}
    seen: dict[int, int] = {}
    rows = [_row(line, people, joined, teachers, seen) for line in lines]
    if at_once:
        rows = _with_machines(lab_class, [_enrolled(row) for row in rows])
    note = _machines_told(rows) if at_once else LATER
    return RosterPlan(rows=tuple(rows), notices=(note, *table.notices), at_once=at_once)


def _with_machines(lab_class: LabClass, rows: list[RosterRow]) -> list[RosterRow]:
    """Each row with the machine that the person gets: free ones in order, after those who wait already."""
    if lab_class.is_over:
        return rows
    assigned = Assignment.objects.live().filter(vm__class_machine__lab_class=lab_class)
    has_one = set(assigned.values_list("user", flat=True))
    waiting = Membership.objects.waiting().filter(lab_class=lab_class).exclude(user__in=has_one).count()
    free = ClassMachine.objects.free().filter(lab_class=lab_class).select_related("vm")
    machines = iter([one.vm.display_name for one in free[waiting : waiting_list.AT_ONCE]])
    gets = (row.outcome.writes and row.user not in has_one for row in rows)
    return [_with_machine(row, next(machines, "")) if due else row for row, due in zip(rows, gets, strict=True)]


def _with_machine(row: RosterRow, machine: str) -> RosterRow:
    return replace(row, machine=machine, waits=not machine)


def _machines_told(rows: list[RosterRow]) -> Note:
    written = [row for row in rows if row.outcome.writes]
    get = sum(bool(row.machine) for row in written)
    if not get:
        return NONE
    return EACH if get == len(written) else Note.of(SOME, get=get)


def _enrolled(row: RosterRow) -> RosterRow:
    if row.reason is not RosterReason.LISTED:
        return row
    return RosterRow(row.line, RosterReason.JOINS, row.notes, row.username, row.user)


def _row(line: Line, people: People, joined: dict[int, Any], teachers: set[int], seen: dict[int, int]) -> RosterRow:
    """`seen` are the lines of people so far."""
    person = people.find(line.cell(0))
    if person is None:
        return RosterRow(line.number, RosterReason.NO_ACCOUNT, (ASK,), line.cell(0))
    first, notes, reason = seen.setdefault(person.pk, line.number), (), RosterReason.NEW
    if first != line.number:
        note = Note.of(gettext_noop("of line %(line)s"), line=first)
        return RosterRow(line.number, RosterReason.DUPLICATE, (note,), person.username, person.pk)
    if person.pk in teachers:
        reason = RosterReason.TEACHER
    elif person.pk in joined:
        reason = RosterReason.MEMBER if joined[person.pk] else RosterReason.LISTED
    elif not person.is_active:
        reason = RosterReason.DISABLED
    return RosterRow(line.number, reason, notes, person.username, person.pk)


def apply(lab_class: LabClass, text: str, *, at_once: bool, expected: str | None) -> RosterPlan:
    """Raises `PlanChanged`, and then nothing was written."""

    def write(fresh: RosterPlan) -> None:
        users = User.objects.in_bulk([row.user for row in fresh.written])
        people = [users[row.user] for row in fresh.written if row.user in users]
        if membership.add_people(lab_class, people, at_once=at_once) != len(fresh.written):
            raise PlanChanged

    return carry_out(lambda: plan(waiting_list.lock(lab_class), text, at_once=at_once), write, expected=expected)
