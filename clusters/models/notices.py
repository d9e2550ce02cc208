"""Notices of administrators to the people of a cluster."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.printable import PrintableTexts
from clusters.models.cluster import Cluster


class ClusterNoticeQuerySet(models.QuerySet["ClusterNotice"]):
    def now(self, now: datetime | None = None) -> Self:
        """Notices to be shown at this moment."""
        now = now or timezone.now()
        return self.filter(Q(shown_from=None) | Q(shown_from__lte=now), Q(shown_until=None) | Q(shown_until__gt=now))


class ClusterNotice(PrintableTexts, models.Model):
    """For everybody who has a machine there, like “Serviced on Friday from 14 to 16”."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, verbose_name=gettext_lazy("cluster"), related_name="notices")
    text = models.CharField(
        gettext_lazy("text"),
        max_length=300,
        help_text=gettext_lazy("What happens and when, like “Serviced on Friday from 14 to 16”."),
    )
    shown_from = models.DateTimeField(
        gettext_lazy("shown from"), null=True, blank=True, help_text=gettext_lazy("Empty: immediately.")
    )
    shown_until = models.DateTimeField(
        gettext_lazy("shown until"), null=True, blank=True, help_text=gettext_lazy("Empty: until it is deleted.")
    )

    objects: ClassVar[Any] = ClusterNoticeQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("notices")
        verbose_name = gettext_lazy("notice")
        ordering = ["cluster", F("shown_from").asc(nulls_first=True), "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(shown_from=None) | Q(shown_until=None) | Q(shown_until__gt=F("shown_from")),
                name="notice_ends_after_it_begins",
                violation_error_message=gettext_lazy("The end must be after the start."),
            )
        ]

    def __str__(self) -> str:
        return self.text
