"""Lets somebody in whom a source has vouched for: finds or makes the account, and brings it up to date.

An account is found by the source's own ID alone. It is never joined by an equal name or address.
"""

from datetime import datetime
from typing import Any

from auditlog.models import LogEntry
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.models import SignInIdentity, SignInSource, User
from accounts.sentences import say
from accounts.sign_in import hooks, names, roles, rules
from accounts.sign_in.facts import OutsidePerson
from accounts.stored_messages import Message

MAX_SUBJECT = 255


class Refused(Exception):
    """Nobody is signed in. `code` says why to programs, `sentence` to people.

    Codes: no-subject, closed, no-entry-rule, not-allowed, groups-unknown, inactive, no-accounts-made, bad-name,
    name-taken, source-inactive.
    """

    def __init__(self, code: str, **params: Any) -> None:
        self.code, self.params = code, params
        closed = f"-{params['reason']}" if code == "closed" else ""
        shown = {name: value for name, value in params.items() if name != "reason"}
        self.sentence: Message = say(f"sign-in-{code}{closed}", **shown)
        super().__init__(self.sentence)


def enter(source: SignInSource, person: OutsidePerson, *, now: datetime) -> User:
    """The account of this person, up to date. Raises `Refused`.

    Two requests of one new person make one account: the loser of the race finds what the winner made.
    """
    for is_last in (False, True):
        try:
            with transaction.atomic():
                outcome = _enter(source, person, now)
            break
        except IntegrityError:
            if is_last:
                raise
    if isinstance(outcome, Refused):
        audit.record_many(
            [(source, {"refused": ("", f"{names.shown(person.username, most=100)}: {outcome.code}")})],
            action=LogEntry.Action.ACCESS,
        )
        raise outcome
    return outcome


def expect(source: SignInSource, person: OutsidePerson, *, now: datetime) -> User:
    """The account of somebody who will sign in one day, made on another person's word. Raises `Refused`."""
    try:
        with transaction.atomic():
            identity = find(source, person.subject)
            decision = decide(source, person)
            if refused := why_not(source, person, identity, decision):
                raise refused
            identity = identity or _make(source, person, now)
            bring_up_to_date(identity, person, decision, now=now)
    except IntegrityError:  # somebody else made it at the same moment
        raise Refused("name-taken", name=names.shown(person.username, most=100)) from None
    return identity.user


def _enter(source: SignInSource, person: OutsidePerson, now: datetime) -> User | Refused:
    """A refusal is returned, so that what is written about it stays."""
    if not source.is_active:
        return Refused("source-inactive")
    if not person.subject or len(person.subject) > MAX_SUBJECT:
        return Refused("no-subject")
    identity = find(source, person.subject)
    decision = decide(source, person)
    if refused := why_not(source, person, identity, decision):
        if identity:
            _remember_refusal(identity, person, decision, now)
        return refused
    identity = identity or _make(source, person, now)
    bring_up_to_date(identity, person, decision, now=now, signs_in=True)
    audit.record_many([(identity.user, {"signed in with": ("", str(source))})], action=LogEntry.Action.ACCESS)
    return identity.user


def why_not(
    source: SignInSource, person: OutsidePerson, identity: SignInIdentity | None, decision: rules.Decision
) -> Refused | None:
    """What keeps this person out. It writes nothing."""
    if person.closed:
        return Refused("closed", reason=person.closed.value)
    if not decision.allowed:
        return Refused(decision.code)
    if identity:
        return None if identity.user.is_active else Refused("inactive")
    return _why_no_account(source, person)


def _why_no_account(source: SignInSource, person: OutsidePerson) -> Refused | None:
    if not source.makes_accounts:
        return Refused("no-accounts-made")
    name = names.account_name(source, person)
    if name is None:
        return Refused("bad-name", name=names.shown(person.username, most=100))
    return Refused("name-taken", name=name) if names.is_taken(name) else None


def find(source: SignInSource, subject: str) -> SignInIdentity | None:
    """With its account, which stays locked until the transaction ends.

    Other rows may refer to the account meanwhile: who holds a class and enrols this person does not wait for us.
    """
    locked = User.objects.select_for_update(no_key=True, of=("self",))
    user = locked.filter(identities__source=source, identities__subject=subject).first()
    if user is None:
        return None
    identity = SignInIdentity.objects.filter(source=source, subject=subject, user=user).first()
    if identity:
        identity.user, identity.source = user, source
    return identity


def decide(source: SignInSource, person: OutsidePerson) -> rules.Decision:
    return rules.decide(source.rules.all(), person, directory=source.kind == SignInSource.Kind.DIRECTORY)


def _make(source: SignInSource, person: OutsidePerson, now: datetime) -> SignInIdentity:
    user = User(username=names.account_name(source, person) or "")
    user.set_unusable_password()
    user.save(force_insert=True)
    identity = SignInIdentity(user=user, source=source, subject=person.subject, first_seen_at=now)
    identity.save(force_insert=True)
    return identity


def bring_up_to_date(
    identity: SignInIdentity, person: OutsidePerson, decision: rules.Decision, *, now: datetime, signs_in: bool = False
) -> None:
    """Names, roles and what hangs on groups, as the source says now. In a transaction that has locked the account.

    Also for jobs that ask the source about people who are not there.
    """
    user, source = identity.user, identity.source
    changed = {name: value for name, value in names.personal(person).items() if getattr(user, name) != value}
    for name, value in changed.items():
        setattr(user, name, value)
    if changed:
        user.save(update_fields=[*changed])
    _remember(identity, person, now, signs_in=signs_in)
    roles.apply(user, source, decision.roles, now=now)
    if decision.is_complete:
        for apply in hooks.appliers:
            apply(user, source, person, now)


def _remember(identity: SignInIdentity, person: OutsidePerson, now: datetime, *, signs_in: bool) -> None:
    """In one statement what each sign-in writes: the audit trail does not have these columns."""
    told: dict[str, object] = {
        "name_there": names.shown(person.username, most=255),
        "mail_there": names.shown(person.email, most=255),
        "number_there": names.shown(person.number, most=100),
        "left_at": None,
        "closed_reason": "",
    }
    often: dict[str, object] = {"last_seen_at": now} if signs_in else {}
    if person.groups is not None:
        often |= {"groups": sorted(person.groups), "groups_at": now}
    if often:
        SignInIdentity.objects.filter(pk=identity.pk).update(**often)
    for name, value in often.items():
        setattr(identity, name, value)
    changed = {name: value for name, value in told.items() if getattr(identity, name) != value}
    for name, value in changed.items():
        setattr(identity, name, value)
    if changed:
        identity.save(update_fields=[*changed])


def _remember_refusal(identity: SignInIdentity, person: OutsidePerson, decision: rules.Decision, now: datetime) -> None:
    """Why the source closed the account. On a complete answer, roles go also from who comes in no more."""
    if person.closed:
        if identity.closed_reason != person.closed.value:
            identity.closed_reason = person.closed.value
            identity.save(update_fields=["closed_reason"])
    elif not decision.allowed:
        roles.apply(identity.user, identity.source, decision.roles, now=now)
