"""Names that are locked after wrong passwords: who, where from, until when; and taking the lock off."""

from dataclasses import dataclass
from datetime import datetime

from auditlog.models import LogEntry
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Sum
from django.utils import timezone

from accounts import audit
from accounts.models import User


@dataclass(frozen=True)
class Lock:
    """This name cannot log in from this address until then. An address that is not known is empty."""

    address: str
    since: datetime
    until: datetime


def of(person: User) -> list[Lock]:
    """Those in force, as django-axes counts."""
    begun = timezone.now() - settings.AXES_COOLOFF_TIME
    rows = AccessAttempt.objects.filter(username=person.username, attempt_time__gt=begun).values("ip_address")
    counted = rows.annotate(wrong=Sum("failures_since_start"), at=Max("attempt_time")).order_by("at")
    locked = counted.filter(wrong__gte=settings.AXES_FAILURE_LIMIT)
    return [Lock(row["ip_address"] or "", row["at"], row["at"] + settings.AXES_COOLOFF_TIME) for row in locked]


def take_off(person: User) -> bool:
    """Forget this name's wrong passwords, from every address. False when it was not locked."""
    held = of(person)
    AccessAttempt.objects.filter(username=person.username).delete()
    if held:
        addresses = ", ".join(lock.address for lock in held)
        audit.record_many([(person, {"locked at": (addresses, "unlocked")})], action=LogEntry.Action.UPDATE)
    return bool(held)
