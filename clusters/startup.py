"""Runs once, when Django has loaded all models: system checks, and what the audit log keeps of clusters."""

from auditlog.registry import auditlog

from clusters import checks  # noqa: F401
from clusters.models import SECRETS, Cluster, ClusterNotice, ProvisioningAccess

auditlog.register(
    Cluster,
    include_fields=[
        field.name for field in Cluster._meta.concrete_fields if field.name not in {"created_at", "updated_at"}
    ],
    mask_fields=[*SECRETS],
    mask_callable="accounts.audit.mask",
)
auditlog.register(ClusterNotice, include_fields=["cluster", "text", "shown_from", "shown_until"])
auditlog.register(
    ProvisioningAccess,
    include_fields=["cluster", "is_enabled", "token_id", "token_secret", "credential_version"],
    mask_fields=["token_secret"],
    mask_callable="accounts.audit.mask",
)
