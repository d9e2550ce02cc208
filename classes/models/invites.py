"""Invites: a link and a short code with which people join a class."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy

from classes.models.labs import LabClass

# Without letters and digits that look alike on a blackboard. 10 of them are 49 bits, and tries are counted.
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 10
TOKEN_BYTES = 16
LONGEST = 200


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def code_hash(code: str) -> str:
    """With the portal's key, because a code is short enough to be found by trying where only its hash is known.

    A new SECRET_KEY therefore ends codes, but not links.
    """
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return salted_hmac("classes.invite", plain, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()


def in_a_week() -> datetime:
    return timezone.now() + Invite.LASTS


class InviteQuerySet(models.QuerySet["Invite"]):
    def usable(self, now: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=now, uses__lt=F("max_uses"))

    def by_token(self, token: str) -> "Invite | None":
        return self.filter(token_hash=token_hash(token[:LONGEST])).select_related("lab_class__owner").first()

    def by_code(self, code: str) -> "Invite | None":
        return self.filter(code_hash=code_hash(code[:LONGEST])).select_related("lab_class__owner").first()


class Invite(models.Model):
    """An invite to a class. The portal shows its link and code once, and stores only their hashes."""

    LASTS = timedelta(days=7)
    OLD_LASTS = timedelta(days=180)

    lab_class = models.ForeignKey(LabClass, models.CASCADE, related_name="invites", verbose_name=gettext_lazy("class"))
    token_hash = models.CharField(gettext_lazy("token hash"), max_length=64, unique=True, editable=False)
    code_hash = models.CharField(gettext_lazy("code hash"), max_length=64, unique=True, null=True, editable=False)  # noqa: DJ001 - unique
    expires_at = models.DateTimeField(gettext_lazy("valid until"), default=in_a_week)
    max_uses = models.PositiveIntegerField(
        gettext_lazy("maximum number of people"), default=30, validators=[MinValueValidator(1), MaxValueValidator(5000)]
    )
    uses = models.PositiveIntegerField(gettext_lazy("uses"), default=0, editable=False)
    restricted_to_roster = models.BooleanField(
        gettext_lazy("only for people on the list"),
        default=False,
        help_text=gettext_lazy("People who are not on the class's list cannot join."),
    )
    is_old_link = models.BooleanField(
        gettext_lazy("is old link"),
        default=False,
        editable=False,
        help_text=gettext_lazy("A link of the old portal that an administrator honours."),
    )
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("created by"),
        null=True,
        related_name="+",
        editable=False,
    )
    revoked_at = models.DateTimeField(gettext_lazy("revoked at"), null=True, blank=True, editable=False)

    objects: ClassVar[Any] = InviteQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("invites")
        verbose_name = gettext_lazy("invite")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(uses__lte=F("max_uses")), name="invite_used_within_its_limit"),
        ]

    def __str__(self) -> str:
        return f"{self.lab_class}, {self.created_at:%Y-%m-%d %H:%M}"

    def draw(self) -> tuple[str, str]:
        """Generate a token and a code; returns both, to be shown once."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
        self.token_hash, self.code_hash = token_hash(token), code_hash(code)
        return token, f"{code[:5]}-{code[5:]}"

    @property
    def is_usable(self) -> bool:
        return not self.revoked_at and self.expires_at > timezone.now() and self.uses < self.max_uses

    def use(self) -> bool:
        """Count a use; false when there is none left, or it ended meanwhile. In the transaction that enrols."""
        return bool(Invite.objects.usable(timezone.now()).filter(pk=self.pk).update(uses=F("uses") + 1))

    def revoke(self) -> bool:
        changed = Invite.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now())
        self.refresh_from_db(fields=["revoked_at"])
        return bool(changed)


class JoinTries(models.Model):
    """Counts wrong invites, by person and by address. An attempt is counted before the invite is looked up."""

    WINDOW = timedelta(hours=1)

    key = models.CharField(gettext_lazy("key"), max_length=64, primary_key=True)
    count = models.PositiveIntegerField(gettext_lazy("count"), default=0)
    since = models.DateTimeField(gettext_lazy("since"), default=timezone.now)

    class Meta:
        verbose_name = gettext_lazy("tries to join")
        verbose_name_plural = gettext_lazy("tries to join")

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%H:%M}"

    @classmethod
    def attempt(cls, key: str, *, most: int) -> bool:
        """Count an attempt; false when there were too many. Safe with any number of processes."""
        now = timezone.now()
        with transaction.atomic():
            cls.objects.get_or_create(key=key, defaults={"since": now})
            mine = cls.objects.filter(key=key)
            mine.filter(since__lte=now - cls.WINDOW).update(count=0, since=now)
            return bool(mine.filter(count__lt=most).update(count=F("count") + 1))

    @classmethod
    def undo(cls, key: str) -> None:
        """Take back a counted attempt: it was a valid invite."""
        cls.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)

    @classmethod
    def prune(cls) -> int:
        return cls.objects.filter(since__lte=timezone.now() - cls.WINDOW).delete()[0]
