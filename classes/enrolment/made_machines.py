"""Machines that are made for a class: who needs one, the plan, and what becomes of a machine that is ready."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import User
from accounts.plans import Note, Outcome, PlanChanged, carry_out
from accounts.spreadsheet import Unreadable
from classes.enrolment import waiting_list
from classes.models import ClassMachine, LabClass, Membership
from vms.models import MachineTemplate, MadeMachine, ProvisioningRun, VirtualMachine
from vms.provisioning import facts, machines_plan, reserving
from vms.provisioning.facts import Reading
from vms.provisioning.machines_plan import MachinesPlan, Wish

State = MadeMachine.State

# A machine in these states is still to become its person's.
PROMISED = (State.WAITING, State.WORKING, State.FAILED, State.STUCK)

# Why no machine is made for those who join.
LIMIT_REACHED = gettext_noop("The class has as many machines as its limit allows: %(limit)s.")
SAID = "%(said)s"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What somebody wants for a class, as plain values: `people` are primary keys of members, the first one first.

    `before` are the choices of the plan that was shown: see `machines_plan.make`.
    """

    template: int
    people: tuple[int, ...]
    spare: int
    networks: str
    kind: str = ProvisioningRun.Kind.MAKE
    before: Sequence[Sequence[Any]] = ()


def templates_for(lab_class: LabClass, user: User) -> QuerySet[MachineTemplate]:
    """The templates out of which a teacher may make machines for the class."""
    found: QuerySet[MachineTemplate] = MachineTemplate.objects.usable_by(user.pk, lab_class.machine_set_id)
    return found.filter(cluster__provisioning__is_enabled=True)


def _without_machine(lab_class: LabClass) -> QuerySet[Membership]:
    members = Membership.objects.joined().filter(lab_class=lab_class, user__is_active=True).select_related("user")
    found: QuerySet[Membership] = members.filter(~Exists(Membership.assignments_of(OuterRef("user"), lab_class.pk)))
    return found


def in_need(lab_class: LabClass) -> list[Membership]:
    """Members without a machine, for whom none is being made or to be retried. Those who wait first, in their order."""
    being_made = MadeMachine.objects.unremoved().filter(
        run__machine_set=lab_class.machine_set_id, for_user=OuterRef("user"), state__in=PROMISED
    )
    found = _without_machine(lab_class).filter(~Exists(being_made))
    return sorted(found, key=lambda one: (one.waiting_since is None, one.waiting_since or one.listed_at, one.pk))


def plan(lab_class: LabClass, order: Order, *, by: User) -> MachinesPlan:
    """Ask the cluster, and plan. Writes nothing. Raises `Unreadable` where no plan can be made."""
    template = _usable(lab_class, order, by)
    return machines_plan.make(_wish(lab_class, order), read(template), before=order.before)


def apply(
    lab_class: LabClass, order: Order, *, by: User, expected: str | None, reading: Reading | None = None
) -> MachinesPlan:
    """Reserve exactly the plan that was shown (None: the one of this moment); the machines are made afterwards.

    `reading` is what `read_for` found before a transaction of the caller's. Raises `PlanChanged`, and then nothing was
    written, and `Unreadable`.
    """
    reading = reading or read_for(lab_class, order, by=by)  # before the transaction, which locks

    def make() -> MachinesPlan:
        locked = waiting_list.lock(lab_class)
        try:
            _usable(locked, order, by)
        except Unreadable as error:
            raise PlanChanged(str(error)) from None
        return machines_plan.make(_wish(locked, order), reading, before=order.before, is_locked=True)

    return carry_out(make, lambda fresh: reserving.reserve(fresh, by=by), expected=expected)


def read_for(lab_class: LabClass, order: Order, *, by: User) -> Reading:
    """What the cluster has for this order. Raises `Unreadable`."""
    return read(_usable(lab_class, order, by))


def read(template: MachineTemplate) -> Reading:
    """Raises `Unreadable` when the cluster cannot be asked."""
    try:
        return facts.read(template)
    except facts.NotReadable as error:
        raise Unreadable(str(error), field="template") from error


def _usable(lab_class: LabClass, order: Order, by: User) -> MachineTemplate:
    if lab_class.is_over:
        raise Unreadable(_("This class has ended. Reopen it first."), field="template")
    template = templates_for(lab_class, by).select_related("cluster").filter(pk=order.template).first()
    if template is None:
        text = _("This template is not available to the class. Ask an administrator to grant its pool to the class.")
        raise Unreadable(text, field="template")
    return template


def _wish(lab_class: LabClass, order: Order) -> Wish:
    """For those of the people who still need a machine."""
    needy = {row.user_id: row.user.username for row in in_need(lab_class)}
    people = tuple((person, needy[person]) for person in order.people if person in needy)
    return Wish(order.template, lab_class.machine_set_id, people, order.spare, order.networks, order.kind)


