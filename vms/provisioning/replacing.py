"""A re-imaged machine: the new one takes the place of the old one, which is kept for some days and may come back."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from vms.models import Assignment, MadeMachine, Operation, VirtualMachine
from vms.operations import requesting
from vms.provisioning import handing_over
from vms.sentences import say

State, Action = MadeMachine.State, Operation.Action

# Called with the machine that was replaced and the one that took its place, in the same transaction.
listeners: list[Callable[[VirtualMachine, VirtualMachine], object]] = []


class Obstacle(Exception):
    """The machine cannot be replaced, or brought back, now. The text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def is_old_one_off(made: MadeMachine) -> bool:
    """Whether the machine that this one replaces is stopped. Requests first a shutdown, then a force stop.

    Two machines of one name and one person are not to run at once. Raises `Obstacle`.
    """
    old = VirtualMachine.objects.filter(made_machines=made.reimages_id, gone_at=None).first()
    if old is None or old.status == "stopped":
        return True
    stops = Operation.objects.filter(vm=old, action__in=[Action.SHUTDOWN, Action.STOP])
    last = stops.filter(requested_at__gte=made.created_at).order_by("-requested_at").first()
    if last and last.is_open:
        return False
    if last and last.action == Action.STOP:
        raise Obstacle(last.rendered_outcome or say("made-old-runs"))
    _request(old, Action.STOP if last else Action.SHUTDOWN, made.run.requested_by)
    return False


def take_place(new: MadeMachine, old: MadeMachine) -> None:
    """Groups, assignee and notes go from the old machine to the new one. Runs in a transaction."""
    until = timezone.now() + timedelta(days=settings.KEEP_EARLIER_MACHINES_DAYS)
    earlier = {"state": State.EARLIER, "keep_until": until, "warned_at": None}
    MadeMachine.objects.filter(pk=old.pk, removed_at=None).update(**earlier)
    if new.vm is None:
        return
    groups = list(old.vm.sets.all()) if old.vm else [new.run.machine_set]
    for group in groups or [new.run.machine_set]:
        group.machines.add(new.vm)
    if old.vm:
        for group in groups:
            group.machines.remove(old.vm)
        texts = {"note": old.vm.note, "guest_login": old.vm.guest_login}
        VirtualMachine.objects.filter(pk=new.vm.pk).update(**texts)
        _move_assignment(old.vm, new.vm)
        for listener in listeners:
            listener(old.vm, new.vm)


def _move_assignment(source: VirtualMachine, target: VirtualMachine) -> None:
    """The person has the other machine from now on; nobody gets this one, which is in no group any more."""
    for move in handing_over.movers:
        move(source, target)
    held = Assignment.objects.unreleased().filter(vm=source)
    row = held.first()
    if row is None:
        return
    is_live = row.ended_at is None
    held.end()
    held.update(released_at=timezone.now())
    if is_live:
        Assignment.objects.create(vm=target, user_id=row.user_id)


def current_of(earlier: MadeMachine) -> MadeMachine | None:
    """The machine that stands in the place of this earlier one today, after however many re-images."""
    chain, found = {earlier.pk}, [earlier]
    while found:
        ends = {"reimages__in": found}, {"replaced_by__in": found}
        rows = [row for end in ends for row in MadeMachine.objects.filter(**end)]
        found = [row for row in rows if row.pk not in chain]
        chain |= {row.pk for row in found}
    return MadeMachine.objects.filter(pk__in=chain, state=State.READY).select_related("vm", "run__machine_set").first()


def successor(vm: int) -> int | None:
    """The machine that stands in the place of a re-imaged one today. Both are primary keys."""
    is_replaced = Q(replaced_by__isnull=False) | Q(reimages__isnull=False)
    row = MadeMachine.objects.filter(is_replaced, vm=vm).first()
    present = current_of(row) if row else None
    return present.vm_id if present and present.vm_id != vm else None


def bring_back(earlier: MadeMachine, *, by: User) -> MadeMachine:
    """The earlier machine takes its place again, and the present one is kept instead. Returns that. Raises `Obstacle`.

    The caller found it through a group that this person manages.
    """
    with transaction.atomic():
        locked = MadeMachine.objects.select_for_update(of=("self",)).select_related("vm", "run__machine_set")
        found = locked.filter(pk=earlier.pk, state=State.EARLIER, removed_at=None).first()
        present = current_of(earlier)
        if found is None or found.vm is None or found.vm.gone_at or present is None:
            raise Obstacle(_("This earlier machine is no longer there."))
        if _last_person(found) != _person(present):
            raise Obstacle(_("The machine belongs to another person now, so the earlier one can't come back."))
        back = {"state": State.READY, "keep_until": None, "warned_at": None}
        MadeMachine.objects.filter(pk=found.pk).update(**back)
        take_place(found, present)
        if present.vm and present.vm.status != "stopped":
            transaction.on_commit(partial(_shut_down, present.vm, by), robust=True)
    return present


def _person(made: MadeMachine) -> int | None:
    return Assignment.objects.live().filter(vm=made.vm_id).values_list("user", flat=True).first()


def _last_person(made: MadeMachine) -> int | None:
    """Who had it when it was replaced."""
    rows = Assignment.objects.filter(vm=made.vm_id).order_by("-assigned_at", "-pk")
    return rows.values_list("user", flat=True).first()


def _request(vm: VirtualMachine, action: str, by: User | None) -> None:
    if by is None:
        raise Obstacle(say("taken"))
    try:
        requesting.request(vm, action, by=by, unlimited=True)
    except requesting.Refused as refusal:
        raise Obstacle(refusal.text) from None


def _shut_down(vm: VirtualMachine, by: User) -> None:
    """As far as possible: a machine that goes on running is shown as such, and whoever starts both was told."""
    try:
        requesting.request(vm, Action.SHUTDOWN, by=by, unlimited=True)
    except requesting.Refused:
        return
