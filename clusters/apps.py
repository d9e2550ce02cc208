from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ClustersConfig(AppConfig):
    name = "clusters"
    verbose_name = gettext_lazy("Clusters")

    def ready(self) -> None:
        from auditlog.registry import auditlog  # noqa: PLC0415

        from clusters import checks  # noqa: F401, PLC0415
        from clusters.models import SECRETS, Cluster, ClusterNotice  # noqa: PLC0415

        auditlog.register(
            Cluster,
            include_fields=[
                field.name for field in Cluster._meta.concrete_fields if field.name not in {"created_at", "updated_at"}
            ],
            mask_fields=[*SECRETS],
            mask_callable="accounts.audit.mask",
        )
        auditlog.register(ClusterNotice, include_fields=["cluster", "text", "shown_from", "shown_until"])
