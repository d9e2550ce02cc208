"""Two classes: the manager's, and one of a stranger on another cluster with the same VMIDs."""

from datetime import date, time, timedelta
from typing import Any

from accounts.models import User
from classes import co_owners, lifecycle
from classes.enrolment import class_machines, membership
from classes.models import CalendarFeed, Holiday, Invite, LabClass, Lesson, LessonException, Membership
from classes.models.invites import code_hash, token_hash
from classes.timetable import occurrences
from tests.access import made_machines
from vms import operations
from vms.models import Assignment, Batch, ClusterGrant, HelpRequest, Operation, VirtualMachine

# A class's primary key is nobody else's.
OURS, THEIRS = 900_001, 900_002
FIRST_DAY = date(2090, 1, 2)  # of a lesson that each class has
LINK, CODE = "kF3-way-in-to-networks", "ABCDE-FGHJK"  # of the invite to the manager's class


def lab_classes(people: dict[str, User], clusters: int) -> tuple[LabClass, LabClass]:
    """The manager's: 101 and 103 of the first cluster. The stranger's: what is free of 102 and 103 of the last."""
    ours = _lab_class(OURS, people["manager"], people["assignee"], 1, (101, 103))
    theirs = _lab_class(THEIRS, people["stranger"], people["other"], clusters, (102, 103))
    friend = User.objects.create_user("strangers_friend")
    friend.groups.add(*people["stranger"].groups.all())
    co_owners.add(ours, people["co_owner"], by=ours.owner)
    co_owners.add(theirs, friend, by=theirs.owner)
    for made in (ours, theirs):
        _in_use(made)
        made_machines.add(made)
    Invite.objects.filter(lab_class=ours).update(token_hash=token_hash(LINK), code_hash=code_hash(CODE))
    return ours, theirs


def _lab_class(pk: int, owner: User, member: User, cluster: int, vmids: tuple[int, ...]) -> LabClass:
    grant = ClusterGrant.objects.create(user=owner, cluster_id=f"building-{cluster}")
    ClusterGrant.objects.create(user=member, cluster_id=f"building-{cluster}", pool="elsewhere")
    wanted = LabClass(pk=pk, name="Networks" if pk == OURS else "Databases")
    made = lifecycle.create(wanted, owner=owner, grants=[grant])
    free = class_machines.available(made).filter(cluster=f"building-{cluster}", vmid__in=vmids)
    class_machines.add(made, free.values_list("pk", flat=True), by=owner)
    membership.add_people(made, [member], at_once=True)
    return made


def _in_use(made: LabClass) -> None:
    """There are lessons, somebody asks for help, there is a way in, and a batch was taken back."""
    lesson = Lesson.objects.create(
        lab_class=made, first_day=FIRST_DAY, last_day=FIRST_DAY + timedelta(days=30), weekdays=127, begins=time(10),
        ends=time(11), note="Room 12",
    )  # fmt: skip
    added = {"new_day": FIRST_DAY - timedelta(days=1), "begins": time(10), "ends": time(11), "note": "Room 13"}
    LessonException.objects.create(lesson=lesson, **added)
    Holiday.objects.get_or_create(name="Local holiday", first_day=FIRST_DAY, last_day=FIRST_DAY)
    CalendarFeed.objects.create(user=made.owner, token_hash=f"calendar {made.pk}")
    occurrences.rebuild_class(made)
    held = Assignment.objects.get(vm__class_machine__lab_class=made, ended_at=None)
    HelpRequest.objects.create(assignment=held, text="Lost.")
    Invite.objects.create(
        lab_class=made, created_by=made.owner, token_hash=f"link {made.pk}", code_hash=f"code {made.pk}"
    )
    machines = list(VirtualMachine.objects.filter(pk=held.vm_id).select_related("cluster__health"))
    for action in ("start", "shutdown"):  # of which the second is refused, for the first is not over
        operations.request_many(machines, action, by=made.owner, machine_set=made.machine_set)
    Operation.objects.filter(batch_items__batch__machine_set=made.machine_set).update(
        state="cancelled", outcome="It was too late.", finished_at=held.assigned_at
    )


def rows(made: LabClass) -> dict[str, Any]:
    """Primary keys of what belongs to a class, by "app.model"; `classes.set` is its machine set."""
    member = Membership.objects.get(lab_class=made)
    return {
        "classes.labclass": made.pk,
        "classes.set": made.machine_set_id,
        "classes.membership": member.pk,
        "classes.member": member.user_id,
        "classes.co_owner": made.co_owners.get().pk,
        "classes.invite": made.invites.get().pk,
        "classes.machine": member.assignments.get().vm_id,
        "vms.batch": Batch.objects.filter(machine_set=made.machine_set).earliest("requested_at").pk,
        "vms.helprequest": HelpRequest.objects.get(assignment__vm__class_machine__lab_class=made).pk,
        "vms.clustergrant": ClusterGrant.objects.get(user=made.owner).pk,
        "classes.holiday": Holiday.objects.get().pk,
        "classes.lesson": made.lessons.get().pk,
        "classes.lessonexception": LessonException.objects.get(lesson__lab_class=made).pk,
        **made_machines.rows(made),
        "classes.free": made.class_machines.free().get().vm_id,
    }
