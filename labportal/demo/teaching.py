"""What a stranger can try at once: a published template with networks and a quota, and a class with a lesson."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.encrypted_fields import Secret
from classes.models import LabClass, LessonMode, RunningRules
from classes.models.timetable import EVERY_DAY
from classes.timetable import changes, occurrences
from clusters.models import Cluster, ProvisioningAccess
from labportal.demo.world import BRIDGES, COPIES, NEW_PLACE, STORAGE, VMIDS
from vms.models import LeasableNetwork, MachineTemplate, Quota, TemplateCopy
from vms.provisioning import template_check

# The lesson begins so long after the demo: nothing starts by itself while somebody looks around for the first time.
HEAD_START = timedelta(minutes=30)
QUARTER = timedelta(minutes=15)
WEEKS = timedelta(weeks=8)


def let_machines_be_made(token_id: str, secret: str) -> None:
    cluster = Cluster.objects.get(cluster_id=NEW_PLACE[0])
    ProvisioningAccess.objects.create(cluster=cluster, is_enabled=True, token_id=token_id, token_secret=Secret(secret))
    template = MachineTemplate.objects.create(
        name="Debian web server",
        description="Debian with nginx. Each machine has a password of its own.",
        cluster=cluster,
        pool=NEW_PLACE[1],
        vmid_from=VMIDS[0],
        vmid_to=VMIDS[1],
        name_pattern="new-{n}",
        ci_user="student",
        most_machines=40,
    )
    for node, vmid in COPIES.items():
        TemplateCopy.objects.create(template=template, node=node, vmid=vmid, storage=STORAGE)
    for number, bridge in enumerate(BRIDGES[1:], start=1):
        template.networks.add(LeasableNetwork.objects.create(cluster=cluster, name=f"Lab {number}", bridge=bridge))
    Quota.objects.create(cluster=cluster, machines=60, running=40)
    template_check.check(template)


def add_a_lesson(lab_class: LabClass) -> None:
    """Every day, and the class's machines start for it and stop after it."""
    begins = timezone.localtime(timezone.now() + HEAD_START).replace(second=0, microsecond=0)
    begins += (-timedelta(minutes=begins.minute)) % QUARTER
    values = {
        "weekdays": EVERY_DAY,
        "first_day": begins.date(),
        "last_day": begins.date() + WEEKS,
        "begins": begins.time(),
        "ends": (begins + 6 * QUARTER).time(),
        "mode": LessonMode.BOTH,
        "note": "Room 12",
    }
    with transaction.atomic():
        occurrences.lock(lab_class)
        changes.add(lab_class, values)
        occurrences.rebuild_class(lab_class)
    RunningRules.objects.create(lab_class=lab_class, starts=True, starts_without_person=True, stops=True)
