"""The audit log (django-auditlog): what its masks show of a secret, and changes that send no signal."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from auditlog.context import set_extra_data
from auditlog.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.signals import pre_save

Changes = dict[str, tuple[object, object]]  # field: before and after


def mask(value: str) -> str:
    """The log's mask for a secret: it says that there is one. `credential_version` says that it changed."""
    return "***" if value not in {"", "None"} else value


def record(instance: models.Model, **changes: tuple[object, object]) -> None:
    """Log a change that a queryset update made, which sends no signal: field=(before, after)."""
    LogEntry.objects.log_create(instance, action=LogEntry.Action.UPDATE, changes=_as_text(changes))


def record_many(rows: Iterable[tuple[models.Model, Changes]], *, action: int = LogEntry.Action.UPDATE) -> None:
    """Log what happened to many rows, in few statements."""
    entries = [
        LogEntry(
            content_type=ContentType.objects.get_for_model(instance),
            object_pk=str(instance.pk),
            object_id=instance.pk,
            object_repr=str(instance),
            action=action,
            changes=_as_text(changes),
        )
        for instance, changes in rows
    ]
    for entry in entries:  # by this signal django-auditlog adds who acts, and from where
        pre_save.send(LogEntry, instance=entry)
    LogEntry.objects.bulk_create(entries, batch_size=500)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Names the actor of changes when nobody is logged in: a command."""
    with set_extra_data({"actor": None, "actor_email": name}):
        yield


def _as_text(changes: Changes) -> dict[str, list[str]]:
    return {field: [str(before), str(after)] for field, (before, after) in changes.items()}
