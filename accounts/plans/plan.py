"""Plans, their rows, and carrying them out."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.plans.outcome import Note, Outcome, Reason

# Letters of a row's digest by which a page knows it again. The plan's own digest is whole.
MARK = 8


class PlanChanged(Exception):
    """The data behind the plan changed after it was shown. Nothing was written."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or _("Something changed after this preview, so nothing was saved. Check the new one."))


@dataclass(frozen=True)
class PlanRow:
    """The outcome of a line of the input, from 1; 0 where there are no lines. Kinds of plans add own fields.

    Two rows are the same when all fields are that take part in comparison: a field with `compare=False` neither counts
    in the digest nor is it told.
    """

    line: int
    reason: Reason
    notes: tuple[Note, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return self.reason.outcome

    @property
    def details(self) -> list[str]:
        return [str(note) for note in self.notes]

    @property
    def words(self) -> str:
        """For example “will be assigned: it was kept for this person”."""
        return ": ".join(filter(None, [self.reason.label, "; ".join(self.details)]))

    @property
    def digest(self) -> str:
        return _digest(self)


R = TypeVar("R", bound=PlanRow)
P = TypeVar("P", bound="Plan[Any]")


@dataclass(frozen=True)
class Plan(Generic[R]):
    """`columns` are the attributes of a row that a page and JSON show, with their headings.

    `will` and `did` say with an `ngettext_lazy` of the number `n` what happens to rows that are created or changed, and
    what happened to them; `nothing` is the heading when there are none. `button` says what the button does to `n` rows.
    """

    rows: tuple[R, ...]
    notices: tuple[Note | str, ...] = ()

    columns: ClassVar[tuple[tuple[str, Any], ...]] = ()
    will: ClassVar[dict[Outcome, Any]] = {}
    did: ClassVar[dict[Outcome, Any]] = {}
    nothing: ClassVar[Any] = gettext_lazy("Nothing will be changed")
    button: ClassVar[Any] = None
    empty: ClassVar[Any] = gettext_lazy("The list is empty")  # told in place of counts

    @property
    def heading(self) -> str:
        """For example “2 accounts will be created, 1 account will be changed”."""
        return ", ".join(self._told(self.will)) or str(self.nothing)

    @property
    def action(self) -> str:
        return str(self.button % {"n": len(self.written)})

    @property
    def said(self) -> list[str]:
        """The messages after the plan was carried out."""
        return self._told(self.did)

    def _told(self, words: dict[Outcome, Any]) -> list[str]:
        return [
            str(words[outcome] % {"n": count}) for outcome, count in self.counts.items() if count and outcome in words
        ]

    @property
    def is_refused(self) -> bool:
        """Whether nothing of it may be carried out, although some rows could."""
        return False

    @property
    def written(self) -> list[R]:
        return [row for row in self.rows if row.outcome.writes]

    @property
    def may_be_carried_out(self) -> bool:
        return bool(self.written) and not self.is_refused

    def of(self, *reasons: Reason) -> list[R]:
        return [row for row in self.rows if row.reason in reasons]

    @property
    def counts(self) -> dict[Outcome, int]:
        counted = Counter(row.outcome for row in self.rows)
        return {outcome: counted[outcome] for outcome in Outcome}

    @property
    def in_words(self) -> str:
        """For example “2 will be added, 1 has no account, 1 is a duplicate”."""
        counted = Counter(row.reason for row in self.rows)
        kinds: Iterable[Reason] = type(self.rows[0].reason) if self.rows else ()
        return ", ".join(kind.counted(counted[kind]) for kind in kinds if counted[kind]) or str(self.empty)

    @property
    def digest(self) -> str:
        """Tells one plan from another, in whatever language it is shown."""
        return _digest(self, *(row.digest for row in self.rows))

    @property
    def marks(self) -> str:
        """A mark of each row, one after another."""
        return "".join(row.digest[:MARK] for row in self.rows)

    def changed_since(self, marks: str) -> list[R]:
        """The rows that a plan with these marks had not."""
        known = {marks[at : at + MARK] for at in range(0, len(marks), MARK)}
        return [row for row in self.rows if row.digest[:MARK] not in known]

    def as_json(self) -> dict[str, Any]:
        """The plan as a page shows it. `digest` is what an application of this plan expects."""
        return {
            "heading": self.heading,
            "in_words": self.in_words,
            "counts": {str(outcome): count for outcome, count in self.counts.items()},
            "notices": [str(notice) for notice in self.notices],
            "may_be_carried_out": self.may_be_carried_out,
            "digest": self.digest,
            "rows": [self._row_as_json(row) for row in self.rows],
        }

    def _row_as_json(self, row: R) -> dict[str, Any]:
        cells = {name: getattr(row, name) for name, _heading in self.columns}
        facts = {name: str(fact) for note in row.notes for name, fact in note.facts}
        said = {"outcome": str(row.outcome), "reason": str(row.reason), "words": row.words, "facts": facts}
        return cells | said


def carry_out(make: Callable[[], P], write: Callable[[P], object], *, expected: str | None) -> P:
    """Make the plan again and write it, in one transaction: all of it, or nothing. Returns the plan that was written.

    `expected` is the digest of the plan that was shown; anything else is `PlanChanged`, and so is a row that the
    database refuses because somebody wrote at the same moment. None stands for whatever is found now.
    """
    try:
        with transaction.atomic():
            plan = make()
            if expected is not None and plan.digest != expected:
                raise PlanChanged
            if plan.may_be_carried_out:
                write(plan)
            else:  # also what `make` locked or created leaves no trace
                transaction.set_rollback(True)
    except IntegrityError:
        raise PlanChanged(
            _("Somebody else changed the same thing at the same moment, so nothing was saved. Check the new preview.")
        ) from None
    return plan


def _digest(thing: Any, *parts: str) -> str:
    """A digest of the fields that take part in comparison, and of the parts in place of a plan's rows."""
    told = [getattr(thing, field.name) for field in fields(thing) if field.compare and field.name != "rows"]
    return hashlib.sha256(repr((told, parts)).encode()).hexdigest()
