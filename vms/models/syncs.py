"""Syncs: when each cluster is read, and its nodes and pools."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from clusters.models import Cluster
from vms.models.sync_runs import SyncRun


class ClusterSync(models.Model):
    """The sync schedule of a cluster, and its limits of operations at a time."""

    LEASE = timedelta(seconds=45)
    # So many failures in a row open the breaker: each further failure doubles the delay of the next sync, up to
    # MAX_DELAY. A cluster that comes back is synced within 30 s, and the attempt before may take 10 s.
    BREAKER_FAILURES = 3
    MAX_DELAY = timedelta(seconds=20)
    # How often the people who have machines there, all together, may request a sync.
    MIN_REQUEST_INTERVAL = timedelta(seconds=15)

    cluster = models.OneToOneField(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        primary_key=True,
        related_name="sync",
    )
    interval = models.PositiveSmallIntegerField(
        gettext_lazy("interval"),
        null=True,
        blank=True,
        validators=[MinValueValidator(2), MaxValueValidator(3600)],
        help_text=gettext_lazy("Seconds between two syncs. Empty: the portal's setting."),
    )
    deadline = models.PositiveSmallIntegerField(
        gettext_lazy("time limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(2), MaxValueValidator(30)],
        help_text=gettext_lazy("Seconds that one sync may take. Empty: the portal's setting."),
    )
    node_limit = models.PositiveSmallIntegerField(
        gettext_lazy("operations at a time on a node"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    cluster_limit = models.PositiveSmallIntegerField(
        gettext_lazy("operations at a time on the cluster"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    due_at = models.DateTimeField(gettext_lazy("next sync"), default=timezone.now, editable=False)
    attempt = models.PositiveIntegerField(gettext_lazy("attempt"), default=0, editable=False)
    failures = models.PositiveIntegerField(
        gettext_lazy("failures in a row"),
        default=0,
        editable=False,
        help_text=gettext_lazy("Attempts that failed since the last sync."),
    )
    asked_at = models.DateTimeField(
        gettext_lazy("last attempt"),
        null=True,
        editable=False,
        help_text=gettext_lazy("When the portal last asked the cluster."),
    )
    synced_at = models.DateTimeField(
        gettext_lazy("last sync"),
        null=True,
        editable=False,
        help_text=gettext_lazy("When the last complete answer was requested."),
    )
    milliseconds = models.PositiveIntegerField(
        gettext_lazy("duration (ms)"),
        null=True,
        editable=False,
        help_text=gettext_lazy("Time that the last answer took."),
    )
    keyboard = models.CharField(
        gettext_lazy("keyboard option"),
        max_length=20,
        blank=True,
        db_default="",
        default="",
        editable=False,
        help_text=gettext_lazy("The option “keyboard” of the whole cluster in Proxmox VE."),
    )
    quorate = models.BooleanField(
        gettext_lazy("has quorum"), null=True, editable=False, help_text=gettext_lazy("Empty: not known.")
    )
    notice = models.CharField(gettext_lazy("notice"), max_length=300, blank=True, editable=False)
    notice_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    believe_down_to = models.PositiveIntegerField(
        gettext_lazy("minimum accepted count"),
        null=True,
        editable=False,
        help_text=gettext_lazy("The next answer is accepted if it lists at least this many machines."),
    )
    followed_until = models.DateTimeField(
        gettext_lazy("followed until"),
        null=True,
        editable=False,
        help_text=gettext_lazy("Until then somebody looks at its operations, or died over it."),
    )

    provisioned_by = models.CharField(
        gettext_lazy("worker that makes machines"), max_length=40, blank=True, db_default="", default="", editable=False
    )
    provisioned_until = models.DateTimeField(gettext_lazy("lease of this worker"), null=True, editable=False)

    class Meta:
        verbose_name = gettext_lazy("cluster sync")
        verbose_name_plural = gettext_lazy("cluster syncs")

    def __str__(self) -> str:
        return str(self.cluster_id)

    @property
    def rendered_notice(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "notice")

    @property
    def why_stale(self) -> str:
        """The notice, if it says why the last answer was not applied; in the reader's language."""
        code = (self.notice_message or {}).get("code")
        return "" if code == "odd-figures" else self.rendered_notice

    @property
    def every(self) -> timedelta:
        return timedelta(seconds=self.interval or settings.SYNC_INTERVAL)

    @property
    def is_breaker_open(self) -> bool:
        """Whether the breaker is open."""
        return self.failures >= self.BREAKER_FAILURES

    @property
    def is_syncing(self) -> bool:
        """Whether a worker has claimed the sync and has not finished it."""
        return self.asked_at is not None and self.due_at == self.asked_at + self.LEASE

    @property
    def delay(self) -> timedelta:
        """Until the next sync: the interval, doubled with each failure once the breaker is open."""
        doubled: timedelta = self.every * 2 ** min(max(0, self.failures - self.BREAKER_FAILURES + 1), 10)
        return max(self.every, min(doubled, self.MAX_DELAY))

    @classmethod
    def claim(cls, cluster_id: str, now: datetime) -> int:
        """Claim the sync of a cluster if it is due, and return the attempt's number; 0 when it is not due.

        Any number of workers may call it. A sync with an older number writes nothing.
        """
        cls.objects.get_or_create(cluster_id=cluster_id, defaults={"due_at": now})
        due = cls.objects.filter(cluster_id=cluster_id, due_at__lte=now)
        if not due.update(due_at=now + cls.LEASE, attempt=F("attempt") + 1, asked_at=now):
            return 0
        return int(cls.objects.values_list("attempt", flat=True).get(cluster_id=cluster_id))

    @classmethod
    def schedule_next(cls, cluster_id: str, *, attempt: int, failed: bool = False) -> None:
        """Finish this attempt."""
        row = cls.objects.filter(cluster_id=cluster_id, attempt=attempt).first()
        if row is None:
            return
        row.failures = row.failures + 1 if failed else 0
        due_at = row.next_due(timezone.now())
        cls.objects.filter(cluster_id=cluster_id, attempt=attempt).update(failures=row.failures, due_at=due_at)

    def next_due(self, now: datetime) -> datetime:
        """An interval after the sync that has just ended was asked for; a slow cluster rests for half of one."""
        if self.failures or self.asked_at is None:
            return now + self.delay
        return max(self.asked_at + self.delay, now + self.delay / 2)

    def accept_last_answer(self) -> int | None:
        """Accept a suspicious answer. Returns how many machines it had; None when the last one was not suspicious."""
        last = SyncRun.objects.filter(cluster_id=self.cluster_id).first()
        if last is None or last.outcome != SyncRun.Outcome.SUSPICIOUS:
            return None
        ClusterSync.objects.filter(pk=self.pk).update(believe_down_to=last.seen)
        ClusterSync.request_sync(self.cluster_id)
        return int(last.seen)

    @classmethod
    def request_sync_throttled(cls, cluster_id: str) -> bool:
        """Request a sync, unless there was one just now or one is due. Returns whether it was requested."""
        now = timezone.now()
        is_recent = Q(asked_at__gt=now - cls.MIN_REQUEST_INTERVAL) | Q(due_at__lte=now)
        return bool(cls.objects.filter(cluster_id=cluster_id).exclude(is_recent).update(due_at=now))

    @classmethod
    def request_sync(cls, cluster_id: str) -> None:
        """Make the sync due at once, even while the breaker is open."""
        cls.objects.update_or_create(cluster_id=cluster_id, defaults={"due_at": timezone.now()})


class NodeQuerySet(models.QuerySet["Node"]):
    def present(self) -> Self:
        return self.filter(missing_since=None)


class Node(models.Model):
    """A node, as the cluster's list of resources describes it."""

    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="nodes",
    )
    name = models.CharField(gettext_lazy("name"), max_length=63)
    online = models.BooleanField(gettext_lazy("online"))
    since = models.DateTimeField(gettext_lazy("since"), help_text=gettext_lazy("Since when it is online, or is not."))
    missing_since = models.DateTimeField(gettext_lazy("missing since"), null=True)

    objects: ClassVar[Any] = NodeQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("node")
        verbose_name_plural = gettext_lazy("nodes")
        ordering = ["cluster_id", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="one_node_per_cluster_and_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.cluster_id})"


class Pool(models.Model):
    """A pool that the portal may see, or that one of the cluster's machines is in."""

    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="pools",
    )
    name = models.CharField(gettext_lazy("name"), max_length=100)
    missing_since = models.DateTimeField(gettext_lazy("missing since"), null=True)

    class Meta:
        verbose_name = gettext_lazy("pool")
        verbose_name_plural = gettext_lazy("pools")
        ordering = ["cluster_id", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="one_pool_per_cluster_and_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.cluster_id})"
