"""In a process of its own: make the demo's database ready. Reads people and holdings as JSON from standard input."""

import json
import sys
from typing import Any

import django
from django.core.management import call_command

django.setup()

from accounts.models import User  # noqa: E402
from vms import inventory, registry  # noqa: E402
from vms.models import Assignment, ClusterSync, VirtualMachine  # noqa: E402


def main(passwords: dict[str, str], holdings: dict[str, list[Any]]) -> None:
    call_command("import_clusters")  # migrates first
    call_command("loaddata", "fixtures/demo.json", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    for name, password in passwords.items():
        user = User.objects.get(username=name)
        user.set_password(password)
        user.save()
    for config in registry.clusters():
        outcome = inventory.sync(config)
        if outcome.problem:
            sys.exit(f"{config.name}: {outcome.problem}")
    for name, held in holdings.items():
        for cluster_id, vmid in held:
            machine = VirtualMachine.objects.get(cluster_id=cluster_id, vmid=vmid)
            Assignment.objects.create(vm=machine, user=User.objects.get(username=name))
    ClusterSync.objects.update(due_at=django.utils.timezone.now())


task = json.load(sys.stdin)
main(task["passwords"], task["holdings"])
