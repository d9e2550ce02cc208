"""The owner and co-owners of a class, who are also the managers of its machine group."""

from django.db import transaction

from accounts.models import User
from classes import access
from classes.enrolment import waiting_list
from classes.models import LabClass


class NotCoOwner(Exception):
    """The person is not a co-owner, or not any more. Nothing was changed."""


class NotAllowed(Exception):
    """This person may not run the class. The text says why."""


def sync_managers(lab_class: LabClass) -> None:
    """Make the owner and the co-owners the only managers of the machine group."""
    lab_class.machine_set.stewards.set([lab_class.owner, *lab_class.co_owners.all()])


def add(lab_class: LabClass, person: User, *, by: User) -> bool:
    """False when the person runs the class already. Raises `NotAllowed`."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        _check(locked, person, by=by)
        if person.pk == locked.owner_id or locked.co_owners.filter(pk=person.pk).exists():
            return False
        locked.co_owners.add(person)
        sync_managers(locked)
    return True


def _check(lab_class: LabClass, person: User, *, by: User) -> None:
    if refusal := access.co_owner_refusal(person, lab_class, by=by):
        raise NotAllowed(refusal)


def remove(lab_class: LabClass, person: User) -> bool:
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        if not locked.co_owners.filter(pk=person.pk).exists():
            return False
        locked.co_owners.remove(person)
        sync_managers(locked)
    return True


def transfer(lab_class: LabClass, person: User, *, by: User) -> None:
    """Make a co-owner the owner; the owner becomes a co-owner. Grants that came from the owner stay with the class.

    Raises `NotAllowed` and `NotCoOwner`.
    """
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        if not locked.co_owners.filter(pk=person.pk).exists():
            raise NotCoOwner
        _check(locked, person, by=by)
        before, locked.owner = locked.owner, person
        locked.save(update_fields=["owner"])
        locked.co_owners.remove(person)
        locked.co_owners.add(before)
        sync_managers(locked)
    lab_class.owner = person
