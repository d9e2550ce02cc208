"""The machines of a class: the pools it may use, adding machines, and assigning them by hand."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from classes.enrolment import waiting_list
from classes.models import ClassMachine, LabClass, Membership
from vms.models import Assignment, ClusterGrant, MadeMachine, VirtualMachine


class NotAvailable(Exception):
    """The machine is assigned, in another class, or in no granted pool; or the person is no member. Nothing changed."""


class NotPrepared(Exception):
    """The machine is not prepared for the next person yet. Nothing was changed."""


def pass_on_grants(lab_class: LabClass, grants: Iterable[ClusterGrant], *, by: User) -> None:
    """Give the class the same grants as the person has. Grants of other people are ignored."""
    with transaction.atomic():
        for grant in ClusterGrant.objects.filter(pk__in=[grant.pk for grant in grants], user=by):
            ClusterGrant.objects.get_or_create(
                machine_set=lab_class.machine_set,
                cluster=grant.cluster,
                pool=grant.pool,
                defaults={"handed_on_from": grant, "with_nested_pools": grant.with_nested_pools},
            )
        waiting_list.assign_free_machines(waiting_list.lock(lab_class))


class GrantInUse(Exception):
    """The class has machines that only this grant covers. Nothing was changed."""

    def __init__(self, machines: int) -> None:
        super().__init__()
        self.machines = machines


def take_back_grant(lab_class: LabClass, pk: int) -> bool:
    """End a grant of the class. False when there is no such grant (any more). Raises `GrantInUse`."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        covered = granted(locked).filter(class_machine__lab_class=locked)
        before = covered.count()
        deleted, _rows = ClusterGrant.objects.filter(machine_set=locked.machine_set_id, pk=pk).delete()
        if lost := before - covered.all().count():
            raise GrantInUse(lost)
    return bool(deleted)


def granted(lab_class: LabClass) -> QuerySet[VirtualMachine]:
    """The machines in the pools that are granted to the class, assigned or not. It can have no others."""
    covering = ClusterGrant.objects.covering(OuterRef("cluster_id"), OuterRef("pool"))
    machines: QuerySet[VirtualMachine] = VirtualMachine.objects.present().on_active_clusters()
    return machines.filter(Exists(covering.filter(machine_set=lab_class.machine_set_id)), template=False)


def available(lab_class: LabClass) -> QuerySet[VirtualMachine]:
    """The granted machines that are in no class, assigned to nobody, and prepared.

    A machine that came back after it counted as gone has a new row; it is still as its last assignee left it.
    """
    unreleased = Assignment.objects.unreleased()
    found = granted(lab_class).filter(
        ~Exists(unreleased.filter(vm=OuterRef("pk"))), class_machine=None, missing_since=None
    )
    gone = unreleased.exclude(vm__gone_at=None).exclude(vm__hardware_id="").order_by()
    number = gone.filter(vm__cluster=OuterRef("cluster_id"), vm__vmid=OuterRef("vmid"))
    not_identified_yet = Q(Exists(number), details_at=None)
    found = found.filter(~Exists(_made_for_others(lab_class)))
    found = found.exclude(not_identified_yet).exclude(hardware_id__in=gone.values("vm__hardware_id"))
    return found.select_related("cluster").order_by("-cluster__is_default", "cluster__name", "name", "vmid")


def _made_for_others(lab_class: LabClass) -> QuerySet[MadeMachine]:
    """For a machine: it is being made, or was made for another class."""
    own = {"run__machine_set": lab_class.machine_set_id, "state": MadeMachine.State.READY}
    made: QuerySet[MadeMachine] = MadeMachine.objects.unremoved().exclude(**own)
    return made.filter(cluster_id=OuterRef("cluster_id"), vmid=OuterRef("vmid"))


def add(lab_class: LabClass, pks: Iterable[int], *, by: User) -> int:
    """Add these machines to the class: all of them, or raise `NotAvailable`."""
    wanted = set(pks)
    try:
        with transaction.atomic():
            locked = waiting_list.lock(lab_class)
            machines = [] if locked.is_over else list(available(locked).filter(pk__in=wanted))
            if len(machines) != len(wanted):
                raise NotAvailable
            for machine in machines:
                ClassMachine.objects.create(lab_class=locked, vm=machine, adopted_by=by)
            locked.machine_set.machines.add(*machines)
            waiting_list.assign_free_machines(locked)
    except IntegrityError:  # one class a machine, says the database
        raise NotAvailable from None
    return len(wanted)


def assign(membership: Membership, vm: VirtualMachine) -> None:
    """Assign a machine of the class to a member. Raises `NotAvailable` and `NotPrepared`."""
    with transaction.atomic():
        locked = waiting_list.lock(membership.lab_class)
        row = Membership.objects.joined().filter(pk=membership.pk, lab_class=locked).first()
        machine = ClassMachine.objects.filter(lab_class=locked, vm=vm, vm__in=granted(locked)).first()
        if row is None or machine is None or locked.is_over:
            raise NotAvailable
        if Assignment.objects.unreleased().filter(vm=vm).exclude(ended_at=None).exists():
            raise NotPrepared
        if not waiting_list.assign(row, vm):
            raise NotAvailable
