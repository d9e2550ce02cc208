"""Reads a directory as a whole, makes the plan, and carries it out: every night, or when a person says so."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit, stored_messages
from accounts.models import OutsideRole, SignInIdentity, SignInSource
from accounts.models.sources import Directory
from accounts.plans import PlanChanged
from accounts.sentences import say
from accounts.sign_in import entering, health, names, roles, rules
from accounts.sign_in.facts import Closed, OutsidePerson
from accounts.sign_in.keeping_up.planning import FIELDS, Known, Now, SyncPlan, SyncReason, SyncRow, compared
from accounts.sign_in.outages import SourceDown
from accounts.stored_messages import Message

logger = logging.getLogger(__name__)

AT_ONCE = 100  # people in one transaction
People = Mapping[str, OutsidePerson]


def everybody(directory: SignInSource, now: datetime) -> People:
    """Asks the directory. Raises `SourceDown`, also for an answer that is not whole."""
    if not health.packages_are_installed():
        raise SourceDown(directory, say("sign-in-packages-needed"))
    from accounts.sign_in.ldap import listing  # noqa: PLC0415 - an extra

    return listing.everybody(directory, now)


def plan_from(directory: SignInSource, people: People) -> SyncPlan:
    """What the listing would change here. It writes nothing."""
    return compared(_known(directory), people, _Rules(directory).should_be)


def carry_out(directory: SignInSource, rows: list[SyncRow], people: People, now: datetime) -> None:
    """In the caller's transaction."""
    for row in rows:
        identity = entering.find(directory, row.subject)
        if identity is None:
            raise PlanChanged
        if row.reason in {SyncReason.LEFT, SyncReason.CLOSED}:
            person = people.get(row.subject)
            _close(identity, person.closed if person else None, now)
            roles.apply(identity.user, directory, frozenset(), now=now)  # a password that was kept here still works
            continue
        identity.source = directory
        person = people[row.subject]
        entering.bring_up_to_date(identity, person, entering.decide(directory, person), now=now)


def compare_all() -> None:
    """The nightly job: each active directory by itself."""
    for directory in Directory.objects.filter(is_active=True):
        compare(directory)


def compare(directory: SignInSource) -> Message:
    """Brings accounts up to date, as far as no person has to decide. Returns what is told about it."""
    now = timezone.now()
    try:
        people = everybody(directory, now)
        plan = plan_from(directory, people)
    except SourceDown as error:
        health.note(directory, error.message, now=now)
        return _record(directory, say("sign-in-sync-failed", problem=error.message), now)
    held = plan.leaving if plan.needs_a_person else []
    rows = [row for row in plan.rows if row not in held]
    with audit.acting_as("nightly comparison"):
        left = iter(rows)
        while some := list(islice(left, AT_ONCE)):
            with transaction.atomic():
                carry_out(directory, some, people, now)
    if held:
        health.note(directory, None, now=now)
        return _record(directory, say("sign-in-sync-held", people=len(held), changed=len(rows)), now, held=len(held))
    return record(directory, plan, now)


def record(directory: SignInSource, plan: SyncPlan, now: datetime) -> Message:
    """After all of the plan was carried out."""
    health.note(directory, None, now=now)
    return _record(directory, say("sign-in-sync-done", listed=plan.listed, changed=len(plan.written)), now, held=0)


def _record(directory: SignInSource, message: Message, now: datetime, held: int | None = None) -> Message:
    values: dict[str, Any] = stored_messages.columns("sync_sentence", message, most=health.MOST_TEXT)
    if held is not None:  # what waits for a person still waits after a night on which nobody answered
        values |= {"sync_held": held}
    SignInSource.objects.filter(pk=directory.pk).update(synced_at=now, **values)
    logger.info("%s: %s", directory.name, message.english)
    return message


def _close(identity: SignInIdentity, closed: Closed | None, now: datetime) -> None:
    """Ends the person's sessions with it: see `accounts.backends`."""
    identity.left_at = identity.left_at or now
    if closed:
        identity.closed_reason = closed.value
    identity.save(update_fields=["left_at", "closed_reason"])


def _known(directory: SignInSource) -> Iterator[Known]:
    given: dict[int, set[int]] = {}
    for user, group in OutsideRole.objects.filter(source=directory).values_list("user_id", "group_id"):
        given.setdefault(user, set()).add(group)
    columns = ("first_name", "last_name", "email")
    rows = SignInIdentity.objects.filter(source=directory).values_list(
        "user_id", "subject", "user__username", "left_at", "closed_reason", "groups", "name_there", "mail_there",
        "number_there", *(f"user__{name}" for name in columns),
    )  # fmt: skip
    for user, subject, username, left_at, closed, groups, name, mail, number, *own in rows.iterator(chunk_size=2000):
        texts = {"name_there": name, "mail_there": mail, "number_there": number} | dict(zip(columns, own, strict=True))
        yield Known(
            subject, username, texts, tuple(groups), frozenset(given.get(user, ())), left_at is not None, closed
        )


class _Rules:
    """Decides once for all people of the same groups and the same mail domain."""

    def __init__(self, directory: SignInSource) -> None:
        self._rules = list(directory.rules.all())
        self._known: dict[tuple[frozenset[str], str], frozenset[int]] = {}

    def should_be(self, person: OutsidePerson) -> Now:
        texts = names.personal(person) | {
            "name_there": names.shown(person.username, most=255),
            "mail_there": names.shown(person.email, most=255),
            "number_there": names.shown(person.number, most=100),
        }
        return Now({name: texts[name] for name in FIELDS if name in texts}, self._roles(person))

    def _roles(self, person: OutsidePerson) -> frozenset[int]:
        key = (person.groups or frozenset(), rules.domain_of(person, directory=True))
        if key not in self._known:
            self._known[key] = rules.decide(self._rules, person, directory=True).roles or frozenset()
        return self._known[key]
