"""In a process of its own: prepare the demo's database. Reads people and assignments as JSON from standard input."""

import fcntl
import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

django.setup()

from django.contrib.auth.models import Group  # noqa: E402

from accounts.models import User  # noqa: E402
from classes import co_owners, lifecycle  # noqa: E402
from classes.enrolment import class_machines, membership  # noqa: E402
from classes.models import LabClass  # noqa: E402
from labportal.demo import teaching, template  # noqa: E402
from labportal.demo.world import ASSIGNMENTS, NEW_PLACE, PLACE, TEACHERS  # noqa: E402
from vms import inventory, registry  # noqa: E402
from vms.models import Assignment, ClusterGrant, ClusterSync, VirtualMachine  # noqa: E402


def main(passwords: dict[str, str], maker: tuple[str, str]) -> None:
    template.migrate(Path(settings.DATABASES["default"]["NAME"]))
    call_command("import_clusters")
    call_command("loaddata", "fixtures/demo.json", verbosity=0)
    collect_static()
    for name, password in passwords.items():
        user = User.objects.get(username=name)
        user.set_password(password)
        user.save()
    for config in registry.clusters():
        outcome = inventory.sync(config)
        if outcome.problem:
            sys.exit(f"{config.name}: {outcome.problem}")
    for name, held in ASSIGNMENTS.items():
        for cluster_id, vmid in held:
            machine = VirtualMachine.objects.get(cluster_id=cluster_id, vmid=vmid)
            Assignment.objects.create(vm=machine, user=User.objects.get(username=name))
    grants = [grant_to(name, *place) for name in TEACHERS for place in (PLACE, NEW_PLACE)]
    made = make_a_class(grants, students=list(ASSIGNMENTS))
    teaching.let_machines_be_made(*maker)
    teaching.add_a_lesson(made)
    ClusterSync.objects.update(due_at=django.utils.timezone.now())


def grant_to(teacher: str, cluster_id: str, pool: str) -> ClusterGrant:
    person = User.objects.get(username=teacher)
    person.groups.add(Group.objects.get(name="Teacher"))
    return ClusterGrant.objects.create(user=person, cluster_id=cluster_id, pool=pool)


def make_a_class(grants: list[ClusterGrant], students: list[str]) -> LabClass:
    """With two machines, the students on its list, and nobody in it."""
    first, *others = dict.fromkeys(grant.user for grant in grants if grant.user)
    wanted = LabClass(
        name="Web servers 201",
        description="How a web server answers, and what one sees of it on the wire.",
        lesson="Install nginx, write a page, and open it from the machine next to yours.",
        links="https://nginx.org/en/docs/ The manual",
        baseline="baseline",
    )
    made = lifecycle.create(wanted, owner=first, grants=[grant for grant in grants if grant.user == first])
    for person in others:
        co_owners.add(made, person, by=first)
    last = class_machines.available(made).order_by("-vmid").values_list("pk", flat=True)[:2]
    class_machines.add(made, list(last), by=first)
    membership.add_people(made, list(User.objects.filter(username__in=students)), at_once=False)
    return made


def collect_static() -> None:
    """Only what is newer than the last time, and one demo after the other: another one may be serving these files."""
    root = Path(settings.STATIC_ROOT)
    root.mkdir(exist_ok=True)
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not is_collected(root / "staticfiles.json"):
            call_command("collectstatic", interactive=False, verbosity=0)
    finally:
        os.close(folder)


def is_collected(manifest: Path) -> bool:
    if not manifest.exists():
        return False
    known, at = json.loads(manifest.read_text())["paths"], manifest.stat().st_mtime
    found = [(name, storage.path(name)) for finder in get_finders() for name, storage in finder.list([])]
    return all(name in known and Path(path).stat().st_mtime < at for name, path in found)


task = json.load(sys.stdin)
main(**task)
