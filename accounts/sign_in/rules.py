"""Decides from a source's rules what a person may do and becomes. Pure: it reads and writes nothing.

How values are compared is how the sources themselves tell one from another. Groups of a directory are distinguished
names, which directories compare without case: a rule for one names exactly one group. Groups of providers and headers,
and claims, are compared letter by letter, since there `Teachers` and `teachers` may be two groups.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from accounts.sentences import say
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.syntax import parse_dn
from accounts.stored_messages import Message


class Rule(Protocol):
    """The columns of `SignInRule` that decide."""

    on: str
    claim: str
    value: str
    gives: str

    @property
    def role_id(self) -> int | None: ...


@dataclass(frozen=True)
class Decision:
    """`why` says it in words. `roles` are keys of groups, and None where the answer was not complete: then no role is
    given and none taken.
    """

    allowed: bool
    why: Message
    code: str
    roles: frozenset[int] | None

    @property
    def is_complete(self) -> bool:
        return self.roles is not None


def decide(rules: Iterable[Rule], person: OutsidePerson, *, directory: bool) -> Decision:
    """First whether they come in at all; only then what they become. `directory`: groups are DNs.

    Without a rule that lets people in, nobody comes in. Who does not come in has no roles.
    """
    rules = list(rules)
    entry = [rule for rule in rules if rule.gives == "entry"]
    allowed = any(holds(rule, person, directory=directory) for rule in entry)
    complete = person.groups is not None
    if not allowed:
        code = _why_not(entry, complete=complete)
        return Decision(False, say(f"sign-in-{code}"), code, frozenset() if complete else None)
    if not complete:
        return Decision(True, say("sign-in-groups-incomplete"), "groups-incomplete", None)
    roles = {
        rule.role_id for rule in rules
        if rule.gives == "role" and rule.role_id is not None and holds(rule, person, directory=directory)
    }  # fmt: skip
    return Decision(True, say("sign-in-allowed"), "allowed", frozenset(roles))


def _why_not(entry: list[Rule], *, complete: bool) -> str:
    if not entry:
        return "no-entry-rule"
    if not complete and any(rule.on == "group" for rule in entry):
        return "groups-unknown"
    return "not-allowed"


def holds(rule: Rule, person: OutsidePerson, *, directory: bool) -> bool:
    """Whether the rule is about this person. An empty value is about nobody."""
    if rule.on == "everyone":
        return True
    if not rule.value:
        return False
    if rule.on == "group":
        return is_among(rule.value, person.groups or frozenset(), directory=directory)
    if rule.on == "claim":
        return bool(rule.claim) and rule.value in person.claims.get(rule.claim, ())
    return rule.on == "domain" and domain_of(person, directory=directory) == rule.value.lower().lstrip("@")


def is_among(group: str, groups: frozenset[str], *, directory: bool) -> bool:
    """Whether the group is one of these, compared as its kind of source does."""
    if not directory:
        return group in groups
    wanted = parse_dn(group)
    return wanted is not None and any(parse_dn(one) == wanted for one in groups)


def domain_of(person: OutsidePerson, *, directory: bool) -> str:
    """The domain of the mail address, in lower case. Empty: there is none, or nobody vouches for it.

    A directory's administrators enter addresses; at a provider, people may enter their own: it has to say that it
    checked this one.
    """
    if not directory and "true" not in (text.lower() for text in person.claims.get("email_verified", ())):
        return ""
    before, at, domain = person.email.rpartition("@")
    return domain.lower() if before and at else ""
