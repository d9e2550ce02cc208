"""How configuration changes reach the audit trail (django-auditlog)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from auditlog.context import set_extra_data
from auditlog.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.signals import pre_save


def mask(value: str) -> str:
    """What the trail keeps of a secret: that there is one. `credential_version` tells that it changed."""
    return "***" if value not in {"", "None"} else value


def record(instance: models.Model, **changes: tuple[object, object]) -> None:
    """Write down a change that a queryset update made, which sends no signal: field=(before, after)."""
    LogEntry.objects.log_create(instance, action=LogEntry.Action.UPDATE, changes=_in_words(changes))


Change = tuple[models.Model, dict[str, tuple[object, object]]]


def record_many(rows: Iterable[Change], *, action: int = LogEntry.Action.UPDATE) -> None:
    """The same for many rows, in few statements."""
    entries = [
        LogEntry(
            content_type=ContentType.objects.get_for_model(instance),
            object_pk=str(instance.pk),
            object_id=instance.pk,
            object_repr=str(instance),
            action=action,
            changes=_in_words(changes),
        )
        for instance, changes in rows
    ]
    for entry in entries:  # by this signal django-auditlog adds who acts, and from where
        pre_save.send(LogEntry, instance=entry)
    LogEntry.objects.bulk_create(entries, batch_size=500)


def _in_words(changes: dict[str, tuple[object, object]]) -> dict[str, list[str]]:
    return {field: [str(before), str(after)] for field, (before, after) in changes.items()}


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Who acts when nobody is logged in: a command."""
    with set_extra_data({"actor": None, "actor_email": name}):
        yield
