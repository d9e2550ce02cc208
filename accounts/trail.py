"""How changes that send no signal reach the audit trail (django-auditlog)."""

from collections.abc import Iterable

from auditlog.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.signals import pre_save

Changes = dict[str, tuple[object, object]]  # field: before and after


def record_many(rows: Iterable[tuple[models.Model, Changes]], *, action: int = LogEntry.Action.UPDATE) -> None:
    """Write down what happened to many rows, in few statements."""
    entries = [
        LogEntry(
            content_type=ContentType.objects.get_for_model(instance),
            object_pk=str(instance.pk),
            object_id=instance.pk,
            object_repr=str(instance),
            action=action,
            changes=in_words(changes),
        )
        for instance, changes in rows
    ]
    for entry in entries:  # by this signal django-auditlog adds who acts, and from where
        pre_save.send(LogEntry, instance=entry)
    LogEntry.objects.bulk_create(entries, batch_size=500)


def in_words(changes: Changes) -> dict[str, list[str]]:
    return {field: [str(before), str(after)] for field, (before, after) in changes.items()}
