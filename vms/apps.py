from django.apps import AppConfig


class VmsConfig(AppConfig):
    name = "vms"
    verbose_name = "Machines"

    def ready(self) -> None:
        from auditlog.registry import auditlog  # noqa: PLC0415

        from vms import checks  # noqa: F401, PLC0415
        from vms.models import Assignment, ClusterGrant, MachineSet  # noqa: PLC0415

        auditlog.register(Assignment, include_fields=["vm", "user", "ended_at"])
        auditlog.register(MachineSet, include_fields=["name"], m2m_fields={"machines", "stewards"})
        auditlog.register(ClusterGrant, include_fields=["user", "machine_set", "cluster", "pool"])
