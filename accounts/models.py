"""People: one user model, with what a person chose for himself."""

import zoneinfo
from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError("“%(name)s” is not a time zone. Write it like Europe/Madrid.", params={"name": name})


class CaseInsensitiveUserManager(UserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """Anna logs in as anna, ANNA or Anna; the constraint below keeps that one person."""
        return self.get(username__iexact=username)


class User(AbstractUser):
    class Theme(models.TextChoices):
        AUTO = "auto", "as the device"
        LIGHT = "light", "light"
        DARK = "dark", "dark"

    time_zone = models.CharField(
        max_length=64, blank=True, validators=[validate_time_zone], help_text="Empty: the portal's."
    )
    language = models.CharField(max_length=16, blank=True, help_text="Empty: as the browser asks.")
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.AUTO)

    objects: ClassVar[CaseInsensitiveUserManager] = CaseInsensitiveUserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="username_unique_without_case",
                violation_error_message="A user with this name exists already.",
            )
        ]
