"""Where people sign in besides the portal itself: directories, providers, and proxies that name the person."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy

from accounts.certificates import CertificatesField, validate_authorities
from accounts.encrypted_fields import EncryptedSecretField
from accounts.models.source_fields import DirectoryFields, HeaderFields, ProviderFields
from accounts.printable import PrintableTexts
from accounts.sign_in import syntax


class SignInSource(PrintableTexts, DirectoryFields, ProviderFields, HeaderFields):
    """A directory, a provider or a trusted header. Of the columns, each kind uses its own.

    Its `name` never changes: providers know it in an address of the portal.
    """

    class Kind(models.TextChoices):
        DIRECTORY = "directory", gettext_lazy("Directory")
        PROVIDER = "provider", gettext_lazy("Provider")
        HEADER = "header", gettext_lazy("Trusted header")

    class UsernameRule(models.TextChoices):
        WHOLE = "whole", gettext_lazy("the whole name")
        BEFORE_AT = "before_at", gettext_lazy("the part before the @")

    kind = models.CharField(gettext_lazy("kind"), max_length=10, choices=Kind, editable=False)
    name = models.CharField(
        gettext_lazy("name"),
        max_length=50,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[a-z0-9][a-z0-9-]*\Z",
                gettext_lazy("Use lower-case letters, digits and dashes, beginning with a letter or a digit."),
            )
        ],
        help_text=gettext_lazy("Short and permanent: addresses and commands contain it. It cannot be changed later."),
    )
    label = models.CharField(
        gettext_lazy("label"), max_length=60, help_text=gettext_lazy("The name that people see on the login page.")
    )
    is_active = models.BooleanField(
        gettext_lazy("active"),
        default=False,
        help_text=gettext_lazy("People can sign in with it. While it is not active, the portal never contacts it."),
    )
    position = models.PositiveSmallIntegerField(
        gettext_lazy("position"), default=0, help_text=gettext_lazy("Lower numbers come first.")
    )
    secret = EncryptedSecretField(gettext_lazy("password or secret"))
    # Says in the audit trail that the secret changed, which the masks there do not.
    credential_version = models.PositiveIntegerField(gettext_lazy("credential version"), default=0, editable=False)
    ca_certificates = CertificatesField(
        gettext_lazy("CA certificates"),
        blank=True,
        validators=[validate_authorities],
        help_text=gettext_lazy("The school's own authority, in PEM form. Empty: the system's authorities."),
    )
    makes_accounts = models.BooleanField(
        gettext_lazy("creates accounts"),
        default=True,
        help_text=gettext_lazy("The first sign-in creates the account. Otherwise only joined accounts can sign in."),
    )
    username_rule = models.CharField(
        gettext_lazy("user name"),
        max_length=10,
        choices=UsernameRule,
        default=UsernameRule.WHOLE,
        help_text=gettext_lazy(
            "How the portal makes the user name of a new account from the name that the source gives."
        ),
    )
    changed_at = models.DateTimeField(gettext_lazy("changed at"), auto_now=True)

    # What was found when it was asked last: see `accounts.sign_in.health`.
    last_test_at = models.DateTimeField(gettext_lazy("last tested at"), null=True, blank=True, editable=False)
    last_test_ok = models.BooleanField(gettext_lazy("last test passed"), null=True, blank=True, editable=False)
    last_test_sentence = models.TextField(
        gettext_lazy("result of the last test"), blank=True, default="", editable=False
    )
    last_test_sentence_message = models.JSONField(
        gettext_lazy("result of the last test"), null=True, blank=True, editable=False
    )
    last_answer_at = models.DateTimeField(gettext_lazy("last response at"), null=True, blank=True, editable=False)
    last_problem_at = models.DateTimeField(gettext_lazy("last problem at"), null=True, blank=True, editable=False)
    last_problem = models.TextField(gettext_lazy("last problem"), blank=True, default="", editable=False)
    last_problem_message = models.JSONField(gettext_lazy("last problem"), null=True, blank=True, editable=False)
    certificate_ends_at = models.DateTimeField(
        gettext_lazy("certificate valid until"), null=True, blank=True, editable=False
    )
    clock_offset = models.FloatField(  # seconds that its clock is ahead of the portal's
        gettext_lazy("clock difference"), null=True, blank=True, editable=False
    )

    # The comparison of accounts with a directory: see `accounts.sign_in.keeping_up`.
    synced_at = models.DateTimeField(gettext_lazy("last compared at"), null=True, blank=True, editable=False)
    sync_sentence = models.TextField(gettext_lazy("result of the comparison"), blank=True, default="", editable=False)
    sync_sentence_message = models.JSONField(
        gettext_lazy("result of the comparison"), null=True, blank=True, editable=False
    )
    sync_held = models.PositiveIntegerField(  # people who wait for an administrator's word
        gettext_lazy("changes that wait for a decision"), default=0, editable=False
    )

    class Meta:
        verbose_name = gettext_lazy("sign-in source")
        verbose_name_plural = gettext_lazy("sign-in sources")
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(
                Lower("issuer"),
                condition=~Q(issuer=""),
                name="signinsource_issuer_unique",
                violation_error_message=gettext_lazy("There is already a provider with this issuer."),
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.name

    def save(self, **kwargs: Any) -> None:
        """Save, and count a new secret."""
        self.kind = getattr(type(self), "KIND", self.kind)
        secret = self.__dict__.get("secret")
        new = secret if secret is not None and not secret.is_stored else None
        if new:
            self.credential_version += 1
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "credential_version"}
        super().save(**kwargs)
        if new:
            new.is_stored = True

    @property
    def server_list(self) -> tuple[str, ...]:
        """URIs of LDAP servers, in the order in which they are asked."""
        return syntax.lines(self.servers)

    @property
    def algorithm_list(self) -> tuple[str, ...]:
        return tuple(self.allowed_algorithms.split())


class OfKind(models.Manager[Any]):
    def __init__(self, kind: SignInSource.Kind) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(kind=self.kind)


class Directory(SignInSource):
    """An LDAP directory or Active Directory."""

    KIND: ClassVar = SignInSource.Kind.DIRECTORY
    objects: ClassVar[Any] = OfKind(SignInSource.Kind.DIRECTORY)

    class Meta:
        proxy = True
        verbose_name = gettext_lazy("directory")
        verbose_name_plural = gettext_lazy("directories")


class Provider(SignInSource):
    """An OpenID Connect provider."""

    KIND: ClassVar = SignInSource.Kind.PROVIDER
    objects: ClassVar[Any] = OfKind(SignInSource.Kind.PROVIDER)

    class Meta:
        proxy = True
        verbose_name = gettext_lazy("provider")
        verbose_name_plural = gettext_lazy("providers")


class TrustedHeader(SignInSource):
    """A proxy in front of the portal that names the person in a header."""

    KIND: ClassVar = SignInSource.Kind.HEADER
    objects: ClassVar[Any] = OfKind(SignInSource.Kind.HEADER)

    class Meta:
        proxy = True
        verbose_name = gettext_lazy("trusted header")
        verbose_name_plural = gettext_lazy("trusted headers")
