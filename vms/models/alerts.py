"""Alerts: each issue of a cluster that administrators are notified of, and each notification."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from clusters.models import Cluster


class AlertQuerySet(models.QuerySet["Alert"]):
    def unfinished(self) -> Self:
        return self.filter(closed_at=None)

    def open(self) -> Self:
        """Alerts that administrators were notified of and that have not ended."""
        return self.unfinished().exclude(opened_at=None)

    def prune(self, *, before: datetime) -> int:
        return self.filter(closed_at__lt=before).delete()[0]


class Alert(models.Model):
    """An issue of a cluster: seen → open → closed. It opens when it has lasted, and closes when it was over as long."""

    class Kind(models.TextChoices):
        DOWN = "cluster_down", gettext_lazy("cluster not responding")
        CERTIFICATE = "certificate_changed", gettext_lazy("certificate changed")
        CREDENTIAL = "credential_rejected", gettext_lazy("credential rejected")
        READ_TOKEN = "read_token_rejected", gettext_lazy("read-only token rejected")
        EXPIRY = "token_expires", gettext_lazy("token expires")
        STALE = "sync_stale", gettext_lazy("machines out of date")

    KEPT = timedelta(days=90)

    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="alerts",
    )
    kind = models.CharField(gettext_lazy("kind"), max_length=20, choices=Kind)
    text = models.CharField(gettext_lazy("text"), max_length=500, help_text=gettext_lazy("The problem and what to do."))
    text_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    since = models.DateTimeField(gettext_lazy("since"), help_text=gettext_lazy("Since when it is so."))
    seen_at = models.DateTimeField(gettext_lazy("seen at"), help_text=gettext_lazy("When it was noticed."))
    opened_at = models.DateTimeField(
        gettext_lazy("opened at"),
        null=True,
        help_text=gettext_lazy("When it had lasted long enough to tell. Empty: not yet."),
    )
    quiet_since = models.DateTimeField(
        gettext_lazy("quiet since"), null=True, help_text=gettext_lazy("Since when it is over, but perhaps comes back.")
    )
    closed_at = models.DateTimeField(
        gettext_lazy("closed at"), null=True, help_text=gettext_lazy("Empty while it lasts.")
    )

    objects: ClassVar[Any] = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("alert")
        verbose_name_plural = gettext_lazy("alerts")
        ordering = ["-seen_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "kind"],
                condition=Q(closed_at=None),
                name="one_unfinished_alert_of_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(opened_at__isnull=False), name="alert_closed_after_it_was_opened"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster_id}: {self.get_kind_display()}"

    @property
    def rendered_text(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "text")

    def open(self, now: datetime, *, text: str, since: datetime, channels: list[str]) -> bool:
        """Open it, with a notification for each channel. False when another process did."""
        return self._step(
            Alert.objects.unfinished().filter(opened_at=None), AlertMessage.Event.OPEN, channels,
            opened_at=now, since=since, **stored_messages.columns("text", text, most=500),
        )  # fmt: skip

    def close(self, now: datetime, *, channels: list[str]) -> bool:
        return self._step(Alert.objects.open(), AlertMessage.Event.CLOSED, channels, closed_at=now)

    def _step(self, allowed: AlertQuerySet, event: str, channels: list[str], **values: Any) -> bool:
        """The change and its notifications, in one transaction."""
        with transaction.atomic():
            if not allowed.filter(pk=self.pk).update(**values):
                return False
            AlertMessage.objects.bulk_create(
                AlertMessage(alert=self, event=event, channel=channel) for channel in channels
            )
        return True


class AlertMessageQuerySet(models.QuerySet["AlertMessage"]):
    def due(self, now: datetime) -> Self:
        return self.filter(state=AlertMessage.State.WAITING, next_at__lte=now).order_by("pk")


class AlertMessage(models.Model):
    """A notification: a mail or a call of the webhook. The process that claims it sends it.

    It is sent at most once: only one that was certainly not delivered is tried again. A process that dies while it
    sends leaves the notification in the state *sending*, because nobody can tell whether it arrived.
    """

    class Event(models.TextChoices):
        OPEN = "open", gettext_lazy("it began")
        CLOSED = "closed", gettext_lazy("it is over")

    class Channel(models.TextChoices):
        MAIL = "mail", gettext_lazy("mail")
        WEBHOOK = "webhook", gettext_lazy("webhook")

    class State(models.TextChoices):
        WAITING = "waiting", gettext_lazy("waiting")
        SENDING = "sending", gettext_lazy("being sent")
        SENT = "sent", gettext_lazy("sent")
        UNKNOWN = "unknown", gettext_lazy("not known whether it arrived")
        FAILED = "failed", gettext_lazy("given up")

    # Delays of one minute, two, four, …: the eighth try is two hours after the first.
    MAX_TRIES = 8
    FIRST_DELAY = timedelta(minutes=1)

    alert = models.ForeignKey(Alert, models.CASCADE, verbose_name=gettext_lazy("alert"), related_name="messages")
    event = models.CharField(gettext_lazy("event"), max_length=6, choices=Event)
    channel = models.CharField(gettext_lazy("channel"), max_length=7, choices=Channel)
    state = models.CharField(gettext_lazy("state"), max_length=7, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(gettext_lazy("tries"), default=0)
    next_at = models.DateTimeField(gettext_lazy("next at"), default=timezone.now)
    problem = models.CharField(gettext_lazy("problem"), max_length=200, blank=True)

    objects: ClassVar[Any] = AlertMessageQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("message about an alert")
        verbose_name_plural = gettext_lazy("messages about alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "event", "channel"], name="one_message_per_alert_event_and_channel"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}, {self.get_event_display()}: {self.get_state_display()}"

    def claim(self, now: datetime) -> bool:
        """Whether this caller sends it."""
        due = AlertMessage.objects.due(now).filter(pk=self.pk)
        claimed = bool(due.update(state=self.State.SENDING, tries=F("tries") + 1))
        self.tries += claimed
        return claimed

    def mark_sent(self) -> None:
        self._finish(state=self.State.SENT, problem="")

    def mark_unknown(self, problem: str) -> None:
        self._finish(state=self.State.UNKNOWN, problem=problem[:200])

    def mark_failed(self, problem: str) -> None:
        self._finish(state=self.State.FAILED, problem=problem[:200])

    def retry_later(self, now: datetime, problem: str) -> None:
        """It was certainly not delivered: try again later, or give up after the last try."""
        state = self.State.WAITING if self.tries < self.MAX_TRIES else self.State.FAILED
        delay: timedelta = self.FIRST_DELAY * 2 ** (self.tries - 1)
        self._finish(state=state, problem=problem[:200], next_at=now + delay)

    def _finish(self, **values: Any) -> None:
        AlertMessage.objects.filter(pk=self.pk, state=self.State.SENDING).update(**values)


class CredentialEnd(models.Model):
    """The date when the portal's credentials for a cluster expire, as the cluster said."""

    CHECK_EVERY = timedelta(hours=6)
    WARN_BEFORE = timedelta(days=14)

    cluster = models.OneToOneField(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        primary_key=True,
        related_name="credential_end",
    )
    credential_version = models.PositiveIntegerField(
        gettext_lazy("credential version"), help_text=gettext_lazy("Of the credentials that were asked about.")
    )
    asked_at = models.DateTimeField(gettext_lazy("asked at"))
    ends_at = models.DateTimeField(
        gettext_lazy("ends at"), null=True, help_text=gettext_lazy("Empty: never, or the cluster did not say.")
    )
    read_token_ends_at = models.DateTimeField(gettext_lazy("read token ends at"), null=True)
    problem = models.CharField(
        gettext_lazy("problem"), max_length=300, blank=True, help_text=gettext_lazy("Why the cluster did not say.")
    )
    problem_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)

    class Meta:
        verbose_name = gettext_lazy("end of a credential")
        verbose_name_plural = gettext_lazy("ends of credentials")

    def __str__(self) -> str:
        return f"{self.cluster_id}: {self.earliest or 'never'}"

    @property
    def earliest(self) -> datetime | None:
        return min((end for end in (self.ends_at, self.read_token_ends_at) if end), default=None)
