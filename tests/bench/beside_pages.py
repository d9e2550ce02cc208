"""What pages cost in one tree of the product: a process that `beside` starts in this one and in an older one.

It imports nothing of the benchmarks, because the older tree has others. It prints what it can measure, and then for
each name on its input the milliseconds of CPU.
"""

# ruff: noqa: PLC0415 - Django is set up before its models are imported

import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
MACHINES, TIMES = 50, 3


def main() -> None:
    import django

    folder = tempfile.TemporaryDirectory(prefix="labportal-beside-")
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        os.environ["DATABASE_URL"] = f"sqlite:///{folder.name}/bench.db"
    django.setup()
    logging.disable(logging.WARNING)
    from django.db import connection
    from django.test import override_settings

    name = connection.settings_dict["NAME"]
    test_name = f"{name}.test" if connection.vendor == "sqlite" else f"test_beside_{os.getpid()}"
    connection.settings_dict["TEST"]["NAME"] = test_name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with override_settings(ALLOWED_HOSTS=["*"]):
            serve(*measures())
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def serve(prepare: Callable[[], None], known: dict[str, Callable[[], object]]) -> None:
    print(json.dumps(list(known)), flush=True)
    for line in sys.stdin:
        act = known[line.strip()]
        prepare()
        begun = time.process_time()
        for _ in range(TIMES):
            act()
        print((time.process_time() - begun) * 1000 / TIMES, flush=True)


def measures() -> tuple[Callable[[], None], dict[str, Callable[[], object]]]:
    """What comes before each measurement, and the measurements by name.

    A student with 50 machines, and a teacher with a group of 100, in a world where nothing happens.
    """
    from datetime import timedelta

    from django.test import Client
    from django.urls import reverse
    from django.utils import timezone

    from accounts.models import User
    from clusters.models import Cluster, ClusterHealth
    from vms.models import Assignment, ClusterSync, MachineSet, VirtualMachine

    cluster = Cluster.objects.create(cluster_id="lab", name="Lab", host="192.0.2.1", user="u@pve", password="x")
    ClusterHealth.succeeded("lab")
    ClusterSync.objects.update_or_create(cluster=cluster, defaults={"synced_at": timezone.now()})
    now = timezone.now()
    same = {"cluster": cluster, "node": "pve1", "addresses": ["192.0.2.7"], "booted_at": now - timedelta(hours=1)}
    read = {"details_at": now, "details_due_at": now + timedelta(hours=6)}
    states = ("stopped", "running")
    VirtualMachine.objects.bulk_create(
        VirtualMachine(vmid=100 + n, name=f"vm-{n:05}", status=states[n % 2], **same, **read) for n in range(2000)
    )
    student, teacher = (User.objects.create(username=name) for name in ("student", "teacher"))
    machines = list(VirtualMachine.objects.order_by("vmid"))
    Assignment.objects.bulk_create([Assignment(vm=one, user=student) for one in machines[:MACHINES]])
    group = MachineSet.objects.create(name="Group")
    group.machines.add(*machines[100:200])
    group.stewards.add(teacher)
    clients = {}
    for user in (student, teacher):
        clients[user.username] = client = Client()
        client.force_login(user)

    def fresh() -> None:
        """As after a sync and a reading of details, so that nothing depends on how long this takes."""
        ClusterSync.objects.update(synced_at=timezone.now())
        VirtualMachine.objects.filter(status="running").update(details_at=timezone.now())

    def page(who: str, url: str) -> Callable[[], object]:
        return lambda: clients[who].get(url)

    def poll(who: str, url: str, element: str) -> Callable[[], object]:
        def ask() -> None:
            answer = clients[who].get(address, headers={"hx-request": "true"})
            if answer.status_code != 204:
                raise RuntimeError(f"The poll answered {answer.status_code}.")

        found = re.search(rf'id="{element}"[^>]* hx-get="([^"]+)"', clients[who].get(url).content.decode())
        if not found:
            raise RuntimeError(f"{url} asks for nothing: {clients[who].get(url).status_code}")
        address = found[1].replace("&amp;", "&")
        return ask

    fresh()
    of_group = reverse("vms-set", args=[group.pk])
    return fresh, {
        "list of 50": page("student", "/vms/?cluster="),
        "unchanged poll, 50 machines": poll("student", "/vms/?cluster=", "machines"),
        "dashboard of 100": page("teacher", of_group),
        "unchanged poll, dashboard of 100": poll("teacher", of_group, "set"),
    }


if __name__ == "__main__":
    main()
