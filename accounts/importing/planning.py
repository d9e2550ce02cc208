"""Plans an import of people: the outcome of each line. Reads the database, writes nothing.

An import by somebody who is no superuser makes no staff. It changes no staff either, and nobody who has rights without
being staff yet: neither by a column nor by a group that gives rights.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts import tables
from accounts.models import User, rights_of_staff
from accounts.plans import Note, Outcome, Plan, PlanRow, Reason, reasons
from accounts.spreadsheet import Line, Unreadable

COLUMNS = ("username", "first_name", "last_name", "email")
FIELDS = {
    "first_name": Note(gettext_noop("first name")),
    "last_name": Note(gettext_noop("last name")),
    "email": Note(gettext_noop("email")),
}
NONE = Note(gettext_noop("none"))
BECOMES_STAFF = Note(gettext_noop("becomes staff"))

# Each takes a processor a twentieth of a second, and the person waits for all of them.
MOST_PASSWORDS = 200


class AccountReason(Reason):
    NEW = reasons.CREATED
    UPDATED = reasons.CHANGED
    SAME = reasons.SAME
    EXISTS = (
        "exists", Outcome.SKIPPED, gettext_lazy("has an account already"),
        ngettext_lazy("%(n)d has an account already", "%(n)d have accounts already", "n"),
    )  # fmt: skip
    DUPLICATE = reasons.DUPLICATE
    STAFF = (
        "for-superusers", Outcome.REFUSED, gettext_lazy("for superusers only"),
        ngettext_lazy("%(n)d needs a superuser", "%(n)d need a superuser", "n"),
    )  # fmt: skip
    NO_GROUP = (
        "no-group", Outcome.REFUSED, gettext_lazy("unknown group"),
        ngettext_lazy("%(n)d has an unknown group", "%(n)d have an unknown group", "n"),
    )  # fmt: skip
    INVALID = reasons.INVALID


@dataclass(frozen=True)
class Options:
    """`by_superuser` says who imports; it is not for the person to choose."""

    update: bool = False
    by_superuser: bool = False


@dataclass(frozen=True)
class AccountRow(PlanRow):
    """`values` are the line's own, `changes` are field, before and after, and `user` is the key of who exists."""

    username: str = ""
    values: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, str, str], ...] = ()
    group: str = ""
    makes_staff: bool = False
    user: int = 0

    @property
    def name(self) -> str:
        values = dict(self.values)
        return f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()

    @property
    def email(self) -> str:
        return dict(self.values).get("email", "")


@dataclass(frozen=True, kw_only=True)
class AccountPlan(Plan[AccountRow]):
    options: Options

    columns: ClassVar = (
        ("line", gettext_lazy("Line")),
        ("username", gettext_lazy("User name")),
        ("name", gettext_lazy("Name")),
        ("email", gettext_lazy("Email")),
        ("group", gettext_lazy("Group")),
    )

    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d account will be created", "%(n)d accounts will be created", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d account will be changed", "%(n)d accounts will be changed", "n"),
    }
    did: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d account created.", "%(n)d accounts created.", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d account changed.", "%(n)d accounts changed.", "n"),
    }
    nothing: ClassVar = gettext_lazy("No account will be created or changed")
    button: ClassVar = ngettext_lazy("Import %(n)d person", "Import %(n)d people", "n")


@dataclass(frozen=True)
class Known:
    """The people and groups of a table that the database has."""

    people: dict[str, User]
    with_rights: frozenset[int]
    groups: dict[str, tuple[str, bool]]  # by name without case: the name, and whether it gives rights


def plan(text: str, options: Options) -> AccountPlan:
    """Raises `Unreadable`."""
    table = tables.read(text, tables.PERSON)
    lines = table.lines
    with_rights = frozenset(User.objects.with_rights().values_list("pk", flat=True))
    known = Known(people_named(lines), with_rights, _groups())
    made = AccountPlan(rows=tuple(_rows(lines, known, options)), notices=table.notices, options=options)
    if len(made.of(AccountReason.NEW)) > MOST_PASSWORDS:
        raise Unreadable(_("The list has more than %(most)s new people. Split it.") % {"most": MOST_PASSWORDS})
    return made


def _rows(lines: list[Line], known: Known, options: Options) -> Iterator[AccountRow]:
    first: dict[str, int] = {}
    for line in lines:
        username = User.normalize_username(line.cell(0))
        at = first.setdefault(username.lower(), line.number)
        if at != line.number:
            note = Note.of(gettext_noop("this person is also on line %(line)s"), line=at)
            yield AccountRow(line.number, AccountReason.DUPLICATE, (note,), username)
        else:
            yield _row(line, username, known, options)


def _row(line: Line, username: str, known: Known, options: Options) -> AccountRow:
    values = dict(zip(COLUMNS[1:], (line.cell(i) for i in (1, 2, 3)), strict=True))
    person = known.people.get(username.lower())
    row = AccountRow(
        line.number, AccountReason.NEW, (), person.username if person else username, tuple(values.items()),
        group=line.cell(4), user=person.pk if person else 0,
    )  # fmt: skip
    if any(line.cells[len(COLUMNS) + 1 :]):
        return _with(
            row, AccountReason.INVALID, Note(gettext_noop("expected: username,first name,last name,email,group"))
        )
    try:
        User(username=row.username, **values).clean_fields(exclude=["password"])
    except ValidationError as error:
        return _with(row, AccountReason.INVALID, Note.of("%(problem)s", problem=" ".join(error.messages)))
    row = _with_group(row, known, options)
    if row.reason is not AccountReason.NEW or person is None:
        return row
    if options.update and person.pk in known.with_rights and not options.by_superuser:
        return _with(
            row,
            AccountReason.STAFF,
            Note(gettext_noop("this account is a staff account or has permissions of its own")),
        )
    return _changed(row, person, options)


def _with(row: AccountRow, reason: AccountReason, *notes: Note) -> AccountRow:
    return replace(row, reason=reason, notes=notes)


def _with_group(row: AccountRow, known: Known, options: Options) -> AccountRow:
    if not row.group:
        return row
    found = known.groups.get(row.group.lower())
    if found is None:
        return _with(row, AccountReason.NO_GROUP)
    name, gives_rights = found
    if gives_rights and not options.by_superuser:
        return _with(row, AccountReason.STAFF, Note.of(gettext_noop("the group %(name)s gives permissions"), name=name))
    return replace(row, group=name, makes_staff=gives_rights, notes=(BECOMES_STAFF,) * gives_rights)


def _changed(row: AccountRow, person: User, options: Options) -> AccountRow:
    """Empty cells leave what is there; nobody is taken out of a group."""
    if not options.update:
        return _with(row, AccountReason.EXISTS)
    before = {name: getattr(person, name) for name in FIELDS}
    changes = tuple((name, before[name], value) for name, value in row.values if value and value != before[name])
    has_group = row.group in {"", *(group.name for group in person.groups.all())}
    row = replace(
        row, changes=changes, group="" if has_group else row.group,
        makes_staff=row.makes_staff and not person.is_staff,
    )  # fmt: skip
    if not (changes or row.group or row.makes_staff):
        return _with(row, AccountReason.SAME)
    notes = [
        Note.of("%(field)s: %(old)s → %(new)s", field=FIELDS[name], old=old or NONE, new=new)
        for name, old, new in changes
    ]
    return _with(row, AccountReason.UPDATED, *notes, *(BECOMES_STAFF,) * row.makes_staff)


def people_named(lines: list[Line]) -> dict[str, User]:
    """The people whom the lines name, by name without case."""
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
