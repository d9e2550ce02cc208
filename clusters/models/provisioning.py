"""The access by which the portal makes and removes machines on a cluster."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy

from accounts.encrypted_fields import EncryptedSecretField
from clusters.config import ClusterConfig, validate_token_id


class ProvisioningAccess(models.Model):
    """A token of its own, kept apart from the cluster's others; without an enabled row nothing is made there.

    `rejected_version` is the version of the token that the cluster refused: it is not tried again until it changes.
    """

    cluster = models.OneToOneField(
        "clusters.Cluster",
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        primary_key=True,
        related_name="provisioning",
    )
    is_enabled = models.BooleanField(
        gettext_lazy("make machines"),
        default=False,
        help_text=gettext_lazy("Machines are made and removed on this cluster only while this is on."),
    )
    token_id = models.CharField(
        gettext_lazy("token ID"), max_length=140, blank=True, validators=[validate_token_id], editable=False
    )
    token_secret = EncryptedSecretField(gettext_lazy("token secret"))
    credential_version = models.PositiveIntegerField(gettext_lazy("credential version"), default=0, editable=False)
    rejected_version = models.PositiveIntegerField(gettext_lazy("rejected version"), null=True, editable=False)
    updated_at = models.DateTimeField(gettext_lazy("updated at"), auto_now=True)

    class Meta:
        verbose_name = gettext_lazy("access for making machines")
        verbose_name_plural = gettext_lazy("access for making machines")
        ordering = ["cluster"]

    def __str__(self) -> str:
        return str(self.cluster)

    def save(self, **kwargs: Any) -> None:
        """Save, count a new token, and let one that the cluster refused be tried again."""
        secret = self.__dict__.get("token_secret")
        is_new = bool(secret and not secret.is_stored)
        self.credential_version += is_new
        self.rejected_version = None
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "credential_version", "rejected_version"}
        super().save(**kwargs)
        if secret:
            secret.is_stored = True

    @property
    def config(self) -> ClusterConfig | None:
        """The cluster with this token as its only credential; None while nothing may be made."""
        if not self.is_enabled or not self.token_id or not self.token_secret:
            return None
        config: ClusterConfig = self.cluster.config
        return config.for_making(
            token_id=self.token_id, token_secret=self.token_secret, version=self.credential_version
        )

    @classmethod
    def forget_token(cls, cluster: models.Model) -> bool:
        """The cluster is somewhere else now, and the token was not entered for that place. True if there was one."""
        held = cls.objects.filter(cluster=cluster, token_secret__isnull=False)
        return bool(held.update(token_id="", token_secret=None, is_enabled=False))
