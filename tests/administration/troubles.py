"""A portal in which everything that the admin's index counts is there so many times."""

from datetime import timedelta

from axes.models import AccessAttempt
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts.models import User
from classes.models import LabClass, Membership
from clusters.models import ClusterHealth
from tests.labs import Lab, add_cluster
from vms.models import (
    Alert,
    Assignment,
    ClusterSync,
    ConsoleSession,
    Node,
    Operation,
    Preparation,
    VirtualMachine,
    WorkerBeat,
)

LONG = "database-systems-practical-course-of-the-evening-school-group-017-machine"
PERSON = "maximiliane.oberhuber-lopez.de.la.fuente"
REFUSAL = "The cluster refused: got lock timeout - can't lock file '/var/lock/qemu-server/lock-1017.conf' (500)"


def make(lab: Lab, lab_class: LabClass, *, times: int, first: int = 0) -> None:
    """`times` of each, with names as long as schools have them; what is not counted is there as well."""
    now = timezone.now()
    for n in range(first, first + times):
        person = User.objects.create(
            username=f"{PERSON}.{n}", first_name="Maximiliane Antonia", last_name="Oberhuber-López de la Fuente",
            email=f"{PERSON}.{n}@students.school.example", must_change_password=True,
        )  # fmt: skip
        AccessAttempt.objects.create(username=person.username, ip_address="192.0.2.7", failures_since_start=5)
        row = add_cluster(lab.pve, f"silent-{n}", name=f"Silent building number {n}", ca_certificate="", fingerprint="")
        ClusterHealth.failed(row.cluster_id, REFUSAL, at=now - timedelta(minutes=3))
        Alert.objects.create(
            cluster=row, kind=Alert.Kind.DOWN, text=REFUSAL, since=now, seen_at=now, opened_at=now
        )  # fmt: skip
        ClusterSync.objects.update_or_create(cluster=row, defaults={"notice": REFUSAL})
        Node.objects.create(cluster=row, name=f"pve-rack-17-unit-{n}", online=False, since=now)
        _machines(lab, person, n)
        member = User.objects.create(username=f"waits-{n}")
        Membership.objects.create(lab_class=lab_class, user=member, joined_at=now, waiting_since=now)
    WorkerBeat.objects.get_or_create(name="worker")
    DBTaskResult.objects.bulk_create(_task(status) for status in ["FAILED"] * times + ["SUCCESSFUL"])


def _machines(lab: Lab, person: User, n: int) -> None:
    now = timezone.now()
    common = {"cluster": lab.row, "node": "pve1", "status": "stopped", "pool": "practical-course-evening"}
    doubted = VirtualMachine.objects.create(vmid=1000 + n, name=f"{LONG}-{n}", doubted_since=now, **common)
    VirtualMachine.objects.create(vmid=2000 + n, name=f"missing-{n}", missing_since=now, **common)
    for state, days in (("failed", 0), ("failed", 3), ("done", 0)):
        at = now - timedelta(days=days, minutes=n)
        Operation.objects.create(
            vm=doubted, cluster_id=lab.row.cluster_id, vmid=doubted.vmid, vm_name=doubted.name, node="pve1",
            action="rollback", requested_by=person, requested_by_name=person.username, state=state, outcome=REFUSAL,
            requested_at=at, admitted_at=at, sent_at=at, finished_at=at,
        )  # fmt: skip
    kept = Assignment.objects.create(vm=doubted, user=person, ended_at=now)
    Preparation.objects.create(assignment=kept, way="shut-down", state="failed", finished_at=now, outcome=REFUSAL)
    ConsoleSession.objects.create(
        user=person, user_name=person.username, vm=doubted, vm_name=doubted.name, vmid=doubted.vmid, node="pve1",
        cluster_id=lab.row.cluster_id, mode="control", process="portal-web-1.school.example:4711:abcdef", opened_at=now,
        place=1, leased_until=now + timedelta(minutes=1),
    )  # fmt: skip


def _task(status: str) -> DBTaskResult:
    now = timezone.now()
    return DBTaskResult(
        status=status, task_path="vms.jobs.sync", args_kwargs={"args": [], "kwargs": {}}, queue_name="clusters",
        backend_name="default", enqueued_at=now, run_after=now,
    )  # fmt: skip
