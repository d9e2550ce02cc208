"""Joins many local accounts at once, by a table of user names and numbers: a plan that a person reviews.

At a directory the number is looked up in the attribute that the source names. Elsewhere it is the ID itself, since
providers tell of nobody who is not there. Staff, superusers and whoever has rights are never joined here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, ClassVar

from auditlog.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts import audit, tables
from accounts.importing.planning import people_named
from accounts.models import SignInIdentity, SignInSource, User
from accounts.plans import Note, Outcome, Plan, PlanChanged, PlanRow, Reason, carry_out, reasons
from accounts.spreadsheet import Line, Unreadable

NUMBER = {
    "number",
    "id",
    "student number",
    "employee number",
    "student id",
    "employee id",
    "número",
    "matrícula",
    "nre",
}
COLUMNS = {"username": tables.USERNAME, "number": NUMBER}
MOST_LINES = 1000  # what was found there travels in the page


class JoiningReason(Reason):
    JOINED = (
        "joined", Outcome.CHANGED, gettext_lazy("will be joined"),
        ngettext_lazy("%(n)d will be joined", "%(n)d will be joined", "n"),
    )  # fmt: skip
    SAME = (
        "same", Outcome.SKIPPED, gettext_lazy("is joined already"),
        ngettext_lazy("%(n)d is joined already", "%(n)d are joined already", "n"),
    )  # fmt: skip
    DUPLICATE = reasons.DUPLICATE
    NO_ACCOUNT = reasons.NO_ACCOUNT
    STAFF = (
        "rights", Outcome.REFUSED, gettext_lazy("never in bulk"),
        ngettext_lazy("%(n)d has rights, so is left out", "%(n)d have rights, so are left out", "n"),
    )  # fmt: skip
    NOBODY = (
        "nobody", Outcome.REFUSED, gettext_lazy("nobody there has this number"),
        ngettext_lazy("%(n)d has an unknown number", "%(n)d have unknown numbers", "n"),
    )  # fmt: skip
    SEVERAL = (
        "several", Outcome.REFUSED, gettext_lazy("several people there have this number"),
        ngettext_lazy("%(n)d has a number of several people", "%(n)d have numbers of several people", "n"),
    )  # fmt: skip
    TAKEN = (
        "taken", Outcome.REFUSED, gettext_lazy("joined with another account"),
        ngettext_lazy("%(n)d is joined with another account", "%(n)d are joined with other accounts", "n"),
    )  # fmt: skip
    OTHERWISE = (
        "otherwise", Outcome.REFUSED, gettext_lazy("this account is joined with somebody else there"),
        ngettext_lazy("%(n)d account is joined otherwise", "%(n)d accounts are joined otherwise", "n"),
    )  # fmt: skip
    INVALID = reasons.INVALID


@dataclass(frozen=True)
class Options:
    source: int
    keep_passwords: bool = False


@dataclass(frozen=True)
class JoiningRow(PlanRow):
    """`subject` and the `…_there` are what the source says of the number."""

    username: str = ""
    name: str = ""
    number: str = ""
    subject: str = ""
    name_there: str = ""
    mail_there: str = ""
    user: int = 0

    @property
    def there(self) -> str:
        return " · ".join(filter(None, [self.name_there, self.mail_there]))


@dataclass(frozen=True, kw_only=True)
class JoiningPlan(Plan[JoiningRow]):
    options: Options

    columns: ClassVar = (
        ("line", gettext_lazy("Line")),
        ("username", gettext_lazy("User name")),
        ("name", gettext_lazy("Name")),
        ("number", gettext_lazy("Number")),
        ("there", gettext_lazy("Found there")),
    )
    will: ClassVar = {
        Outcome.CHANGED: ngettext_lazy("%(n)d account will be joined", "%(n)d accounts will be joined", "n")
    }
    did: ClassVar = {Outcome.CHANGED: ngettext_lazy("%(n)d account joined.", "%(n)d accounts joined.", "n")}
    nothing: ClassVar = gettext_lazy("No account will be joined")
    button: ClassVar = ngettext_lazy("Join %(n)d account", "Join %(n)d accounts", "n")


# By number: ID, name and mail of each person there who has it.
Found = Mapping[str, list[list[str]]]


def read(text: str) -> list[Line]:
    """Raises `Unreadable`."""
    lines = tables.read(text, COLUMNS).lines
    if len(lines) > MOST_LINES:
        raise Unreadable(_("The list has more than %(most)s lines. Split it.") % {"most": MOST_LINES})
    return lines


def look_up(source: SignInSource, lines: list[Line]) -> dict[str, list[list[str]]]:
    """Who has these numbers there. Asks a directory for everybody, once. Raises `SourceDown`, `ModuleNotFoundError`."""
    wanted = {line.cell(1) for line in lines} - {""}
    if source.kind != SignInSource.Kind.DIRECTORY:
        return {number: [[number, "", ""]] for number in wanted}
    listing = import_module("accounts.sign_in.ldap.listing")  # an extra, which may be missing
    found: dict[str, list[list[str]]] = {}
    for person in listing.everybody(source, timezone.now()).values():
        if person.number in wanted:
            name = " ".join(filter(None, [person.first_name, person.last_name])) or person.username
            found.setdefault(person.number, []).append([person.subject, name, person.email])
    return found


@dataclass(frozen=True)
class Known:
    people: dict[str, User]
    with_rights: frozenset[int]
    by_subject: dict[str, int]  # accounts that are joined with the source
    by_user: dict[int, str]


def plan(text: str, found: Found, options: Options) -> JoiningPlan:
    """Reads the database, writes nothing. Raises `Unreadable`."""
    lines = read(text)
    identities = list(SignInIdentity.objects.filter(source=options.source).values_list("subject", "user_id"))
    known = Known(
        people=people_named(lines),
        with_rights=frozenset(User.objects.with_rights().values_list("pk", flat=True)),
        by_subject=dict(identities),
        by_user={user: subject for subject, user in identities},
    )
    return JoiningPlan(rows=tuple(_rows(lines, found, known)), options=options)


def _rows(lines: list[Line], found: Found, known: Known) -> Iterator[JoiningRow]:
    names = Counter(User.normalize_username(line.cell(0)).lower() for line in lines)
    numbers = Counter(line.cell(1) for line in lines)
    for line in lines:
        username = User.normalize_username(line.cell(0))
        row = JoiningRow(line.number, JoiningReason.JOINED, (), username, number=line.cell(1))
        if not row.number or any(line.cells[2:]):
            yield _with(row, JoiningReason.INVALID, Note(gettext_noop("expected: username,number")))
        elif names[username.lower()] > 1 or numbers[row.number] > 1:
            yield _with(row, JoiningReason.DUPLICATE, Note(gettext_noop("the account or the number stands here twice")))
        else:
            yield _row(row, found.get(row.number, []), known)


def _row(row: JoiningRow, there: list[list[str]], known: Known) -> JoiningRow:
    person = known.people.get(row.username.lower())
    if person is None:
        return _with(row, JoiningReason.NO_ACCOUNT)
    row = replace(row, username=person.username, name=person.get_full_name(), user=person.pk)
    if person.pk in known.with_rights:
        return _with(row, JoiningReason.STAFF)
    if len(there) != 1:
        return _with(row, JoiningReason.SEVERAL if there else JoiningReason.NOBODY)
    subject, name, mail = there[0]
    row = replace(row, subject=subject, name_there=name, mail_there=mail)
    if known.by_subject.get(subject) == person.pk:
        return _with(row, JoiningReason.SAME)
    if subject in known.by_subject:
        return _with(row, JoiningReason.TAKEN)
    return _with(row, JoiningReason.OTHERWISE) if person.pk in known.by_user else row


def _with(row: JoiningRow, reason: JoiningReason, *notes: Note) -> JoiningRow:
    return replace(row, reason=reason, notes=notes)


def apply(text: str, found: Found, options: Options, *, expected: str) -> JoiningPlan:
    """Exactly the plan that was shown: its digest is `expected`. Raises `PlanChanged`."""
    return carry_out(lambda: plan(text, found, options), _write, expected=expected)


def _write(fresh: JoiningPlan) -> None:
    rows, now = fresh.written, timezone.now()
    people = User.objects.select_for_update(no_key=True).in_bulk([row.user for row in rows])
    if len(people) != len(rows) or User.objects.with_rights().filter(pk__in=people).exists():
        raise PlanChanged
    identities = SignInIdentity.objects.bulk_create(
        [
            SignInIdentity(
                user_id=row.user, source_id=fresh.options.source, subject=row.subject, name_there=row.name_there[:255],
                mail_there=row.mail_there[:255], number_there=row.number[:100], first_seen_at=now,
            )
            for row in rows
        ],
        batch_size=500,
    )  # fmt: skip
    changes: list[tuple[Any, audit.Changes]] = [(people[row.user], _recorded(fresh.options, row)) for row in rows]
    audit.record_many(changes)
    audit.record_many([(one, {"subject": (None, one.subject)}) for one in identities], action=LogEntry.Action.CREATE)
    if not fresh.options.keep_passwords:
        for person in people.values():
            person.password, person.must_change_password = make_password(None), False
        User.objects.bulk_update(people.values(), ["password", "must_change_password"], batch_size=500)


def _recorded(options: Options, row: JoiningRow) -> audit.Changes:
    joined: audit.Changes = {"joined with": (None, row.name_there or row.subject)}
    return joined if options.keep_passwords else {**joined, "password": ("***", "***")}
