"""Runs once, when Django has loaded all models: the tasks of the queue, and what the audit log keeps."""

from datetime import timedelta

from auditlog.registry import auditlog
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy

from accounts import jobs, tokens
from clusters import keys
from vms import automation, preparation
from vms.access import lookups
from vms.models import (
    Assignment,
    ClusterGrant,
    LeasableNetwork,
    MachineSet,
    MachineTemplate,
    MadeMachine,
    Preparation,
    ProvisioningRun,
    Quota,
    TemplateCopy,
    VirtualMachine,
)
from vms.operations import requesting
from vms.preparation import retiring
from vms.provisioning import passwords, quotas
from vms.worker import schedule, tasks  # noqa: F401 - it listens to what operations say

retiring.register()
keys.register(lambda: MadeMachine.objects.unremoved().filter(password__isnull=False), "password")
requesting.guards.append(automation.start_refusals)
requesting.guards.append(quotas.start_refusals)
preparation.last_steps.append(preparation.LastStep(is_due=passwords.has_one, do=passwords.renew))
auditlog.register(Assignment, include_fields=["vm", "user", "ended_at"])
auditlog.register(Preparation, include_fields=["assignment", "way", "baseline", "asked_by"])
auditlog.register(MachineSet, include_fields=["name"], m2m_fields={"machines", "stewards"})
auditlog.register(ClusterGrant, include_fields=["user", "machine_set", "cluster", "pool"])
auditlog.register(
    MachineTemplate,
    exclude_fields=["check_report", "checked_at"],
    m2m_fields={"networks", "users", "machine_sets"},
)
auditlog.register(TemplateCopy, include_fields=["template", "node", "vmid", "storage", "is_shared"])
auditlog.register(LeasableNetwork, include_fields=["cluster", "name", "bridge", "vlan"])
auditlog.register(
    Quota, include_fields=["cluster", "machine_set", "user", "machines", "running", "cores", "memory_mib", "disk_gib"]
)
auditlog.register(ProvisioningRun, include_fields=["kind", "template", "machine_set", "requested_by_name"])


# Tokens of the API for one machine group.
tokens.scopes["group"] = tokens.Scope(
    gettext_lazy("One machine group"),
    lambda user: [(one.pk, one.title) for one in lookups.groups_for(user).filter(is_managed=False)],
)
tokens.narrow(
    "group",
    vms__machineset=lambda pk: Q(pk=pk),
    vms__virtualmachine=lambda pk: Q(sets=pk),
    vms__operation=lambda pk: Q(vm__sets=pk),
    vms__batch=lambda pk: Q(machine_set=pk),
    vms__provisioningrun=lambda pk: Q(machine_set=pk),
    clusters__cluster=lambda pk: Exists(VirtualMachine.objects.filter(sets=pk, cluster=OuterRef("cluster_id"))),
)

for name, every, work in (
    ("forget answers of the API", timedelta(minutes=10), jobs.forget_idempotent_calls),
    ("forget ended tokens", timedelta(days=1), jobs.forget_ended_tokens),
    ("tell of tokens that expire", timedelta(hours=1), jobs.warn_of_expiring_tokens),
):
    schedule.register(schedule.PeriodicJob(name, every, work))
