"""Puts people on a class's roster by their user names: a preview, then exactly that."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy, gettext_noop, ngettext, ngettext_lazy

from accounts import tables
from accounts.models import User
from accounts.plans import Note, Outcome, Plan, PlanChanged, PlanRow, Reason, carry_out, reasons
from accounts.spreadsheet import Line
from classes.enrolment import membership, waiting_list
from classes.models import LabClass, Membership
from vms.bulk_assignment.lookup import People


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


AT_ONCE = Note(gettext_noop("They are enrolled immediately and wait for a machine."))
LATER = Note(gettext_noop("They join the class with the invite."))
ASK = Note(gettext_noop("ask an administrator to create one"))


@dataclass(frozen=True)
class RosterRow(PlanRow):
    username: str = ""
    user: int = 0


@dataclass(frozen=True, kw_only=True)
class RosterPlan(Plan[RosterRow]):
    """People are enrolled `at_once`, or put on the list and join with the invite."""

    at_once: bool

    columns: ClassVar = (("line", gettext_lazy("Line")), ("username", gettext_lazy("User name")))

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
        rows = [_enrolled(row) for row in rows]
    return RosterPlan(rows=tuple(rows), notices=(AT_ONCE if at_once else LATER, *table.notices), at_once=at_once)


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


def apply(lab_class: LabClass, text: str, *, at_once: bool, expected: str) -> RosterPlan:
    """Raises `PlanChanged`, and then nothing was written."""

    def write(fresh: RosterPlan) -> None:
        users = User.objects.in_bulk([row.user for row in fresh.written])
        people = [users[row.user] for row in fresh.written if row.user in users]
        if membership.add_people(lab_class, people, at_once=at_once) != len(fresh.written):
            raise PlanChanged

    return carry_out(lambda: plan(waiting_list.lock(lab_class), text, at_once=at_once), write, expected=expected)
