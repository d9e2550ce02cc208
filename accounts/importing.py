"""Bring people in from a table: first a plan that can be shown, then exactly that plan.

Whoever is no superuser makes no staff, and changes none, nor who has rights without being staff yet: neither by a
column nor by a group that gives rights.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from auditlog.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts import first_passwords, spreadsheet, trail
from accounts.models import User, rights_of_staff
from accounts.spreadsheet import Line, Unreadable

COLUMNS = ("username", "first_name", "last_name", "email")
HEADERS = (
    {"username", "user name", "user", "login", "account", "usuario", "nombre de usuario", "cuenta"},
    {"first name", "first_name", "firstname", "given name", "nombre"},
)

# Each takes a processor a twentieth of a second, and the person waits for all of them.
MOST_PASSWORDS = 200


class Verdict(StrEnum):
    """In English; a page says `label`."""

    NEW = gettext_noop("new")
    UPDATE = gettext_noop("updated")
    SAME = gettext_noop("nothing to change")
    EXISTS = gettext_noop("exists, left alone")
    STAFF = gettext_noop("for superusers only")
    NO_GROUP = gettext_noop("unknown group")
    REPEATED = gettext_noop("repeated")
    WRONG = gettext_noop("wrong")

    @property
    def label(self) -> str:
        return _(self.value)


FIELDS = {
    "first_name": gettext_lazy("first name"),
    "last_name": gettext_lazy("last name"),
    "email": gettext_lazy("email"),
}

WRITTEN = {Verdict.NEW, Verdict.UPDATE}


@dataclass(frozen=True)
class Options:
    """`by_superuser` says who imports, and is no choice of his."""

    update: bool = False
    by_superuser: bool = False


@dataclass(frozen=True)
class Row:
    """A line, and what becomes of it. `values` are the columns that are written."""

    line: int
    username: str
    verdict: Verdict
    note: str = ""
    values: tuple[tuple[str, str], ...] = ()
    group: str = ""
    makes_staff: bool = False
    user: int = 0


@dataclass(frozen=True)
class Plan:
    rows: tuple[Row, ...]
    options: Options

    def of(self, verdict: Verdict) -> list[Row]:
        return [row for row in self.rows if row.verdict is verdict]

    @property
    def is_empty(self) -> bool:
        return not any(row.verdict in WRITTEN for row in self.rows)

    @property
    def counts(self) -> list[tuple[str, int]]:
        counted = Counter(row.verdict for row in self.rows)
        return [(_(verdict.value), counted[verdict]) for verdict in Verdict if counted[verdict]]

    @property
    def digest(self) -> str:
        """Tells one plan from another, so that what was shown is what is applied."""
        return hashlib.sha256(repr((self.rows, self.options)).encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """Somebody who is new, with the first password. It is kept nowhere else."""

    username: str
    name: str
    password: str = field(repr=False)


class PlanChanged(Exception):
    def __init__(self) -> None:
        super().__init__(_("People or groups changed after this preview. Nothing was written: look at the new one."))


@dataclass(frozen=True)
class _Known:
    people: dict[str, User]
    holders: frozenset[int]  # of rights
    groups: dict[str, tuple[str, bool]]  # by name without case: the name, and whether it gives rights


def plan(text: str, options: Options) -> Plan:
    """What an import would do; reads the database, writes nothing. Raises `Unreadable`."""
    lines = spreadsheet.read(text)
    if lines and all(lines[0].cell(i).lower() in words for i, words in enumerate(HEADERS)):
        lines = lines[1:]
    holders = frozenset(User.objects.with_rights().values_list("pk", flat=True))
    known = _Known(_people(lines), holders, _groups())
    made = Plan(tuple(_rows(lines, known, options)), options)
    if len(made.of(Verdict.NEW)) > MOST_PASSWORDS:
        raise Unreadable(_("These are more than %(most)s new people. Split the list.") % {"most": MOST_PASSWORDS})
    return made


def apply(text: str, options: Options, *, expected: str) -> tuple[Plan, list[Made]]:
    """`expected` is the digest of the plan that was shown; anything else is `PlanChanged`."""
    now = plan(text, options)
    if now.digest != expected:
        raise PlanChanged
    # Computed before the transaction: nobody else can write while that lasts.
    passwords = {row.line: first_passwords.make() for row in now.of(Verdict.NEW)}
    hashes = {line: make_password(password) for line, password in passwords.items()}
    try:
        with transaction.atomic():
            fresh = plan(text, options)
            if fresh.digest != expected:
                raise PlanChanged
            _write(fresh, hashes)
    except IntegrityError:  # somebody made one of these accounts at the same moment
        raise PlanChanged from None
    return fresh, [_made(row, passwords[row.line]) for row in fresh.of(Verdict.NEW)]


def _rows(lines: list[Line], known: _Known, options: Options) -> Iterator[Row]:
    first: dict[str, int] = {}
    for line in lines:
        username = User.normalize_username(line.cell(0))
        at = first.setdefault(username.lower(), line.number)
        if at != line.number:
            yield Row(
                line.number, username, Verdict.REPEATED, _("line %(line)s is about this person too") % {"line": at}
            )
        else:
            yield _row(line, username, known, options)


def _row(line: Line, username: str, known: _Known, options: Options) -> Row:
    values = dict(zip(COLUMNS[1:], (line.cell(i) for i in (1, 2, 3)), strict=True))
    person = known.people.get(username.lower())
    row = Row(line.number, person.username if person else username, Verdict.NEW, group=line.cell(4))
    if len(line.cells) > 5 and any(line.cells[5:]):
        return replace(row, verdict=Verdict.WRONG, note=_("write username,first name,last name,email,group"))
    try:
        User(username=row.username, **values).clean_fields(exclude=["password"])
    except ValidationError as error:
        return replace(row, verdict=Verdict.WRONG, note=" ".join(error.messages))
    row = _with_group(row, known, options)
    if row.verdict is not Verdict.NEW:
        return row
    if person is None:
        return replace(row, values=tuple(values.items()))
    if options.update and person.pk in known.holders and not options.by_superuser:
        return replace(row, user=person.pk, verdict=Verdict.STAFF, note=_("this is an account of staff or with rights"))
    return _changed(row, person, values, options)


def _with_group(row: Row, known: _Known, options: Options) -> Row:
    if not row.group:
        return row
    found = known.groups.get(row.group.lower())
    if found is None:
        return replace(row, verdict=Verdict.NO_GROUP, note=row.group)
    name, gives_rights = found
    if gives_rights and not options.by_superuser:
        return replace(row, verdict=Verdict.STAFF, note=_("%(name)s is a group with rights") % {"name": name})
    return replace(row, group=name, makes_staff=gives_rights, note=_("becomes staff") if gives_rights else "")


def _changed(row: Row, person: User, values: dict[str, str], options: Options) -> Row:
    """Empty cells leave what is there; nobody is taken out of a group."""
    row = replace(row, user=person.pk)
    if not options.update:
        return replace(row, verdict=Verdict.EXISTS, note="")
    changed = tuple((name, value) for name, value in values.items() if value and value != getattr(person, name))
    has_group = row.group in {"", *(group.name for group in person.groups.all())}
    row = replace(
        row, values=changed, group="" if has_group else row.group, makes_staff=row.makes_staff and not person.is_staff
    )
    if not (changed or row.group or row.makes_staff):
        return replace(row, verdict=Verdict.SAME, note="")
    told = [f"{FIELDS[name]}: {getattr(person, name) or _('none')} → {value}" for name, value in changed]
    told += [_("becomes staff")] if row.makes_staff else []
    return replace(row, verdict=Verdict.UPDATE, note="; ".join(told))


def _people(lines: list[Line]) -> dict[str, User]:
    names = sorted({User.normalize_username(line.cell(0)) for line in lines})
    found: dict[str, User] = {}
    for begin in range(0, len(names), 500):
        some = names[begin : begin + 500]
        rows = User.objects.annotate(folded=Lower("username")).filter(
            Q(username__in=some) | Q(folded__in=[name.lower() for name in some])
        )
        found |= {person.username.lower(): person for person in rows.prefetch_related("groups")}
    return found


def _groups() -> dict[str, tuple[str, bool]]:
    rights = Count("permissions", filter=rights_of_staff("permissions__"))
    rows = Group.objects.annotate(rights=rights).values_list("name", "rights")
    return {name.lower(): (name, count > 0) for name, count in rows}


def _write(fresh: Plan, hashes: dict[int, str]) -> None:
    new = fresh.of(Verdict.NEW)
    made = User.objects.bulk_create(
        [
            User(
                username=row.username, password=hashes[row.line], must_change_password=True,
                is_staff=row.makes_staff, **dict(row.values),
            )
            for row in new
        ],
        batch_size=500,
    )  # fmt: skip
    trail.record_many(
        ((person, _told(row, None)) for row, person in zip(new, made, strict=True)), action=LogEntry.Action.CREATE
    )
    _join([(row, person.pk) for row, person in zip(new, made, strict=True)])
    _update(fresh.of(Verdict.UPDATE))


def _update(rows: list[Row]) -> None:
    people = User.objects.in_bulk([row.user for row in rows])
    trail.record_many((people[row.user], _told(row, people[row.user])) for row in rows)
    for row in rows:
        values: dict[str, Any] = dict(row.values) | ({"is_staff": True} if row.makes_staff else {})
        if values:
            User.objects.filter(pk=row.user).update(**values)
    _join([(row, row.user) for row in rows])


def _join(members: list[tuple[Row, int]]) -> None:
    groups = dict(Group.objects.values_list("name", "pk"))
    through = User.groups.through
    through.objects.bulk_create(
        [through(user_id=pk, group_id=groups[row.group]) for row, pk in members if row.group], batch_size=500
    )


def _told(row: Row, before: User | None) -> trail.Changes:
    changes: trail.Changes = {
        name: (getattr(before, name) if before else None, value) for name, value in row.values if value
    }
    if before is None:
        changes["username"] = (None, row.username)
    if row.group:
        changes["groups"] = (None, row.group)
    if row.makes_staff:
        changes["is_staff"] = (False, True)
    return changes


def _made(row: Row, password: str) -> Made:
    values = dict(row.values)
    return Made(row.username, f"{values['first_name']} {values['last_name']}".strip(), password)
