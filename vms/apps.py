from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class VmsConfig(AppConfig):
    name = "vms"
    verbose_name = gettext_lazy("Machines")

    def ready(self) -> None:
        from auditlog.registry import auditlog  # noqa: PLC0415
        from django.db.backends.signals import connection_created  # noqa: PLC0415

        from vms import checks, connection_pooler  # noqa: F401, PLC0415
        from vms.models import Assignment, ClusterGrant, MachineSet, Preparation  # noqa: PLC0415
        from vms.worker import tasks  # noqa: F401, PLC0415 - it listens to what operations say

        connection_created.connect(connection_pooler.when_connected, dispatch_uid="pooler")

        auditlog.register(Assignment, include_fields=["vm", "user", "ended_at"])
        auditlog.register(Preparation, include_fields=["assignment", "way", "baseline", "asked_by"])
        auditlog.register(MachineSet, include_fields=["name"], m2m_fields={"machines", "stewards"})
        auditlog.register(ClusterGrant, include_fields=["user", "machine_set", "cluster", "pool"])
