"""Compares what the portal knows of a directory's people with a whole listing of them. It reads nothing itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext_lazy, gettext_noop, ngettext, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanRow, Reason
from accounts.sign_in.facts import Closed, OutsidePerson

# More people at once who leave or are closed are rather a mistake, for instance in the filter: a person has to say so.
FEW = 10


class SyncReason(Reason):
    LEFT = (
        "left", Outcome.CHANGED, gettext_lazy("left the directory: can no longer sign in"),
        ngettext_lazy("%(n)d person left", "%(n)d people left", "n"),
    )  # fmt: skip
    CLOSED = (
        "closed", Outcome.CHANGED, gettext_lazy("closed in the directory: can no longer sign in"),
        ngettext_lazy("%(n)d account was closed there", "%(n)d accounts were closed there", "n"),
    )  # fmt: skip
    RETURNED = (
        "returned", Outcome.CHANGED, gettext_lazy("is back"),
        ngettext_lazy("%(n)d person is back", "%(n)d people are back", "n"),
    )  # fmt: skip
    UPDATED = (
        "updated", Outcome.CHANGED, gettext_lazy("is brought up to date"),
        ngettext_lazy("%(n)d person is brought up to date", "%(n)d people are brought up to date", "n"),
    )  # fmt: skip


FIELDS = {
    "first_name": Note(gettext_noop("first name")),
    "last_name": Note(gettext_noop("last name")),
    "email": Note(gettext_noop("email")),
    "name_there": Note(gettext_noop("name in the directory")),
    "mail_there": Note(gettext_noop("address in the directory")),
    "number_there": Note(gettext_noop("number")),
}
NONE = Note(gettext_noop("none"))


@dataclass(frozen=True)
class Known:
    """Somebody of the directory whom the portal knows. `texts` are by the names of `FIELDS`, `roles` keys of groups."""

    subject: str
    username: str
    texts: Mapping[str, str]
    groups: tuple[str, ...]
    roles: frozenset[int]
    has_left: bool
    closed: str


@dataclass(frozen=True)
class SyncRow(PlanRow):
    username: str = ""
    name: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class SyncPlan(Plan[SyncRow]):
    """`listed` people are in the directory, `unknown` of them have never signed in here."""

    listed: int
    unknown: int

    columns: ClassVar = (("username", gettext_lazy("User name")), ("name", gettext_lazy("Name")))
    will: ClassVar = {
        Outcome.CHANGED: ngettext_lazy("%(n)d account will be changed", "%(n)d accounts will be changed", "n")
    }
    did: ClassVar = {Outcome.CHANGED: ngettext_lazy("%(n)d account changed.", "%(n)d accounts changed.", "n")}
    nothing: ClassVar = gettext_lazy("All accounts are up to date")
    button: ClassVar = ngettext_lazy("Change %(n)d account", "Change %(n)d accounts", "n")
    empty: ClassVar = gettext_lazy("All accounts are up to date")

    @property
    def leaving(self) -> list[SyncRow]:
        return self.of(SyncReason.LEFT, SyncReason.CLOSED)

    @property
    def needs_a_person(self) -> bool:
        return len(self.leaving) > FEW

    @property
    def told(self) -> str:
        """How many the directory has, and how many of them have no account here."""
        return ngettext(
            "The directory lists %(listed)d people. %(n)d of them has no account here yet: signing in makes one.",
            "The directory lists %(listed)d people. %(n)d of them have no account here yet: signing in makes one.",
            self.unknown,
        ) % {"listed": self.listed, "n": self.unknown}


@dataclass(frozen=True)
class Now:
    """What a listed person should be: texts as in `Known`, and the roles by the rules."""

    texts: Mapping[str, str]
    roles: frozenset[int]


def compared(
    known: Iterable[Known], people: Mapping[str, OutsidePerson], should_be: Callable[[OutsidePerson], Now]
) -> SyncPlan:
    """`people` are all of the directory, by subject, with complete lists of groups."""
    found, seen = [], 0
    for one in known:
        person = people.get(one.subject)
        seen += person is not None
        row = _row(one, person, should_be)
        if row:
            found.append(row)
    order = list(SyncReason)
    found.sort(key=lambda row: (order.index(row.reason), row.username))  # type: ignore[arg-type]
    plan = SyncPlan(rows=tuple(found), listed=len(people), unknown=len(people) - seen)
    return SyncPlan(rows=plan.rows, notices=(plan.told,), listed=plan.listed, unknown=plan.unknown)


def _row(one: Known, person: OutsidePerson | None, should_be: Callable[[OutsidePerson], Now]) -> SyncRow | None:
    name = f"{one.texts.get('first_name', '')} {one.texts.get('last_name', '')}".strip()

    def row(reason: SyncReason, *notes: Note) -> SyncRow:
        return SyncRow(0, reason, notes, one.username, name, one.subject)

    if person is None:
        return None if one.has_left else row(SyncReason.LEFT)
    if person.closed:
        told = Note.of(gettext_noop("%(reason)s"), reason=Closed(person.closed))
        return None if one.has_left and one.closed == person.closed else row(SyncReason.CLOSED, told)
    if one.has_left or one.closed in {Closed.DISABLED, Closed.EXPIRED}:
        return row(SyncReason.RETURNED)
    notes = tuple(_changes(one, person, should_be(person)))
    return row(SyncReason.UPDATED, *notes) if notes else None


def _changes(one: Known, person: OutsidePerson, now: Now) -> Iterator[Note]:
    for name, value in now.texts.items():
        if value != one.texts[name]:
            yield Note.of("%(field)s: %(old)s → %(new)s", field=FIELDS[name], old=one.texts[name] or NONE, new=value)
    if tuple(sorted(person.groups or ())) != one.groups:
        yield Note(gettext_noop("other groups"))
    if now.roles != one.roles:
        yield Note(gettext_noop("other roles"))
