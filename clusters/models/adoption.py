"""The initial import, since which the database is the source; deleted clusters, and pending imports."""

from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.encrypted_fields import EncryptedSecretField


class AdoptionManager(models.Manager["Adoption"]):
    def lock(self) -> None:
        """Until the transaction ends, let nobody else import clusters or choose the default.

        Locking clusters is not enough: a row that an import is adding cannot be locked yet.
        """
        self.get_or_create(pk=Adoption.ONLY, defaults={"canary": Adoption.CANARY})
        self.select_for_update().get(pk=Adoption.ONLY)


class Adoption(models.Model):
    """The initial import: the first saved cluster creates this row, and nothing deletes it.

    Since then the database is the source of clusters.
    """

    ONLY = 1
    CANARY = "canary"

    since = models.DateTimeField(gettext_lazy("since"), auto_now_add=True)
    canary = EncryptedSecretField(
        gettext_lazy("canary"),
        help_text=gettext_lazy("A known word that shows whether FIELD_ENCRYPTION_KEY belongs to this database."),
    )

    objects: ClassVar[AdoptionManager] = AdoptionManager()

    class Meta:
        verbose_name = gettext_lazy("adoption")
        verbose_name_plural = gettext_lazy("adoptions")

    def __str__(self) -> str:
        return f"since {self.since:%Y-%m-%d %H:%M}"


class DeletedClusterManager(models.Manager["DeletedCluster"]):
    def remember(self, cluster_ids: list[str], *, by: str = "") -> None:
        for cluster_id in cluster_ids:
            self.update_or_create(cluster_id=cluster_id, defaults={"deleted_by": by, "deleted_at": timezone.now()})


class DeletedCluster(models.Model):
    """A tombstone, so that an import does not bring back what somebody deleted."""

    cluster_id = models.CharField(gettext_lazy("cluster id"), max_length=50, unique=True)
    deleted_at = models.DateTimeField(gettext_lazy("deleted at"))
    deleted_by = models.CharField(gettext_lazy("deleted by"), max_length=150, blank=True)

    objects: ClassVar[DeletedClusterManager] = DeletedClusterManager()

    class Meta:
        verbose_name = gettext_lazy("deleted cluster")
        verbose_name_plural = gettext_lazy("deleted clusters")

    def __str__(self) -> str:
        return self.cluster_id


class PendingImport(models.Model):
    """A file whose preview waits for a confirmation: encrypted, because it may hold passwords, and deleted soon."""

    KEPT = timedelta(minutes=15)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=gettext_lazy("user"), related_name="+"
    )
    source = models.CharField(gettext_lazy("source"), max_length=255)
    content = EncryptedSecretField(gettext_lazy("content"))
    options = models.JSONField(gettext_lazy("options"))
    digest = models.CharField(gettext_lazy("digest"), max_length=64)
    created_at = models.DateTimeField(gettext_lazy("created at"), auto_now_add=True)

    class Meta:
        verbose_name = gettext_lazy("pending import")
        verbose_name_plural = gettext_lazy("pending imports")

    def __str__(self) -> str:
        return self.source

    @classmethod
    def forget_old(cls) -> int:
        """Deletes imports that nobody confirmed in time. Returns how many."""
        return cls.objects.filter(created_at__lt=timezone.now() - cls.KEPT).delete()[0]