def is_group_closed(group: int) -> bool:
    """Whether the class of this machine group (a primary key) has ended."""
    lab_class = LabClass.objects.filter(machine_set=group).first()
    return bool(lab_class and lab_class.is_over)


def receive(made: MadeMachine) -> bool:
    """Add a machine that is ready to its class, and assign it to its person. False when no class has the group.

    Without a person, or when they left or got another machine, it goes to who waits. After the end of the class it
    stays in its group alone, for its teachers to remove.
    """
    lab_class, vm = LabClass.objects.filter(machine_set=made.run.machine_set_id).first(), made.vm
    if lab_class is None or vm is None:
        return False
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        locked.machine_set.machines.add(vm)
        if locked.is_over:
            return True
        more = {"lab_class": locked, "adopted_by": made.run.requested_by}
        ClassMachine.objects.get_or_create(vm=vm, defaults=more)
        member = next((row for row in _without_machine(locked) if row.user_id == made.for_user_id), None)
        if member is None or not waiting_list.assign(member, vm):
            waiting_list.assign_free_machines(locked)
    return True


def move(source: VirtualMachine, target: VirtualMachine) -> None:
    """Another machine takes the place of one of a class: re-imaged, or brought back."""
    ClassMachine.objects.filter(vm=source).exclude(lab_class__class_machines__vm=target).update(vm=target)


def leave(vm: VirtualMachine) -> None:
    """A machine that was removed from its cluster is in no class any more."""
    for row in ClassMachine.objects.filter(vm=vm).select_related("lab_class__machine_set"):
        row.lab_class.machine_set.machines.remove(vm)
        row.delete()


def replace(old: VirtualMachine, new: VirtualMachine) -> None:
    """The class has the machine that took the place of another one."""
    ClassMachine.objects.filter(vm=old).update(vm=new)


def make_when_joining(
    lab_class: LabClass, *, template: MachineTemplate | None, limit: int | None, networks: str
) -> None:
    """Have a machine made for everybody who joins and finds none, or without a template stop doing so."""
    lab_class.joining_template, lab_class.joining_limit, lab_class.joining_networks = template, limit, networks
    lab_class.save(update_fields=["joining_template", "joining_limit", "joining_networks"])
    _note_refusals(lab_class, ())


def make_for_those_who_joined() -> int:
    """Make a machine for each member who waits, in classes that do so, up to their limit. Returns how many.

    The worker calls it. The teacher who owns the class is whom quotas and grants are asked for: while that account is
    inactive, none is made. Where not all fit, the first one in line gets one.
    """
    made = 0
    open_classes = LabClass.objects.filter(ended_at=None, owner__is_active=True)
    for lab_class in open_classes.exclude(joining_template=None).order_by("pk"):
        waiting = [row.user_id for row in in_need(lab_class) if row.waiting_since]
        room = (lab_class.joining_limit or 0) - machines_of(lab_class)
        if lab_class.is_over:
            continue
        refusals: tuple[Note, ...] = (Note.of(LIMIT_REACHED, limit=lab_class.joining_limit),) if waiting else ()
        if waiting and room > 0:
            found, refusals = _make_for(lab_class, waiting[:room])
            if not found:
                found, refusals = _make_for(lab_class, waiting[:1])
            made += found
        _note_refusals(lab_class, refusals)
    return made


def _note_refusals(lab_class: LabClass, refusals: Iterable[Note]) -> None:
    """For the teacher to read; since when, from the first try that ended so."""
    stored = [note.as_stored() for note in refusals]
    if stored != lab_class.joining_refusals:
        lab_class.joining_refusals, lab_class.joining_refused_at = stored, timezone.now() if stored else None
        lab_class.save(update_fields=["joining_refusals", "joining_refused_at"])


def machines_of(lab_class: LabClass) -> int:
    """How many machines the class has out of templates, also those that are being made."""
    return MadeMachine.objects.unremoved().filter(run__machine_set=lab_class.machine_set_id).count()


def _make_for(lab_class: LabClass, people: list[int]) -> tuple[int, tuple[Note, ...]]:
    """How many are being made, or why none is."""
    order = Order(
        lab_class.joining_template_id or 0,
        tuple(people),
        0,
        lab_class.joining_networks,
        kind=ProvisioningRun.Kind.ONE_MORE,
    )
    try:
        fresh = apply(lab_class, order, by=lab_class.owner, expected=None)
    except (Unreadable, PlanChanged) as error:
        logger.info("No machine for those who joined class %s: %s", lab_class.pk, error)
        said = str(error)
        return 0, (Note.of(SAID, said=said) if "%" in said else Note(said),)
    if fresh.may_be_carried_out:
        return len(fresh.written), ()
    refused = dict.fromkeys(row.reason for row in fresh.rows if row.outcome is Outcome.REFUSED)
    return 0, (*fresh.refusals, *(Note(reason.label) for reason in refused))
