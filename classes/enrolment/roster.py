"""Put people on a class's list by their user names: a preview, then exactly that."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy

from accounts import spreadsheet
from accounts.models import User
from accounts.spreadsheet import Line
from classes.enrolment import membership
from classes.models import LabClass, Membership
from vms.bulk_assignment.lookup import People

HEADERS = {"username", "user name", "user", "login", "account", "person", "student"}


class Verdict(StrEnum):
    NEW = "new"
    JOINS = "joins"
    LISTED = "listed"
    MEMBER = "member"
    UNKNOWN = "unknown"
    DISABLED = "disabled"
    TEACHER = "teacher"
    REPEATED = "repeated"


WORDS: dict[Verdict, Any] = {
    Verdict.NEW: gettext_lazy("will be added"),
    Verdict.JOINS: gettext_lazy("on the list, joins now"),
    Verdict.LISTED: gettext_lazy("on the list already"),
    Verdict.MEMBER: gettext_lazy("in the class already"),
    Verdict.UNKNOWN: gettext_lazy("no account: ask an administrator to create one"),
    Verdict.DISABLED: gettext_lazy("the account is switched off"),
    Verdict.TEACHER: gettext_lazy("runs the class"),
    Verdict.REPEATED: gettext_lazy("named before"),
}


@dataclass(frozen=True)
class Row:
    line: int
    name: str
    verdict: Verdict
    user: int = 0

    @property
    def words(self) -> str:
        return str(WORDS[self.verdict])


@dataclass(frozen=True)
class Plan:
    rows: tuple[Row, ...]
    at_once: bool

    @property
    def added(self) -> list[Row]:
        return [row for row in self.rows if row.verdict in {Verdict.NEW, Verdict.JOINS}]

    @property
    def counts(self) -> list[tuple[str, int]]:
        counted = Counter(row.verdict for row in self.rows)
        return [(str(WORDS[verdict]), counted[verdict]) for verdict in Verdict if counted[verdict]]

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.rows, self.at_once)).encode()).hexdigest()


class PlanChanged(Exception):
    """People changed after the preview; nothing was written."""


def plan(lab_class: LabClass, text: str, *, at_once: bool) -> Plan:
    """One user name a line, in the first column of a table. Raises `spreadsheet.Unreadable`."""
    lines = spreadsheet.read(text)
    if lines and lines[0].cell(0).lower() in HEADERS:
        lines = lines[1:]
    people = People(line.cell(0) for line in lines)
    joined = dict(Membership.objects.live().filter(lab_class=lab_class).values_list("user", "joined_at"))
    teachers = {person.pk for person in lab_class.teachers}
    seen: set[int] = set()
    rows = [_row(line, people, joined, teachers, seen) for line in lines]
    if at_once:
        rows = [replace(row, verdict=Verdict.JOINS) if row.verdict is Verdict.LISTED else row for row in rows]
    return Plan(tuple(rows), at_once)


def _row(line: Line, people: People, joined: dict[int, Any], teachers: set[int], seen: set[int]) -> Row:
    person = people.find(line.cell(0))
    if person is None:
        return Row(line.number, line.cell(0), Verdict.UNKNOWN)
    verdict = Verdict.NEW
    if person.pk in seen:
        verdict = Verdict.REPEATED
    elif person.pk in teachers:
        verdict = Verdict.TEACHER
    elif person.pk in joined:
        verdict = Verdict.MEMBER if joined[person.pk] else Verdict.LISTED
    elif not person.is_active:
        verdict = Verdict.DISABLED
    seen.add(person.pk)
    return Row(line.number, person.username, verdict, person.pk)


def apply(lab_class: LabClass, text: str, *, at_once: bool, expected: str) -> int:
    """Returns how many were added. Raises `PlanChanged`."""
    fresh = plan(lab_class, text, at_once=at_once)
    if fresh.digest != expected:
        raise PlanChanged
    return membership.add_people(
        lab_class, list(User.objects.filter(pk__in=[row.user for row in fresh.added])), at_once=at_once
    )
