"""Lists the user names that are locked after wrong passwords, with addresses and end, and unlocks them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditlog.models import LogEntry
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Exists, Max, OuterRef, QuerySet, Sum
from django.utils import timezone

from accounts import audit
from accounts.models import User


@dataclass(frozen=True)
class Lock:
    """This name cannot log in from this address until then. An address that is not known is empty."""

    address: str
    since: datetime
    until: datetime


def for_user(person: User) -> list[Lock]:
    """The locks in force, as django-axes counts."""
    rows = _in_force().filter(username=person.username).order_by("at").values_list("ip_address", "at")
    return [Lock(address or "", at, at + settings.AXES_COOLOFF_TIME) for address, at in rows]


def current() -> set[str]:
    """The user names that are locked now, from one address or several."""
    return set(_in_force().values_list("username", flat=True))


def is_locked() -> Exists:
    """Annotates a row of users: whether its name is locked."""
    return Exists(_in_force().filter(username=OuterRef("username")))


def _in_force() -> QuerySet[Any, dict[str, Any]]:
    begun = timezone.now() - settings.AXES_COOLOFF_TIME
    recent = AccessAttempt.objects.filter(attempt_time__gt=begun).order_by().values("username", "ip_address")
    counted: QuerySet[Any, dict[str, Any]] = recent.annotate(wrong=Sum("failures_since_start"), at=Max("attempt_time"))
    return counted.filter(wrong__gte=settings.AXES_FAILURE_LIMIT)


def unlock(person: User) -> bool:
    """Forget this name's wrong passwords, from every address. False when it was not locked."""
    held = for_user(person)
    AccessAttempt.objects.filter(username=person.username).delete()
    if held:
        addresses = ", ".join(lock.address for lock in held)
        audit.record_many([(person, {"locked at": (addresses, "unlocked")})], action=LogEntry.Action.UPDATE)
    return bool(held)
