"""Snapshots of machines, as the clusters list them."""

from typing import Any, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy

from vms.models.machines import VirtualMachine


class SnapshotQuerySet(models.QuerySet["Snapshot"]):
    def complete(self) -> Self:
        """Snapshots that machines can be reverted to."""
        return self.filter(state="")


class Snapshot(models.Model):
    """A snapshot of a machine, as the cluster listed it last."""

    vm = models.ForeignKey(VirtualMachine, models.CASCADE, verbose_name=gettext_lazy("vm"), related_name="snapshots")
    name = models.CharField(gettext_lazy("name"), max_length=40)
    description = models.CharField(gettext_lazy("description"), max_length=500, blank=True)
    taken_at = models.DateTimeField(gettext_lazy("taken at"), null=True)
    parent = models.CharField(gettext_lazy("parent"), max_length=40, blank=True)
    with_memory = models.BooleanField(gettext_lazy("with memory"), default=False)
    state = models.CharField(
        gettext_lazy("state"),
        max_length=20,
        blank=True,
        db_default="",
        default="",
        help_text=gettext_lazy("Empty: complete. Otherwise “prepare” or “delete”, which has not finished."),
    )

    objects: ClassVar[Any] = SnapshotQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("snapshot")
        verbose_name_plural = gettext_lazy("snapshots")
        ordering = ["taken_at", "name"]
        constraints = [models.UniqueConstraint(fields=["vm", "name"], name="one_snapshot_per_machine_and_name")]

    def __str__(self) -> str:
        return self.name
