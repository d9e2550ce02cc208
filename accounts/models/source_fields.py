"""The columns of each kind of source: what a directory, a provider and a trusted header need."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.sign_in import syntax


class DirectoryFields(models.Model):
    class Flavour(models.TextChoices):
        AD = "ad", gettext_lazy("Active Directory")
        OPENLDAP = "openldap", gettext_lazy("OpenLDAP or another directory")

    servers = models.TextField(
        gettext_lazy("servers"),
        blank=True,
        validators=[syntax.validate_servers],
        help_text=gettext_lazy(
            "One per line, like ldaps://dc1.school.example. The next one is asked when one is silent."
        ),
    )
    start_tls = models.BooleanField(
        gettext_lazy("StartTLS"),
        default=False,
        help_text=gettext_lazy("Encrypt an ldap:// connection before anything is sent. Not for ldaps://."),
    )
    bind_dn = models.CharField(
        gettext_lazy("reader account"),
        max_length=255,
        blank=True,
        help_text=gettext_lazy("The DN of an account that may read people and groups, and nothing else."),
    )
    base_dn = models.CharField(
        gettext_lazy("base DN"),
        max_length=255,
        blank=True,
        validators=[syntax.validate_dn],
        help_text=gettext_lazy("Where people are, like OU=People,DC=school,DC=example."),
    )
    person_filter = models.CharField(
        gettext_lazy("filter"),
        max_length=255,
        blank=True,
        validators=[syntax.validate_filter],
        help_text=gettext_lazy("Narrows who is found, like (objectClass=user). The portal adds the name itself."),
    )
    flavour = models.CharField(gettext_lazy("directory"), max_length=10, choices=Flavour, default=Flavour.AD)
    id_attribute = models.CharField(
        gettext_lazy("ID attribute"),
        max_length=60,
        blank=True,
        default="objectGUID",
        validators=[syntax.validate_attribute],
        help_text=gettext_lazy("It never changes, whatever a person is called: objectGUID or entryUUID."),
    )
    name_attribute = models.CharField(
        gettext_lazy("name attribute"),
        max_length=60,
        blank=True,
        default="sAMAccountName",
        validators=[syntax.validate_attribute],
        help_text=gettext_lazy("What people type as their name: sAMAccountName, userPrincipalName or uid."),
    )
    number_attribute = models.CharField(
        gettext_lazy("number attribute"),
        max_length=60,
        blank=True,
        validators=[syntax.validate_attribute],
        help_text=gettext_lazy("A student or employee number, like employeeNumber, for joining accounts in bulk."),
    )
    group_base_dn = models.CharField(
        gettext_lazy("base DN of groups"),
        max_length=255,
        blank=True,
        validators=[syntax.validate_dn],
        help_text=gettext_lazy("Where groups are. Empty: at the base DN."),
    )
    group_attribute = models.CharField(
        gettext_lazy("member attribute"),
        max_length=60,
        blank=True,
        default="member",
        validators=[syntax.validate_attribute],
        help_text=gettext_lazy("What a group calls its members: member, uniqueMember or memberUid."),
    )
    nested = models.BooleanField(
        gettext_lazy("groups in groups"),
        default=True,
        help_text=gettext_lazy("Members of a group's groups count, too."),
    )
    timeout_seconds = models.PositiveSmallIntegerField(
        gettext_lazy("timeout"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
        help_text=gettext_lazy("Seconds to wait for a response."),
    )

    class Meta:
        abstract = True


class ProviderFields(models.Model):
    issuer = models.CharField(
        gettext_lazy("issuer"),
        max_length=255,
        blank=True,
        validators=[syntax.validate_issuer],
        help_text=gettext_lazy("Exactly as the provider writes it, like https://login.school.example/realms/school."),
    )
    client_id = models.CharField(gettext_lazy("client ID"), max_length=255, blank=True)
    scopes = models.CharField(
        gettext_lazy("scopes"),
        max_length=255,
        blank=True,
        default="openid profile email",
        validators=[syntax.validate_scopes],
    )
    groups_claim = models.CharField(
        gettext_lazy("groups claim"),
        max_length=100,
        blank=True,
        default="groups",
        validators=[syntax.validate_claim],
        help_text=gettext_lazy("Dots lead into claims within claims, like realm_access.roles."),
    )
    roles_claim = models.CharField(
        gettext_lazy("roles claim"),
        max_length=100,
        blank=True,
        validators=[syntax.validate_claim],
        help_text=gettext_lazy("App roles, for instance of Entra ID: they are complete where lists of groups are cut."),
    )
    name_claim = models.CharField(
        gettext_lazy("name claim"),
        max_length=100,
        blank=True,
        default="preferred_username",
        validators=[syntax.validate_claim],
    )
    number_claim = models.CharField(
        gettext_lazy("number claim"), max_length=100, blank=True, validators=[syntax.validate_claim]
    )
    ask_userinfo = models.BooleanField(
        gettext_lazy("ask userinfo"),
        default=True,
        help_text=gettext_lazy("Many providers give mail and groups there alone."),
    )
    ask_again = models.BooleanField(
        gettext_lazy("ask for the password each time"),
        default=True,
        help_text=gettext_lazy("So the next person at the same computer does not get the first one's account."),
    )
    sign_out_there = models.BooleanField(
        gettext_lazy("sign out there, too"),
        default=True,
        help_text=gettext_lazy("Logging out of the portal leads through the provider's own sign-out."),
    )
    allowed_algorithms = models.CharField(
        gettext_lazy("signature algorithms"),
        max_length=200,
        blank=True,
        default="RS256 ES256 PS256 EdDSA",
        validators=[syntax.validate_algorithms],
    )

    class Meta:
        abstract = True


class HeaderFields(models.Model):
    header_name = models.CharField(
        gettext_lazy("header"),
        max_length=60,
        blank=True,
        validators=[syntax.validate_header],
        help_text=gettext_lazy("The header in which the proxy names the person, like Remote-User."),
    )
    proxies = models.TextField(
        gettext_lazy("proxies"),
        blank=True,
        validators=[syntax.validate_networks],
        help_text=gettext_lazy("Addresses or networks, one per line. The header counts from these alone."),
    )
    groups_header = models.CharField(
        gettext_lazy("groups header"),
        max_length=60,
        blank=True,
        validators=[syntax.validate_header],
        help_text=gettext_lazy("Groups, separated by semicolons. Empty: there are none."),
    )

    class Meta:
        abstract = True
