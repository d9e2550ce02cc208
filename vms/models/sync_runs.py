"""The history of syncs."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from clusters.models import Cluster


class SyncRunQuerySet(models.QuerySet["SyncRun"]):
    def prune(self, *, before: datetime) -> int:
        return self.filter(last_at__lt=before).delete()[0]


class SyncRun(models.Model):
    """Syncs of a cluster. Consecutive ones without changes share one row, which counts them."""

    class Outcome(models.TextChoices):
        OK = "ok", gettext_lazy("applied")
        SUSPICIOUS = "suspicious", gettext_lazy("too few machines listed")
        FAILED = "failed", gettext_lazy("failed")

    KEPT = timedelta(days=14)

    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="sync_runs",
    )
    outcome = models.CharField(gettext_lazy("outcome"), max_length=10, choices=Outcome)
    problem = models.CharField(gettext_lazy("problem"), max_length=300, blank=True)
    problem_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    first_at = models.DateTimeField(gettext_lazy("first run"))
    last_at = models.DateTimeField(gettext_lazy("last run"))
    runs = models.PositiveIntegerField(gettext_lazy("runs"), default=1)
    milliseconds = models.PositiveIntegerField(
        gettext_lazy("duration (ms)"),
        default=0,
        help_text=gettext_lazy("Of the last run: waiting for the answer and storing it."),
    )
    seen = models.PositiveIntegerField(gettext_lazy("seen"), default=0)
    created = models.PositiveIntegerField(gettext_lazy("created"), default=0)
    changed = models.PositiveIntegerField(gettext_lazy("changed"), default=0)
    missing = models.PositiveIntegerField(gettext_lazy("missing"), default=0)
    gone = models.PositiveIntegerField(gettext_lazy("gone"), default=0)

    objects: ClassVar[Any] = SyncRunQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("sync runs")
        verbose_name = gettext_lazy("sync run")
        ordering = ["-last_at", "-pk"]
        indexes = [models.Index(fields=["cluster", "-last_at"], name="sync_runs_by_cluster")]

    def __str__(self) -> str:
        return f"{self.cluster_id}, {self.last_at:%Y-%m-%d %H:%M:%S}: {self.get_outcome_display()}"

    @property
    def rendered_problem(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "problem")
