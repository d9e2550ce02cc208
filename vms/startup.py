"""Runs once, when Django has loaded all models: the tasks of the queue, and what the audit log keeps."""

from auditlog.registry import auditlog

from vms.models import Assignment, ClusterGrant, MachineSet, Preparation
from vms.worker import tasks  # noqa: F401 - it listens to what operations say

auditlog.register(Assignment, include_fields=["vm", "user", "ended_at"])
auditlog.register(Preparation, include_fields=["assignment", "way", "baseline", "asked_by"])
auditlog.register(MachineSet, include_fields=["name"], m2m_fields={"machines", "stewards"})
auditlog.register(ClusterGrant, include_fields=["user", "machine_set", "cluster", "pool"])
