"""Sets up the school of a plan: clusters in the simulator, and classes, people and timetables in the database."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

import pvesim
from accounts.models import User
from classes import lifecycle
from classes.enrolment import class_machines
from classes.models import Holiday, LabClass, Lesson, LessonException, Membership, RunningRules
from classes.timetable import occurrences
from clusters.models import Cluster
from pvesim.tasks import Steps, Task
from pvesim.timeline import Timeline
from tests.bench.month_plan import HOLIDAY, Group, Plan
from tests.bench.simulated import World
from vms import inventory
from vms.models import Assignment, ClusterGrant, ClusterSync, VirtualMachine

NODES = ("pve1", "pve2")
SYNC_EVERY, SHUTDOWN = 120, 20.0  # seconds
BUSY = pvesim.Load(0.4, 300.0, 200.0)
FASTEST, SLOWEST, SPREAD = 20.0, 80.0, 0.1  # of starts


@dataclass(frozen=True)
class Done:
    """A task of a cluster: what it did to a machine, from when to when. `what` is start, shutdown or stop."""

    vmid: int
    what: str
    begun: datetime
    ended: datetime
    upid: str


@dataclass
class School:
    """`classes` by the number of the group, `machines` and `people` by VMID. `done` is what the clusters say."""

    plan: Plan
    classes: dict[int, LabClass] = field(default_factory=dict)
    machines: dict[int, VirtualMachine] = field(default_factory=dict)
    people: dict[int, User] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)


def set_up(world: World, plan: Plan) -> School:
    """At the time of the world, which is before the first lesson."""
    school = School(plan)
    rows = {name: _cluster(world, school, name) for name in plan.clusters}
    if plan.first <= HOLIDAY <= plan.last:
        Holiday.objects.create(name="National day", first_day=HOLIDAY, last_day=HOLIDAY)
    for group in plan.groups:
        _class(school, group, rows[group.cluster])
    return school


def _cluster(world: World, school: School, name: str) -> Cluster:
    quick = pvesim.Durations(start=0.5, shutdown=SHUTDOWN)
    made = world.simulator.add_cluster(name, nodes=NODES, statd_interval=0.0, durations=quick)
    made.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
    token = made.add_token("portal@pve", "labs", privsep=False)
    for group in school.plan.groups:
        for vmid in group.machines if group.cluster == name else ():
            guest = made.add_guest(vmid, name=f"pc-{vmid}", node=NODES[vmid % len(NODES)], agent="alive")
            guest.figures = _figures(school.plan, vmid)
    made.tasks.wrappers.append(_told_by(school, made.timeline))
    row: Cluster = Cluster.objects.create(
        cluster_id=name, name=name, host="127.0.0.1", port=8006, user="portal@pve", token_id=token.full_id,
        token_secret=token.secret, ca_certificate=made.ca_pem, is_default=name == school.plan.clusters[0],
    )  # fmt: skip
    ClusterSync.objects.update_or_create(cluster=row, defaults={"interval": SYNC_EVERY})
    inventory.sync(row.config)
    return row


def _figures(plan: Plan, vmid: int) -> pvesim.Figures:
    """Quiet, but for the evenings on which somebody uses it."""
    steps = [(0.0, pvesim.QUIET)]
    for one in plan.evenings():
        if one.vmid == vmid:
            steps += [(one.begins.timestamp(), BUSY), (one.quiet_from.timestamp(), pvesim.QUIET)]
    return pvesim.Figures(list(steps))


def _told_by(school: School, timeline: Timeline) -> Callable[[Task, Steps], Steps]:
    """Each machine needs its own time to start, and not always the same. What is done is written down."""
    chance = random.Random(school.plan.seed)  # noqa: S311 - not a secret
    means: dict[str, float] = {}

    def wrapper(task: Task, steps: Steps) -> Steps:
        if task.type == "qmstart":
            mean = means.setdefault(task.id, chance.uniform(FASTEST, SLOWEST))
            yield mean * chance.uniform(1 - SPREAD, 1 + SPREAD)
        yield from steps
        begun, ended = (datetime.fromtimestamp(at, UTC) for at in (task.starttime, timeline.now()))
        school.done.append(Done(int(task.id), task.type.removeprefix("qm"), begun, ended, task.upid))

    return wrapper


def _class(school: School, group: Group, cluster: Cluster) -> None:
    owner = User.objects.create_user(f"teacher-{group.number}")
    grant = ClusterGrant.objects.create(user=owner, cluster=cluster)
    made = lifecycle.create(LabClass(name=f"Class {group.number}", time_zone=group.zone), owner=owner, grants=[grant])
    found = {one.vmid: one for one in VirtualMachine.objects.filter(cluster=cluster, vmid__in=group.machines)}
    class_machines.add(made, [one.pk for one in found.values()], by=owner)
    for vmid, machine in found.items():
        person = User.objects.create_user(f"student-{vmid}")
        Membership.objects.create(
            lab_class=made, user=person, joined_at=datetime.combine(school.plan.first, time(), UTC)
        )
        Assignment.objects.create(vm=machine, user=person)
        school.machines[vmid], school.people[vmid] = machine, person
    RunningRules.objects.create(
        lab_class=made, starts=True, stops=True, hours=group.hours, idle_minutes=group.idle_minutes, keeps=1
    )
    school.classes[group.number] = made
    _timetable(school.plan, made, group)


def _timetable(plan: Plan, made: LabClass, group: Group) -> None:
    for weekday, (begins, ends) in group.weekly.items():
        lesson = Lesson.objects.create(
            lab_class=made, weekdays=1 << weekday, first_day=plan.first, last_day=plan.last, begins=begins, ends=ends
        )
        special = [LessonException(lesson=lesson, day=day) for day in group.left_out if day.weekday() == weekday]
        for day, (new_day, (first, last)) in group.moved.items():
            if day.weekday() == weekday:
                special.append(LessonException(lesson=lesson, day=day, new_day=new_day, begins=first, ends=last))
        for day, (first, last) in group.extra.items():
            if day.weekday() == weekday:
                special.append(LessonException(lesson=lesson, new_day=day, begins=first, ends=last))
        LessonException.objects.bulk_create(special)
    for weekday, (begins, ends) in group.double.items():
        days = {"first_day": plan.first, "last_day": plan.last}
        Lesson.objects.create(lab_class=made, weekdays=1 << weekday, **days, begins=begins, ends=ends)
    for day, (begins, ends) in group.once.items():
        Lesson.objects.create(lab_class=made, first_day=day, last_day=day, begins=begins, ends=ends)
    occurrences.rebuild_class(made)
