"""What was made for each of the two classes: the machine of its student, one that failed, and an earlier one."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from classes.models import LabClass
from vms.models import Assignment, MachineTemplate, MadeMachine, ProvisioningRun, Quota

State = MadeMachine.State
FIRST = 5000  # and the ten after it, another ten for each class


def add(made: LabClass) -> None:
    held = Assignment.objects.select_related("vm").get(vm__class_machine__lab_class=made, ended_at=None)
    cluster_id, first = held.vm.cluster_id, FIRST + made.pk % 10 * 10
    template = MachineTemplate.objects.create(
        name=f"Web server {made.pk}", cluster_id=cluster_id, pool="made", name_pattern="web-{n}",
        vmid_from=first, vmid_to=first + 9,
    )  # fmt: skip
    run = ProvisioningRun.objects.create(
        template=template, machine_set=made.machine_set, requested_by=made.owner, requested_by_name="manager"
    )
    template.networks.create(cluster_id=cluster_id, name=f"Lab {made.pk}", bridge=f"vmbr{first}")
    Quota.objects.create(machine_set=made.machine_set, machines=9)
    until = timezone.now() + timedelta(days=7)
    rows: list[dict[str, Any]] = [
        {"vmid": held.vm.vmid, "vm": held.vm, "state": State.READY, "password": "only-for-its-student"},
        {"vmid": first, "state": State.FAILED, "outcome": "It said no."},
        {"vmid": first + 1, "state": State.EARLIER, "keep_until": until},
    ]
    for position, values in enumerate(rows):
        MadeMachine.objects.create(
            run=run, position=position, cluster_id=cluster_id, node="pve1", template_vmid=9000, template_node="pve1",
            name=f"web-{position}", cores=1, memory_mib=1024, disk_gib=8, **values,
        )  # fmt: skip


def rows(made: LabClass) -> dict[str, Any]:
    run = ProvisioningRun.objects.get(machine_set=made.machine_set)
    return {
        "vms.provisioningrun": run.pk,
        "vms.mademachine": run.machines.get(state=State.EARLIER).pk,
        "vms.machinetemplate": run.template_id,
        "vms.leasablenetwork": run.template.networks.get().pk,
        "vms.quota": Quota.objects.get(machine_set=made.machine_set).pk,
    }
