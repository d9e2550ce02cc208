"""Heartbeats of workers, and when periodic jobs run next."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy


class WorkerBeat(models.Model):
    """A worker process that is, or was, alive. The worker writes it every few seconds."""

    EVERY = timedelta(seconds=5)
    DEAD_AFTER = timedelta(seconds=60)

    name = models.CharField(
        gettext_lazy("name"),
        max_length=100,
        unique=True,
        help_text=gettext_lazy("Host, process number and a random part."),
    )
    version = models.CharField(gettext_lazy("version"), max_length=40, blank=True)
    started_at = models.DateTimeField(gettext_lazy("started at"), default=timezone.now)
    seen_at = models.DateTimeField(gettext_lazy("seen at"), default=timezone.now)

    class Meta:
        verbose_name = gettext_lazy("worker beat")
        verbose_name_plural = gettext_lazy("worker beats")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name


class Schedule(models.Model):
    """The next run of a periodic job. Any number of workers may call `claim`; one of them gets each run."""

    name = models.CharField(gettext_lazy("name"), max_length=50, primary_key=True)
    next_at = models.DateTimeField(gettext_lazy("next at"))

    class Meta:
        verbose_name = gettext_lazy("schedule")
        verbose_name_plural = gettext_lazy("schedules")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def claim(cls, name: str, *, every: timedelta) -> bool:
        """Whether the job is due, and this caller is the one who runs it."""
        now = timezone.now()
        _, is_new = cls.objects.get_or_create(name=name, defaults={"next_at": now + every})
        return is_new or bool(cls.objects.filter(name=name, next_at__lte=now).update(next_at=now + every))
