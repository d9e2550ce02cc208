"""A school in the database: 1,000 classes with 30 machines each, and the lessons of a year."""

from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

from accounts.models import User
from classes.models import ClassMachine, LabClass, Lesson, Occurrence, RunningRules
from clusters.models import Cluster, ClusterHealth
from vms.models import Assignment, ClusterSync, MachineSet, VirtualMachine

CLASSES, MACHINES, WEEKS = 1_000, 30, 40
AT_ONCE = 20  # classes that have a lesson at the same time

# In the 20th week of lessons, ten minutes before the last bell of a day.
FIRST = date(2026, 9, 7)
NOW = datetime(2027, 1, 18, 16, 50, tzinfo=UTC)
AT_A_TIME = 500


def fill() -> None:
    owner = User.objects.create_user("head")
    clusters = [_cluster(number) for number in range(3)]
    sets = MachineSet.objects.bulk_create(MachineSet(name=f"set {n}", is_managed=True) for n in range(CLASSES))
    classes = LabClass.objects.bulk_create(
        LabClass(name=f"Class {n}", owner=owner, machine_set=one, time_zone="UTC") for n, one in enumerate(sets)
    )
    RunningRules.objects.bulk_create(RunningRules(lab_class=one, starts=True, stops=True) for one in classes)
    _machines(classes, clusters)
    _lessons(classes)


def _cluster(number: int) -> Cluster:
    made: Cluster = Cluster.objects.create(
        cluster_id=f"school-{number}", name=f"School {number}", host="192.0.2.1", user="portal@pve", password="unused"
    )
    ClusterHealth.succeeded(made.cluster_id)
    ClusterSync.objects.update_or_create(cluster=made, defaults={"synced_at": NOW})
    return made


def _machines(classes: list[LabClass], clusters: list[Cluster]) -> None:
    people = User.objects.bulk_create(
        [User(username=f"student-{n}") for n in range(CLASSES * MACHINES)], batch_size=AT_A_TIME
    )
    rows = VirtualMachine.objects.bulk_create(
        [
            VirtualMachine(
                cluster=clusters[n % len(clusters)],
                vmid=100 + n,
                name=f"pc-{n}",
                node=f"pve{n % 20}",
                status=_status(n),
            )
            for n in range(CLASSES * MACHINES)
        ],
        batch_size=AT_A_TIME,
    )
    ClassMachine.objects.bulk_create(
        [ClassMachine(lab_class=classes[n // MACHINES], vm=row) for n, row in enumerate(rows)], batch_size=AT_A_TIME
    )
    Assignment.objects.bulk_create(
        [Assignment(vm=row, user=person, assigned_at=timezone.now()) for row, person in zip(rows, people, strict=True)],
        batch_size=AT_A_TIME,
    )


def _lessons(classes: list[LabClass]) -> None:
    """Each class has a lesson a week, twenty at a time: on five days, from 8 to 18 o'clock."""
    lessons = Lesson.objects.bulk_create(
        [
            Lesson(
                lab_class=one, weekdays=1 << _day(n), first_day=FIRST, last_day=FIRST + timedelta(weeks=WEEKS),
                begins=time(8 + _hour(n)), ends=time(8 + _hour(n), 45),
            )
            for n, one in enumerate(classes)
        ],
        batch_size=AT_A_TIME,
    )  # fmt: skip
    occurrences = []
    for n, lesson in enumerate(lessons):
        for week in range(WEEKS):
            day = FIRST + timedelta(weeks=week, days=_day(n))
            begins = datetime.combine(day, lesson.begins, UTC)
            occurrences.append(
                Occurrence(
                    lesson=lesson,
                    lab_class=lesson.lab_class,
                    rule_day=day,
                    day=day,
                    starts_at=begins,
                    ends_at=begins + timedelta(minutes=45),
                    mode="both",
                )
            )
    Occurrence.objects.bulk_create(occurrences, batch_size=AT_A_TIME)


def _status(number: int) -> str:
    """After the lessons of the day, one machine of ten is still running."""
    return "stopped" if number % 10 else "running"


def _day(number: int) -> int:
    return number // AT_ONCE % 5


def _hour(number: int) -> int:
    return number // AT_ONCE // 5 % 10
