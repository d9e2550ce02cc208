"""What those who run a class do with it: make it, give it machines, share it, hand it over."""

import secrets
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from classes import access
from classes.enrolment import waiting_list
from classes.models import ClassMachine, LabClass, Membership
from vms.models import Assignment, ClusterGrant, MachineSet, VirtualMachine


class Taken(Exception):
    """Another class was faster, or the machine is not of a granted pool. Nothing was changed."""


class NotReady(Exception):
    """Somebody had the machine before, and it was not prepared for the next person yet. Nothing was changed."""


class NotAllowed(Exception):
    """This person may not run the class. The text says why."""


def create(lab_class: LabClass, *, owner: User, grants: Iterable[ClusterGrant]) -> LabClass:
    """Save a new class with its set. `grants` are the owner's own, which he hands on."""
    with transaction.atomic():
        lab_class.owner = owner
        lab_class.machine_set = MachineSet.objects.create(name=_set_name(lab_class), is_managed=True)
        lab_class.save()
        hand_on(lab_class, grants, by=owner)
        follow(lab_class)
    return lab_class


def save(lab_class: LabClass, *, changed: Iterable[str]) -> None:
    """Save the changed facts, and nothing that others decided meanwhile; the set is called like its class."""
    with transaction.atomic():
        lab_class.save(update_fields={field.name for field in LabClass._meta.concrete_fields}.intersection(changed))
        kept = lab_class.machine_set
        ending = kept.name.rpartition(" · ")[2]
        kept.name = f"{lab_class.name[:80]} · {ending}"
        kept.save(update_fields=["name"])


def _set_name(lab_class: LabClass) -> str:
    """Two teachers may call their classes the same; sets are told apart by their names."""
    return f"{lab_class.name[:80]} · {secrets.token_hex(4)}"


def hand_on(lab_class: LabClass, grants: Iterable[ClusterGrant], *, by: User) -> None:
    """Let the class use what the person may use himself. Grants that are not his are passed over."""
    with transaction.atomic():
        for grant in ClusterGrant.objects.filter(pk__in=[grant.pk for grant in grants], user=by):
            ClusterGrant.objects.get_or_create(
                machine_set=lab_class.machine_set,
                cluster=grant.cluster,
                pool=grant.pool,
                defaults={"handed_on_from": grant},
            )
        waiting_list.fill(waiting_list.hold(lab_class))


def follow(lab_class: LabClass) -> None:
    """The set's stewards are the owner and the co-owners: nobody else, nobody less."""
    lab_class.machine_set.stewards.set([lab_class.owner, *lab_class.co_owners.all()])


# Machines


def granted_machines(lab_class: LabClass) -> QuerySet[VirtualMachine]:
    """The machines of the pools that are granted to this class, whoever has them: the only ones it may take."""
    covering = ClusterGrant.objects.covering(OuterRef("cluster_id"), OuterRef("pool"))
    machines: QuerySet[VirtualMachine] = VirtualMachine.objects.present().on_active_clusters()
    return machines.filter(Exists(covering.filter(machine_set=lab_class.machine_set_id)), template=False)


def adoptable(lab_class: LabClass) -> QuerySet[VirtualMachine]:
    """Those of them that are in no class, that nobody holds, and that are ready for somebody.

    What came back after it was taken for gone has a new row, and is as the person left it who had the old one.
    """
    unreleased = Assignment.objects.unreleased()
    found = granted_machines(lab_class).filter(
        ~Exists(unreleased.filter(vm=OuterRef("pk"))), class_machine=None, missing_since=None
    )
    gone = unreleased.exclude(vm__gone_at=None).exclude(vm__hardware_id="").order_by()
    number = gone.filter(vm__cluster=OuterRef("cluster_id"), vm__vmid=OuterRef("vmid"))
    nobody_knows_yet = Q(Exists(number), details_at=None)
    found = found.exclude(nobody_knows_yet).exclude(hardware_id__in=gone.values("vm__hardware_id"))
    return found.select_related("cluster").order_by("cluster__name", "name", "vmid")


def adopt(lab_class: LabClass, pks: Iterable[int], *, by: User) -> int:
    """Take machines into the class: all of these, or `Taken`."""
    wanted = set(pks)
    try:
        with transaction.atomic():
            held = waiting_list.hold(lab_class)
            machines = [] if held.is_over else list(adoptable(held).filter(pk__in=wanted))
            if len(machines) != len(wanted):
                raise Taken
            for machine in machines:
                ClassMachine.objects.create(lab_class=held, vm=machine, adopted_by=by)
            held.machine_set.machines.add(*machines)
            waiting_list.fill(held)
    except IntegrityError:  # one class a machine, says the database
        raise Taken from None
    return len(wanted)


def assign(membership: Membership, vm: VirtualMachine) -> None:
    """By hand. Raises `Taken` when somebody holds it, or it is not the class's, and `NotReady`."""
    with transaction.atomic():
        held = waiting_list.hold(membership.lab_class)
        row = Membership.objects.joined().filter(pk=membership.pk, lab_class=held).first()
        machine = ClassMachine.objects.filter(lab_class=held, vm=vm, vm__in=granted_machines(held)).first()
        if row is None or machine is None or held.is_over:
            raise Taken
        if Assignment.objects.unreleased().filter(vm=vm).exclude(ended_at=None).exists():
            raise NotReady
        if not waiting_list.give(row, vm):
            raise Taken


# People who run it


def add_co_owner(lab_class: LabClass, person: User, *, by: User) -> bool:
    """False for who runs it already. Raises `NotAllowed`."""
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        _check(held, person, by=by)
        if person.pk == held.owner_id or held.co_owners.filter(pk=person.pk).exists():
            return False
        held.co_owners.add(person)
        follow(held)
    return True


def _check(lab_class: LabClass, person: User, *, by: User) -> None:
    if refusal := access.why_not_lead(person, lab_class, by=by):
        raise NotAllowed(refusal)


def remove_co_owner(lab_class: LabClass, person: User) -> bool:
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        if not held.co_owners.filter(pk=person.pk).exists():
            return False
        held.co_owners.remove(person)
        follow(held)
    return True


def transfer(lab_class: LabClass, person: User, *, by: User) -> None:
    """Make a co-owner the owner; the owner becomes a co-owner. What he handed on stays with the class.

    Raises `NotAllowed`, and `Taken` when the person is no co-owner any more.
    """
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        if not held.co_owners.filter(pk=person.pk).exists():
            raise Taken
        _check(held, person, by=by)
        before, held.owner = held.owner, person
        held.save(update_fields=["owner"])
        held.co_owners.remove(person)
        held.co_owners.add(before)
        follow(held)
    lab_class.owner = person
