"""Reserves the machines of a plan: a row for each, with its VMID, in the transaction that checked the plan."""

from functools import partial

from django.db import transaction

from accounts.models import User
from vms.models import MachineTemplate, MadeMachine, ProvisioningRun, TemplateCopy
from vms.provisioning import networks, running
from vms.provisioning.machines_plan import MachinesPlan

Networks = ProvisioningRun.Networks


def reserve(plan: MachinesPlan, *, by: User | None, by_name: str = "") -> ProvisioningRun:
    """Write the run and its machines; after the commit they are made. In the transaction that made the plan.

    Constraints let no VMID and no network be reserved twice: `IntegrityError`, and nothing is written.
    """
    template = MachineTemplate.objects.get(pk=plan.template)
    run = ProvisioningRun(
        kind=plan.kind,
        template=template,
        machine_set_id=plan.group,
        networks=plan.networks,
        requested_by=by,
        requested_by_name=by.get_username() if by else by_name,
        plan=plan.as_json(),
    )
    run.save(force_insert=True)
    copies = TemplateCopy.objects.in_bulk({row.copy for row in plan.written})
    MadeMachine.objects.bulk_create(
        MadeMachine(
            run=run,
            position=row.line,
            cluster_id=template.cluster_id,
            vmid=int(row.vmid),
            node=row.node,
            copy=copies[row.copy],
            template_vmid=copies[row.copy].vmid,
            template_node=copies[row.copy].node,
            name=row.name,
            storage=row.storage,
            network_id=row.network_pk or None,
            lease_id=_lease(plan, run, row.network_pk, row.user),
            for_user_id=row.user or None,
            cores=row.cores,
            memory_mib=row.memory,
            disk_gib=row.disk,
        )
        for row in plan.written
    )
    transaction.on_commit(partial(running.begin, run.pk), robust=True)
    return run


def _lease(plan: MachinesPlan, run: ProvisioningRun, network: int, user: int) -> int | None:
    if not network:
        return None
    is_shared = plan.networks == Networks.GROUP
    person = user or None if not is_shared else None
    return networks.lease(network, run.machine_set, user=person, is_shared=is_shared).pk
