"""How configuration changes reach the audit trail (django-auditlog)."""

from collections.abc import Iterator
from contextlib import contextmanager

from auditlog.context import set_extra_data
from auditlog.models import LogEntry
from django.db import models

from accounts.trail import in_words


def mask(value: str) -> str:
    """What the trail keeps of a secret: that there is one. `credential_version` tells that it changed."""
    return "***" if value not in {"", "None"} else value


def record(instance: models.Model, **changes: tuple[object, object]) -> None:
    """Write down a change that a queryset update made, which sends no signal: field=(before, after)."""
    LogEntry.objects.log_create(instance, action=LogEntry.Action.UPDATE, changes=in_words(changes))


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Who acts when nobody is logged in: a command."""
    with set_extra_data({"actor": None, "actor_email": name}):
        yield
