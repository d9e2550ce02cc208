"""Hours of own use: what people used of the machines of a class outside its lessons, and what they got in addition."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from classes.models.labs import LabClass

MOST_EXTRA_HOURS = 500


class UsedTime(models.Model):
    """Minutes that a person's machines of a class ran on one day of its time zone, outside lessons.

    Counted minute by minute from what was observed; two machines in the same minute count once.
    """

    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, related_name="used_times", verbose_name=gettext_lazy("class")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="used_times", verbose_name=gettext_lazy("user")
    )
    day = models.DateField(gettext_lazy("day"))
    minutes = models.PositiveIntegerField(gettext_lazy("minutes"), default=0)
    counted_at = models.DateTimeField(
        gettext_lazy("counted at"), help_text=gettext_lazy("The last minute that was counted.")
    )

    class Meta:
        verbose_name = gettext_lazy("used time")
        verbose_name_plural = gettext_lazy("used times")
        ordering = ["-day", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["lab_class", "user", "day"], name="one_used_time_per_class_person_and_day")
        ]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.day}: {self.minutes} min"


class ExtraHours(models.Model):
    """Hours that a teacher gave one person in addition, for the week or the term in which they were given."""

    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, related_name="extra_hours", verbose_name=gettext_lazy("class")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="extra_hours", verbose_name=gettext_lazy("user")
    )
    hours = models.PositiveSmallIntegerField(
        gettext_lazy("hours"), validators=[MinValueValidator(1), MaxValueValidator(MOST_EXTRA_HOURS)]
    )
    day = models.DateField(gettext_lazy("day"))
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=gettext_lazy("given by")
    )
    given_at = models.DateTimeField(gettext_lazy("given at"), default=timezone.now)

    class Meta:
        verbose_name = gettext_lazy("extra hours")
        verbose_name_plural = gettext_lazy("extra hours")
        ordering = ["-given_at", "-pk"]
        indexes = [models.Index(fields=["lab_class", "user"], name="extra_hours_by_person")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.hours} h"
