"""The queryset of clusters: active ones, locking, and counting new secrets in an update."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import F

from clusters.models.adoption import DeletedCluster

if TYPE_CHECKING:
    from clusters.models.cluster import Cluster

SECRETS = ("password", "token_secret", "read_token_secret")

# Where a secret is sent, and what vouches for the receiver. Who changes one of these enters the secret again.
TARGET = (
    "host", "port", "addresses", "user", "token_id", "read_token_id", "verify_ssl", "ca_certificate", "fingerprint",
)  # fmt: skip

# Of these, what is the place, and not the account.
PLACE = ("host", "port", "addresses", "verify_ssl", "ca_certificate", "fingerprint")


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def active(self) -> Self:
        """Active clusters as people see them: the default first, then by name."""
        return self.filter(is_active=True).order_by("-is_default", "name", "cluster_id")

    def default(self) -> "Cluster | None":
        return self.filter(is_default=True).first()

    def locked(self) -> Self:
        """Nobody else changes these rows until the transaction ends. In one order, so that nobody waits for ever."""
        return self.order_by("pk").select_for_update(of=("self",))

    def update(self, **fields: Any) -> int:
        """Count new secrets here too. A caller that encrypts the same secret again passes the version."""
        if {*SECRETS} & {*fields}:
            fields.setdefault("credential_version", F("credential_version") + 1)
        return super().update(**fields)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            # Locked first: whoever deletes the same a moment later finds nothing, and writes nothing down.
            gone = [cluster.cluster_id for cluster in self.locked()]
            deleted = super().delete()
            DeletedCluster.objects.remember(gone)
        return deleted
