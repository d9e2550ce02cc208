"""The health of a cluster at the last contact, and the state of its logins."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from accounts.compiled_queries import CompiledByKey, moment

if TYPE_CHECKING:
    from clusters.models.cluster import Cluster

# Kinds of problems of clusters that do respond.
BAD_CERTIFICATE, REJECTED_CREDENTIAL = "CertificateRejected", "LoginRejected"

# Conditions for clusters. Those with a bad certificate or a rejected credential do respond.
BY_HEALTH = {
    "ok": Q(health__ok=True),
    "failing": Q(health__ok=False) & ~Q(health__kind__in=[BAD_CERTIFICATE, REJECTED_CREDENTIAL]),
    "distrusted": Q(health__ok=False, health__kind=BAD_CERTIFICATE),
    "rejecting": Q(health__ok=False, health__kind=REJECTED_CREDENTIAL),
    "unasked": Q(health=None),
}


class ClusterHealth(models.Model):
    """The result of the last contact with a cluster. A row is written by whoever talked to it."""

    cluster = models.OneToOneField(
        "clusters.Cluster",
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        primary_key=True,
        related_name="health",
    )
    ok = models.BooleanField(gettext_lazy("ok"), default=False)
    checked_at = models.DateTimeField(gettext_lazy("checked at"))
    last_ok_at = models.DateTimeField(gettext_lazy("last ok at"), null=True)
    failing_since = models.DateTimeField(gettext_lazy("failing since"), null=True)
    problem = models.CharField(gettext_lazy("problem"), max_length=300, blank=True)
    problem_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    kind = models.CharField(
        gettext_lazy("kind"),
        max_length=40,
        blank=True,
        help_text=gettext_lazy("Of the problem: the name of the gateway's error."),
    )
    version = models.CharField(gettext_lazy("version"), max_length=40, blank=True)

    class Meta:
        verbose_name = gettext_lazy("cluster health")
        verbose_name_plural = gettext_lazy("cluster health")

    def __str__(self) -> str:
        return "reachable" if self.ok else self.problem

    @property
    def rendered_problem(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "problem")

    @property
    def has_bad_certificate(self) -> bool:
        """Whether the cluster was refused because of its certificate: it responds, and nothing was sent to it."""
        return self.kind == BAD_CERTIFICATE

    @property
    def rejects_credential(self) -> bool:
        """Whether the cluster responds, and rejects the portal's credential."""
        return self.kind == REJECTED_CREDENTIAL

    @property
    def has_changed_certificate(self) -> bool:
        """Whether it shows another certificate than the pinned one."""
        return self.has_bad_certificate and stored_messages.mentions(self.problem_message, "certificate-changed")

    @property
    def certificate_problem(self) -> str:
        """In a few words; empty when the certificate is not the problem."""
        if not self.has_bad_certificate:
            return ""
        return _("certificate changed") if self.has_changed_certificate else _("certificate not trusted")

    @classmethod
    def succeeded(
        cls, cluster_id: str, *, at: datetime | None = None, version: str = "", within: timedelta | None = None
    ) -> None:
        """Nothing is written when the row says so already, and is not older than `within`."""
        at = at or timezone.now()
        if within and not version and cls._says(cluster_id, since=at - within, ok=True):
            return
        values = {"ok": True, "checked_at": at, "last_ok_at": at, "failing_since": None, "kind": ""}
        values |= stored_messages.columns("problem", "", most=300)
        cls._write(cluster_id, values | ({"version": version[:40]} if version else {}))

    @classmethod
    def failed(
        cls,
        cluster_id: str,
        problem: str,
        *,
        kind: str = "",
        at: datetime | None = None,
        within: timedelta | None = None,
    ) -> None:
        """`kind` is the name of the error's class: how the rest of the portal tells a certificate from a silence."""
        at = at or timezone.now()
        told = stored_messages.columns("problem", problem, most=300)
        if within and cls._says(cluster_id, since=at - within, ok=False, problem=told["problem"], kind=kind[:40]):
            return
        row = cls.objects.filter(cluster__cluster_id=cluster_id).first()
        since = (row and row.failing_since) or at
        cls._write(cluster_id, {"ok": False, "checked_at": at, "failing_since": since, "kind": kind[:40], **told})

    @classmethod
    def _says(cls, cluster_id: str, *, since: datetime, **values: Any) -> bool:
        row = _OF_CLUSTER.first_raw(cluster_id)
        said = dict(zip(_SAID, row, strict=True)) if row else {}
        checked_at = moment(said.get("checked_at"))
        return checked_at is not None and checked_at > since and values.items() <= said.items()

    @classmethod
    def _write(cls, cluster_id: str, values: dict[str, Any]) -> None:
        cluster = apps.get_model("clusters", "Cluster").objects.filter(cluster_id=cluster_id).only("pk").first()
        if cluster:  # it may have been deleted while it was asked
            cls.objects.update_or_create(cluster=cluster, defaults=values)


_SAID = ("checked_at", "ok", "problem", "kind")
_OF_CLUSTER = CompiledByKey(
    lambda cluster_id: ClusterHealth.objects.filter(cluster__cluster_id=cluster_id).values_list(*_SAID)
)


class LoginState(models.Model):
    """Whether a cluster took each credential: kept so that a rejected one is tried once, by whichever process."""

    cluster = models.OneToOneField(
        "clusters.Cluster", models.CASCADE, verbose_name=gettext_lazy("cluster"), primary_key=True, related_name="+"
    )
    rejected_version = models.PositiveIntegerField(gettext_lazy("rejected version"), null=True)
    rejected_read_version = models.PositiveIntegerField(
        gettext_lazy("rejected read version"), null=True
    )  # of the read-only token
    busy_until = models.DateTimeField(gettext_lazy("busy until"), null=True)

    class Meta:
        verbose_name = gettext_lazy("login state")
        verbose_name_plural = gettext_lazy("login states")

    def __str__(self) -> str:
        rejected = {"credential": self.rejected_version, "read-only token": self.rejected_read_version}
        told = [
            f"version {version} of the {name} rejected" for name, version in rejected.items() if version is not None
        ]
        return ", ".join(told) or "not rejected"

    @classmethod
    def try_again(cls, cluster: "Cluster") -> None:
        """Somebody saved the cluster or tested it with success."""
        cls.objects.filter(cluster=cluster).update(rejected_version=None, rejected_read_version=None)
