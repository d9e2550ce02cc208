"""Who somebody is at a source of sign-in, the rules for what that makes of them, and which roles came from there."""

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models.sources import SignInSource
from accounts.models.user import User
from accounts.printable import PrintableTexts
from accounts.sign_in.facts import Closed


class SignInIdentity(models.Model):
    """A person of a source. The account is found by `subject` alone, never by a name or an address."""

    user = models.ForeignKey(
        User, verbose_name=gettext_lazy("user"), on_delete=models.CASCADE, related_name="identities"
    )
    source = models.ForeignKey(
        SignInSource, verbose_name=gettext_lazy("source"), on_delete=models.PROTECT, related_name="identities"
    )
    subject = models.CharField(gettext_lazy("ID there"), max_length=255)  # compared with case
    name_there = models.CharField(gettext_lazy("name there"), max_length=255, blank=True)
    mail_there = models.CharField(gettext_lazy("mail there"), max_length=255, blank=True)
    number_there = models.CharField(gettext_lazy("number there"), max_length=100, blank=True)
    first_seen_at = models.DateTimeField(gettext_lazy("known since"), default=timezone.now)
    last_seen_at = models.DateTimeField(gettext_lazy("last signed in at"), null=True, blank=True)
    # Of the last complete answer: an absent or cut list of groups changes neither.
    groups = models.JSONField(gettext_lazy("groups there"), default=list, blank=True)
    groups_at = models.DateTimeField(gettext_lazy("groups read at"), null=True, blank=True)
    left_at = models.DateTimeField(gettext_lazy("left at"), null=True, blank=True)
    closed_reason = models.CharField(gettext_lazy("closed because"), max_length=30, blank=True, choices=Closed.choices)

    class Meta:
        verbose_name = gettext_lazy("identity")
        verbose_name_plural = gettext_lazy("identities")
        ordering = ["source", "name_there"]
        constraints = [
            models.UniqueConstraint(fields=["source", "subject"], name="signinidentity_subject_unique"),
            models.UniqueConstraint(fields=["source", "user"], name="signinidentity_one_of_a_source"),
        ]

    def __str__(self) -> str:
        return f"{self.name_there or self.subject} ({self.source})"


class SignInRule(PrintableTexts, models.Model):
    """Lets people of a source in, or gives them a role. Without a rule that lets people in, nobody comes in."""

    class On(models.TextChoices):
        GROUP = "group", gettext_lazy("group")
        CLAIM = "claim", gettext_lazy("claim")
        DOMAIN = "domain", gettext_lazy("domain of the mail address")
        EVERYONE = "everyone", gettext_lazy("everyone")

    class Gives(models.TextChoices):
        ENTRY = "entry", gettext_lazy("may sign in")
        ROLE = "role", gettext_lazy("gets the role")

    source = models.ForeignKey(
        SignInSource, verbose_name=gettext_lazy("source"), on_delete=models.CASCADE, related_name="rules"
    )
    on = models.CharField(gettext_lazy("who"), max_length=10, choices=On, default=On.GROUP)
    claim = models.CharField(gettext_lazy("claim"), max_length=100, blank=True)
    value = models.CharField(gettext_lazy("value"), max_length=500, blank=True)
    gives = models.CharField(gettext_lazy("what"), max_length=10, choices=Gives, default=Gives.ENTRY)
    role = models.ForeignKey(
        Group,
        verbose_name=gettext_lazy("role"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sign_in_rules",
    )

    class Meta:
        verbose_name = gettext_lazy("rule")
        verbose_name_plural = gettext_lazy("rules")
        ordering = ["gives", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(gives="entry", role=None) | Q(gives="role", role__isnull=False),
                name="signinrule_role_where_one_is_given",
                violation_error_message=gettext_lazy("Choose a role where one is given, and none otherwise."),
            ),
        ]

    def __str__(self) -> str:
        who = " ".join(filter(None, [self.get_on_display(), self.claim, self.value]))
        return f"{who}: {self.get_gives_display()} {self.role or ''}".strip()


class OutsideRole(models.Model):
    """A role that came from a source. A role without such a row was given here by hand, and stays."""

    user = models.ForeignKey(
        User, verbose_name=gettext_lazy("user"), on_delete=models.CASCADE, related_name="outside_roles"
    )
    group = models.ForeignKey(
        Group, verbose_name=gettext_lazy("role"), on_delete=models.CASCADE, related_name="outside_roles"
    )
    source = models.ForeignKey(
        SignInSource, verbose_name=gettext_lazy("source"), on_delete=models.PROTECT, related_name="outside_roles"
    )
    given_at = models.DateTimeField(gettext_lazy("given at"), default=timezone.now)
    also_by_hand = models.BooleanField(
        gettext_lazy("also given by hand"),
        default=False,
        help_text=gettext_lazy("The role stays when it goes at the source."),
    )
    made_staff = models.BooleanField(gettext_lazy("made the account staff"), default=False, editable=False)

    class Meta:
        verbose_name = gettext_lazy("role from a sign-in source")
        verbose_name_plural = gettext_lazy("roles from sign-in sources")
        ordering = ["group__name", "source"]
        constraints = [
            models.UniqueConstraint(fields=["user", "group", "source"], name="outsiderole_once"),
        ]

    def __str__(self) -> str:
        return f"{self.group} · {self.source} · {self.user}"
