"""People: one user model, with each person's own settings."""

import copy
import zoneinfo
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Permission, UserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.compiled_queries import CompiledByKey
from accounts.printable import PrintableTexts

# What people do in the portal's own pages: it makes nobody staff, and is no way to anybody's data.
PORTAL_RIGHTS = [("classes", "add_labclass")]

MAX_NAME = 150  # characters, as Django's own column


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is not a time zone. Enter one like Europe/Madrid."), params={"name": name})


def validate_language(code: str) -> None:
    if code not in dict(settings.LANGUAGES):
        raise ValidationError(_("“%(code)s” is not a language of the portal."), params={"code": code})


def rights_of_staff(path: str = "") -> Q:
    """Filters permissions, or rows that reach them by this path: all but those of the portal's own pages."""
    wanted = Q()
    for label, codename in PORTAL_RIGHTS:
        wanted &= ~Q(**{f"{path}content_type__app_label": label, f"{path}codename": codename})
    return wanted


class CaseInsensitiveUserManager(UserManager["User"]):
    use_in_migrations = False  # they would import it by today's name

    def get_by_natural_key(self, username: str | None) -> "User":
        """Anna logs in as anna, ANNA or Anna; the constraint below keeps that one person."""
        if not username or len(username) > MAX_NAME:
            raise self.model.DoesNotExist
        if person := _BY_NAME.first(username):
            return person
        raise self.model.DoesNotExist

    def named(self, username: str) -> models.QuerySet["User"]:
        """Nobody or one person. By the index of the constraint below, which `username__iexact` does not use."""
        return self.alias(in_lower_case=Lower("username")).filter(in_lower_case=Lower(Value(username)))

    def may_teach(self) -> models.QuerySet["User"]:
        """People who may get control over others' machines: staff, and those who may create classes."""
        wanted = Q()
        for label, codename in PORTAL_RIGHTS:
            wanted |= Q(content_type__app_label=label, codename=codename)
        by_name = Permission.objects.filter(wanted, user=OuterRef("pk"))
        by_group = Permission.objects.filter(wanted, group__user=OuterRef("pk"))
        able = Q(is_staff=True) | Q(is_superuser=True) | Exists(by_name) | Exists(by_group)
        return self.filter(able, is_active=True)

    def with_rights(self) -> models.QuerySet["User"]:
        """Staff, and whoever has rights by name or by a group: staff at the next tick of a box."""
        by_name = Permission.objects.filter(rights_of_staff(), user=OuterRef("pk"))
        by_group = Permission.objects.filter(rights_of_staff(), group__user=OuterRef("pk"))
        return self.filter(Q(is_staff=True) | Q(is_superuser=True) | Exists(by_name) | Exists(by_group))


def _named(username: str) -> models.QuerySet["User"]:
    return User.objects.named(username)


_BY_NAME: "CompiledByKey[User]" = CompiledByKey(_named)


class User(PrintableTexts, AbstractUser):
    # Whether it is shown without the rights of staff.
    is_limited = False

    class Theme(models.TextChoices):
        AUTO = "auto", gettext_lazy("System")
        LIGHT = "light", gettext_lazy("Light")
        DARK = "dark", gettext_lazy("Dark")

    time_zone = models.CharField(
        gettext_lazy("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=gettext_lazy("Empty: the portal's default."),
    )
    language = models.CharField(
        gettext_lazy("language"),
        max_length=16,
        blank=True,
        validators=[validate_language],
        help_text=gettext_lazy("Empty: the browser default."),
    )
    theme = models.CharField(gettext_lazy("theme"), max_length=8, choices=Theme, default=Theme.AUTO)
    must_change_password = models.BooleanField(
        gettext_lazy("must change password"),
        default=False,
        help_text=gettext_lazy("The password was set by somebody else and must be changed at the next login."),
    )

    objects: ClassVar[CaseInsensitiveUserManager] = CaseInsensitiveUserManager()

    class Meta:
        verbose_name = gettext_lazy("user")
        verbose_name_plural = gettext_lazy("users")
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="username_unique_without_case",
                violation_error_message=gettext_lazy("A user with this name already exists."),
            )
        ]

    def without_staff_rights(self) -> "User":
        """The same person with nothing that staff may more than others. It cannot be saved."""
        limited = copy.copy(self)
        limited.is_staff = limited.is_superuser = False
        limited.is_limited = True
        return limited

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        if not self.is_limited:
            return super().has_perm(perm, obj)
        return tuple(perm.split(".")) in PORTAL_RIGHTS and User.objects.get(pk=self.pk).has_perm(perm, obj)

    def save(self, **kwargs: Any) -> None:
        if self.is_limited:
            raise TypeError("This person is shown without the rights of staff, and must not be saved so.")
        super().save(**kwargs)

    @property
    def signs_in_elsewhere(self) -> bool:
        """Whether a sign-in source keeps the password, and the portal none."""
        return not self.has_usable_password() and self.identities.exists()

    @property
    def may_teach(self) -> bool:
        return User.objects.may_teach().filter(pk=self.pk).exists()

    @property
    def role_in_words(self) -> str:
        """For whoever decides about this person: what kind of account it is, and its groups."""
        kind = _("administrator with all permissions") if self.is_superuser else _("staff") if self.is_staff else ""
        return ", ".join(filter(None, [kind, *self.groups.values_list("name", flat=True)])) or _("no group")
