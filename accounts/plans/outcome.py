"""The outcome of a row with its reason: data that is stored and compared, shown in the reader's language."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _


class Outcome(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    SKIPPED = "skipped"
    REFUSED = "refused"

    @property
    def writes(self) -> bool:
        return self in {Outcome.CREATED, Outcome.CHANGED}


class Reason(StrEnum):
    """Why a row has its outcome. Each kind of plan lists its own, in the order in which they are counted.

    A member is a code, which JSON and tests know; its outcome; its words; and how several are counted, which is an
    `ngettext_lazy` with the number `n`.
    """

    outcome: Outcome
    _words: Any
    _counted: Any

    def __new__(cls, code: str, outcome: Outcome, words: Any, counted: Any) -> "Reason":
        member = str.__new__(cls, code)
        member._value_ = code
        member.outcome, member._words, member._counted = outcome, words, counted
        return member

    @property
    def label(self) -> str:
        return str(self._words)

    def counted(self, n: int) -> str:
        """For example “2 have no account”."""
        return str(self._counted % {"n": n})


def _plain(fact: Any) -> Any:
    return fact if isinstance(fact, int | float) else str(getattr(fact, "label", fact))


@dataclass(frozen=True)
class Note:
    """A sentence about a row or a plan, marked with `gettext_noop`, and the facts for its places.

    Facts are texts and numbers, choices, which are told by their label, or notes.
    """

    text: str
    facts: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, text: str, **facts: Any) -> "Note":
        return cls(text, tuple(facts.items()))

    def as_stored(self) -> list[Any]:
        """As JSON, for a column. Choices become texts."""
        facts = {name: fact.as_stored() if isinstance(fact, Note) else _plain(fact) for name, fact in self.facts}
        return [self.text, facts]

    @classmethod
    def from_stored(cls, stored: list[Any]) -> "Note":
        text, facts = stored
        return cls.of(
            text, **{name: cls.from_stored(one) if isinstance(one, list) else one for name, one in facts.items()}
        )

    def __str__(self) -> str:
        return _(self.text) % {name: getattr(fact, "label", fact) for name, fact in self.facts}
