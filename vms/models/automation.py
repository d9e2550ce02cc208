"""Whether the portal acts by itself."""

from typing import Any, ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy


class Automation(models.Model):
    """The one row about it: which installation was confirmed, and since when and why everything is held.

    A copy of the database must not stop or remove the machines of the original.
    """

    class Reason(models.TextChoices):
        RESTORED = "restored", gettext_lazy("a backup was restored")
        MOVED = "moved", gettext_lazy("it runs under another name")
        CLOCK = "clock", gettext_lazy("the clock jumped")

    ONLY = 1

    id = models.PositiveSmallIntegerField(gettext_lazy("id"), primary_key=True, default=ONLY, editable=False)
    instance = models.CharField(gettext_lazy("instance"), max_length=255, blank=True)
    found_instance = models.CharField(gettext_lazy("found instance"), max_length=255, blank=True)
    seen_at = models.DateTimeField(gettext_lazy("seen at"), default=timezone.now)
    held_since = models.DateTimeField(gettext_lazy("held since"), null=True)
    reason = models.CharField(gettext_lazy("reason"), max_length=10, choices=Reason, blank=True)
    confirmed_at = models.DateTimeField(gettext_lazy("confirmed at"), null=True)
    confirmed_by_name = models.CharField(gettext_lazy("confirmed by name"), max_length=150, blank=True)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        verbose_name = gettext_lazy("automation")
        verbose_name_plural = gettext_lazy("automation")

    def __str__(self) -> str:
        return "held" if self.held_since else "running"

    @classmethod
    def current(cls) -> Self | None:
        found: Self | None = cls.objects.filter(pk=cls.ONLY).first()
        return found
