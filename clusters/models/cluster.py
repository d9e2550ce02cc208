"""Clusters: address, credentials, and trust in the certificate."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts import audit
from accounts.certificates import CertificatesField
from accounts.encrypted_fields import EncryptedSecretField
from accounts.printable import PrintableTexts
from clusters.config import (
    MAX_CLUSTERS,
    ClusterConfig,
    Trust,
    address_lines,
    validate_addresses,
    validate_endpoints,
    validate_host,
    validate_pem,
    validate_pins,
    validate_token_id,
    validate_user,
)
from clusters.models.adoption import Adoption, DeletedCluster
from clusters.models.cluster_queryset import PLACE, SECRETS, TARGET, ClusterQuerySet
from clusters.models.health import ClusterHealth, LoginState
from clusters.models.provisioning import ProvisioningAccess
from clusters.signals import cluster_mended


class Cluster(PrintableTexts, models.Model):
    """A Proxmox VE cluster, or a standalone node. The table and its columns keep the legacy portal's names."""

    cluster_id = models.CharField(
        gettext_lazy("cluster ID"),
        max_length=50,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
                gettext_lazy("Use letters, digits, dot, dash and underscore, beginning with a letter or a digit."),
            )
        ],
        help_text=gettext_lazy(
            "Short and permanent: addresses and clusters.json contain it. It cannot be changed later."
        ),
    )
    name = models.CharField(gettext_lazy("name"), max_length=120, help_text=gettext_lazy("The name that people see."))
    host = models.CharField(
        gettext_lazy("host"),
        max_length=255,
        validators=[validate_host],
        help_text=gettext_lazy("Name or IP address of a node, without https:// and port."),
    )
    port = models.PositiveIntegerField(
        gettext_lazy("port"), default=8006, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    addresses = models.TextField(
        gettext_lazy("further addresses"),
        blank=True,
        validators=[validate_addresses],
        help_text=gettext_lazy(
            "Addresses of other nodes, one per line, like 10.0.0.12 or pve2.school.example:8006. The portal uses "
            "them when the host does not respond."
        ),
    )
    # What the cluster itself said, so nobody enters it, in a form or in a file.
    learned_addresses = models.JSONField(gettext_lazy("learned addresses"), default=list, blank=True, editable=False)
    user = models.CharField(
        gettext_lazy("user"),
        max_length=80,
        validators=[validate_user],
        help_text=gettext_lazy("With its realm, like portal@pve. Avoid root@pam."),
    )
    password = EncryptedSecretField(gettext_lazy("password"))
    token_id = models.CharField(
        gettext_lazy("API token ID"),
        max_length=140,
        blank=True,
        validators=[validate_token_id],
        help_text=gettext_lazy("Like portal@pve!labs. A token takes precedence over the password."),
    )
    token_secret = EncryptedSecretField(gettext_lazy("API token secret"))
    read_token_id = models.CharField(
        gettext_lazy("read-only token ID"),
        max_length=140,
        blank=True,
        validators=[validate_token_id],
        help_text=gettext_lazy("For reading only."),
    )
    read_token_secret = EncryptedSecretField(gettext_lazy("read-only token secret"))
    verify_ssl = models.BooleanField(
        gettext_lazy("verify TLS"),
        default=False,
        help_text=gettext_lazy("Check the certificate against the system's authorities."),
    )
    ca_certificate = CertificatesField(
        gettext_lazy("CA certificate"),
        blank=True,
        validators=[validate_pem],
        help_text=gettext_lazy(
            "The cluster's own CA certificate in PEM form (/etc/pve/pve-root-ca.pem). Overrides the system's "
            "authorities."
        ),
    )
    fingerprint = models.TextField(
        gettext_lazy("certificate fingerprint"),
        blank=True,
        validators=[validate_pins],
        help_text=gettext_lazy(
            "SHA-256 fingerprint of this node's certificate (AA:BB:…). Separate the fingerprints of several nodes "
            "with commas. Overrides “verify TLS” and the CA certificate. Update it when the certificate is renewed."
        ),
    )
    is_default = models.BooleanField(gettext_lazy("default"), default=False)
    is_active = models.BooleanField(gettext_lazy("active"), default=True)
    is_restricted = models.BooleanField(
        gettext_lazy("only with a grant"),
        default=False,
        help_text="Only people with a grant, their own or of a class they are in, see, get and operate machines here. "
        "Administrators always do.",
    )
    credential_version = models.PositiveIntegerField(gettext_lazy("credential version"), default=0, editable=False)
    created_at = models.DateTimeField(gettext_lazy("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(gettext_lazy("updated at"), auto_now=True)

    objects: ClassVar[Any] = ClusterQuerySet.as_manager()

    if TYPE_CHECKING:
        health: "ClusterHealth"

    class Meta:
        verbose_name = gettext_lazy("cluster")
        verbose_name_plural = gettext_lazy("clusters")
        db_table = "clusters"
        ordering = ["name", "cluster_id"]
        permissions = [("test_cluster", gettext_noop("Can test the connection of a cluster"))]
        constraints = [
            models.UniqueConstraint(
                Lower("cluster_id"),
                name="cluster_id_unique_without_case",
                violation_error_message=gettext_lazy(
                    "A cluster with this ID already exists, perhaps in other upper or lower case."
                ),
            ),
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="one_default_cluster",
                violation_error_message=gettext_lazy(
                    "There is already a default cluster. Use the action “Make default”."
                ),
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True),
                name="default_cluster_is_active",
                violation_error_message=gettext_lazy("The default cluster has to be active."),
            ),
            models.CheckConstraint(
                condition=Q(port__gte=1, port__lte=65535),
                name="cluster_port_in_range",
                violation_error_message=gettext_lazy("A port is a number from 1 to 65535."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.cluster_id})"

    def save(self, **kwargs: Any) -> None:
        """Save, count new secrets, and mark the database as the source of clusters from now on."""
        new_secrets = [secret for name in SECRETS if (secret := self.__dict__.get(name)) and not secret.is_stored]
        if new_secrets:
            self.credential_version += 1
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "credential_version"}
        moved = bool({*TARGET} & {*(kwargs.get("update_fields") or ())})
        if moved:  # what was found at the old place says nothing of the new one
            self.learned_addresses = []
            kwargs["update_fields"] = {*kwargs["update_fields"], "learned_addresses"}
        adding = self._state.adding
        with transaction.atomic():
            if adding:
                require_room(wait=True)
            super().save(**kwargs)
            self._settle(added=adding, moved=moved)
            if {*PLACE} & {*(kwargs.get("update_fields") or ())} and ProvisioningAccess.forget_token(self):
                audit.record(self, token_for_making_machines=("***", ""))
            if moved or new_secrets:
                cluster_mended.send(None, cluster_id=self.cluster_id)
        for secret in new_secrets:
            secret.is_stored = True

    def clean(self) -> None:
        """Refuses values with which no connection is possible."""
        super().clean()
        validate_endpoints(self.host, address_lines(self.addresses))
        if self._state.adding:
            require_room()

    def _settle(self, *, added: bool, moved: bool) -> None:
        if added:
            DeletedCluster.objects.filter(cluster_id=self.cluster_id).delete()
        else:
            LoginState.try_again(self)
        if moved:
            ClusterHealth.objects.filter(cluster=self).delete()

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            if not Cluster.objects.filter(pk=self.pk).locked():
                return 0, {}  # somebody was faster, and wrote it down
            deleted = super().delete(using=using, keep_parents=keep_parents)
            DeletedCluster.objects.remember([self.cluster_id])
        return deleted

    def activate(self) -> None:
        self.is_active = True
        self.save(update_fields=["is_active", "updated_at"])

    def deactivate(self) -> bool:
        """Switch it off, which always succeeds. True if it was the default: then there is none now."""
        was_default, self.is_default, self.is_active = self.is_default, False, False
        self.save(update_fields=["is_default", "is_active", "updated_at"])
        return was_default

    def make_default(self) -> bool:
        """Make this the one default; false if it was already. Raises `NotActive` for a cluster that is switched off."""
        with transaction.atomic():
            Adoption.objects.lock()
            # All rows are locked in one order first: any shorter form deadlocks or collides on PostgreSQL.
            rows = {row.pk: row for row in Cluster.objects.locked().defer(*SECRETS)}
            if not (row := rows.get(self.pk)) or not row.is_active:
                raise NotActive(self)
            for other in rows.values():
                if other.is_default and other.pk != self.pk:
                    Cluster.objects.filter(pk=other.pk).update(is_default=False, updated_at=timezone.now())
                    audit.record(other, is_default=(True, False))
            if not row.is_default:
                Cluster.objects.filter(pk=self.pk).update(is_default=True, updated_at=timezone.now())
                audit.record(row, is_default=(False, True))
        self.is_default = True
        return not row.is_default

    @property
    def config(self) -> ClusterConfig:
        """The configuration for the gateway, with the secrets still encrypted."""
        return ClusterConfig(
            cluster_id=self.cluster_id,
            name=self.name,
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            token_id=self.token_id,
            token_secret=self.token_secret,
            read_token_id=self.read_token_id,
            read_token_secret=self.read_token_secret,
            addresses=(*address_lines(self.addresses), *self.usable_learned_addresses),
            learned=len(self.usable_learned_addresses),
            verify_ssl=self.verify_ssl,
            ca_certificate=self.ca_certificate,
            fingerprint=self.fingerprint,
            is_default=self.is_default,
            is_active=self.is_active,
            credential_version=self.credential_version,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )

    @property
    def trust(self) -> Trust:
        return Trust.by(self.fingerprint, self.ca_certificate, verify_ssl=self.verify_ssl)

    @property
    def usable_learned_addresses(self) -> tuple[str, ...]:
        """None without trust: an impostor could name other addresses and be sent the credential."""
        return () if self.trust is Trust.NONE else tuple(self.learned_addresses)

    def to_safe_dict(self) -> dict[str, Any]:
        """The cluster as old scripts know it, without its password."""
        return self.config.to_safe_dict()

    def to_dict(self) -> dict[str, Any]:
        """The row with the password in the clear. Kept for old scripts; nothing of the portal calls it."""
        return self.config.to_dict()


def require_room(*, wait: bool = False) -> None:
    """As many as a file holds: with more, no export could be read again. Raises `ValidationError`."""
    if wait:
        Adoption.objects.lock()
    if Cluster.objects.count() >= MAX_CLUSTERS:
        text = _("The portal can have at most %(most)s clusters. Delete one that you no longer use first.")
        raise ValidationError(text % {"most": MAX_CLUSTERS})


class NotActive(Exception):
    def __init__(self, cluster: Cluster) -> None:
        text = _("%(name)s is not active, so it cannot be the default. Activate it first.")
        super().__init__(text % {"name": cluster.name})
