"""Personal tokens for the API, and the answers to its writes that may come again."""

import ipaddress
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.printable import PrintableTexts

MOST_NETWORKS = 20


def networks_in(text: str) -> list[str]:
    """The lines, or what commas and blanks separate."""
    return text.replace(",", " ").split()


def validate_networks(text: str) -> None:
    found = networks_in(text)
    if len(found) > MOST_NETWORKS:
        raise ValidationError(_("Too many networks: at most %(most)d are allowed.") % {"most": MOST_NETWORKS})
    for one in found:
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise ValidationError(
                _("“%(network)s” is not a network. Enter one like 192.0.2.0/24 or an address."), params={"network": one}
            ) from None


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def live(self, now: datetime) -> Self:
        """Neither expired nor revoked. Whether the owner may use them is asked at each call."""
        return self.filter(revoked_at=None, expires_at__gt=now)

    def note_use(self, pk: int, now: datetime) -> None:
        """At most once a minute, whatever number of processes ask for it."""
        due = Q(last_used_at=None) | Q(last_used_at__lte=now - ApiToken.NOTED_EVERY)
        self.filter(due, pk=pk).update(last_used_at=now)


class ApiToken(PrintableTexts, models.Model):
    """What a program of a person says to the API. It is shown once; the portal stores a keyed hash of it.

    It can do no more than its owner can at that moment, and less where it says so: its rights, scope and networks.
    """

    NOTED_EVERY = timedelta(minutes=1)
    LASTS = timedelta(days=90)
    LONGEST = timedelta(days=365)

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", verbose_name=gettext_lazy("owner")
    )
    name = models.CharField(gettext_lazy("name"), max_length=60, validators=[MinLengthValidator(1)])
    digest = models.CharField(gettext_lazy("digest"), max_length=64, unique=True, editable=False)
    ending = models.CharField(gettext_lazy("last characters"), max_length=4, editable=False)
    may_read = models.BooleanField(gettext_lazy("read"), default=True)
    may_write = models.BooleanField(gettext_lazy("write"), default=False)
    may_destroy = models.BooleanField(gettext_lazy("destroy"), default=False)
    as_staff = models.BooleanField(gettext_lazy("with staff rights"), default=False)
    scope = models.CharField(
        gettext_lazy("scope"), max_length=20, blank=True, help_text=gettext_lazy("Empty: everything of the owner's.")
    )
    scope_pk = models.BigIntegerField(gettext_lazy("scope key"), null=True, blank=True)
    scope_name = models.CharField(gettext_lazy("scope name"), max_length=150, blank=True)
    networks = models.TextField(
        gettext_lazy("networks"),
        max_length=1000,
        blank=True,
        validators=[validate_networks],
        help_text=gettext_lazy("Where it may be used from. Empty: everywhere."),
    )
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(gettext_lazy("valid until"))
    last_used_at = models.DateTimeField(gettext_lazy("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(gettext_lazy("revoked at"), null=True, editable=False)
    revoked_by_name = models.CharField(gettext_lazy("revoked by"), max_length=150, blank=True, editable=False)
    warned_at = models.DateTimeField(
        gettext_lazy("warned at"), null=True, editable=False, help_text=gettext_lazy("When its end was announced.")
    )

    objects: ClassVar[Any] = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("API token")
        verbose_name_plural = gettext_lazy("API tokens")
        ordering = ["-created_at", "-pk"]
        default_permissions = ()  # who may look at people may look at their tokens
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="", scope_pk=None) | (~Q(scope="") & Q(scope_pk__isnull=False)),
                name="api_token_scope_is_of_something",
            )
        ]
        indexes = [models.Index(fields=["expires_at"], name="api_tokens_by_end")]

    def __str__(self) -> str:
        return f"{self.name} (…{self.ending})"

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now

    def is_allowed_from(self, address: str | None) -> bool:
        """Whether its networks include this address. None: the server knows none."""
        allowed = networks_in(self.networks)
        if not allowed:
            return True
        if address is None:
            return False
        found = ipaddress.ip_address(address)
        return any(found in ipaddress.ip_network(one) for one in allowed)

    def revoke(self, *, by: str) -> bool:
        """False when it was revoked before."""
        now = timezone.now()
        changed = ApiToken.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now, revoked_by_name=by)
        self.refresh_from_db(fields=["revoked_at", "revoked_by_name"])
        if changed:
            audit.record(self, revoked_at=("", now.isoformat()), revoked_by_name=("", by))
        return bool(changed)


class IdempotentCall(models.Model):
    """A write that came with an `Idempotency-Key`, in the transaction of its effect: both are there, or neither."""

    KEPT = timedelta(hours=24)

    token = models.ForeignKey(
        ApiToken, models.CASCADE, related_name="idempotent_calls", verbose_name=gettext_lazy("API token")
    )
    key = models.CharField(gettext_lazy("key"), max_length=200)
    fingerprint = models.CharField(
        gettext_lazy("fingerprint"), max_length=64, help_text=gettext_lazy("Of method, path and body.")
    )
    status = models.PositiveSmallIntegerField(gettext_lazy("status"), default=0)
    answer = models.TextField(gettext_lazy("answer"), blank=True)
    content_type = models.CharField(gettext_lazy("content type"), max_length=60, blank=True)
    location = models.CharField(gettext_lazy("location"), max_length=200, blank=True)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        verbose_name = gettext_lazy("idempotent call")
        verbose_name_plural = gettext_lazy("idempotent calls")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="one_call_per_token_and_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_calls_by_age")]

    def __str__(self) -> str:
        return self.key
