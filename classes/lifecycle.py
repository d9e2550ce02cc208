"""A class from its creation to its deletion: settings, its end, the archive, and what the worker does about it."""

import secrets
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from classes import co_owners
from classes.enrolment import class_machines, invites, made_machines, releasing, waiting_list
from classes.models import ClassMachine, Invite, LabClass, Membership
from classes.timetable import occurrences
from vms import preparation
from vms.models import ClusterGrant, MachineSet, Preparation

DAYS_AND_ZONE = {"starts_on", "ends_on", "time_zone"}


def create(lab_class: LabClass, *, owner: User, grants: Iterable[ClusterGrant]) -> LabClass:
    """Save a new class with its machine group. `grants` are the owner's own, which the class gets, too."""
    with transaction.atomic():
        lab_class.owner = owner
        lab_class.machine_set = MachineSet.objects.create(name=_group_name(lab_class), is_managed=True)
        lab_class.save()
        class_machines.pass_on_grants(lab_class, grants, by=owner)
        co_owners.sync_managers(lab_class)
    return lab_class


def save(lab_class: LabClass, *, changed: Collection[str]) -> None:
    """Save the changed fields only, so that nothing is overwritten that others changed.

    The group follows the name, and the timetable the days and the time zone.
    """
    with transaction.atomic():
        lab_class.save(update_fields={field.name for field in LabClass._meta.concrete_fields}.intersection(changed))
        kept = lab_class.machine_set
        ending = kept.name.rpartition(" · ")[2]
        kept.name = f"{lab_class.name[:80]} · {ending}"
        kept.save(update_fields=["name"])
        if not DAYS_AND_ZONE.isdisjoint(changed):
            occurrences.lock(lab_class)
            occurrences.rebuild_class(lab_class)


def _group_name(lab_class: LabClass) -> str:
    """Two classes may have the same name; machine groups need unique ones."""
    return f"{lab_class.name[:80]} · {secrets.token_hex(4)}"


# Its end


def end(lab_class: LabClass, *, way: str, by: User, shown: str | None = None) -> list[Preparation]:
    """Close the class and remove its machines, each as soon as it is prepared. People and lesson are kept.

    Raises `preparation.Changed`.
    """
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        _close(locked)
        own = list(ClassMachine.objects.filter(lab_class=locked).values_list("vm", flat=True))
        return releasing.remove_machines(locked, own, way=way, by=by, shown=shown)


def _close(locked: LabClass) -> None:
    locked.ended_at = locked.ended_at or timezone.now()
    locked.save(update_fields=["ended_at"])
    preparation.unreserve(releasing.unreleased(locked))
    for invite in Invite.objects.filter(lab_class=locked, revoked_at=None):
        invites.revoke(invite)
    Membership.objects.filter(lab_class=locked).exclude(waiting_since=None).update(waiting_since=None)


def delete(lab_class: LabClass, *, way: str, by: User, shown: str | None = None) -> bool:
    """End the class, and delete it as soon as its machines are prepared. Returns whether it is deleted now.

    Raises `preparation.Changed`.
    """
    with transaction.atomic():
        end(lab_class, way=way, by=by, shown=shown)
        locked = waiting_list.lock(lab_class)
        locked.is_being_deleted = True
        locked.save(update_fields=["is_being_deleted"])
        return _delete_when_empty(locked)


def _delete_when_empty(locked: LabClass) -> bool:
    """False while the class is not to be deleted, or still has machines, or machines that were made for it exist."""
    if not locked.is_being_deleted or ClassMachine.objects.filter(lab_class=locked).exists():
        return False
    if made_machines.machines_of(locked):
        return False
    kept = locked.machine_set
    locked.delete()
    kept.delete()
    return True


def reopen(lab_class: LabClass) -> int:
    """Reopen the class, and assign kept machines to their people again. Returns the number of these machines."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        locked.ended_at, locked.is_being_deleted = None, False
        if locked.is_past_its_last_day:
            locked.ends_on = None
        locked.save(update_fields=["ended_at", "is_being_deleted", "ends_on"])
        occurrences.rebuild_class(locked)
        people = Membership.objects.joined().filter(lab_class=locked).values("user")
        return preparation.restore(releasing.unreleased(locked).filter(user__in=people))


def close_past_classes() -> int:
    """Close classes after their last day. Nobody chose what to do with the machines, so they are kept as they are."""
    closed = 0
    for lab_class in LabClass.objects.filter(ended_at=None).exclude(ends_on=None):
        if lab_class.is_past_its_last_day:
            with transaction.atomic():
                locked = waiting_list.lock(lab_class)
                if not locked.ended_at and locked.is_past_its_last_day:
                    _close(locked)
                    preparation.keep(releasing.unreleased(locked))
                    closed += 1
    return closed


# What the worker calls


def on_released(vms: list[int]) -> None:
    """Prepared machines leave their class, or go to the next person who waits; then their class may be deleted."""
    for lab_class in LabClass.objects.filter(class_machines__vm__in=vms).distinct():
        follow_up(lab_class)


def follow_up(lab_class: LabClass) -> None:
    with transaction.atomic():
        locked = LabClass.objects.select_for_update(no_key=True, of=("self",)).filter(pk=lab_class.pk).first()
        if locked:
            releasing.remove_prepared(locked)
            if not _delete_when_empty(locked):
                waiting_list.assign_free_machines(locked)


def reconcile() -> int:
    """Find what changed outside of this app: machines that became free, came back, were granted, or can leave."""
    leaving = Q(class_machines__is_leaving=True) | Q(is_being_deleted=True)
    for lab_class in LabClass.objects.filter(leaving).distinct():
        follow_up(lab_class)
    return waiting_list.reconcile()
