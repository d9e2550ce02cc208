"""Hands a machine that was made over to its machine group, and to the person it was made for."""

from collections.abc import Callable

from django.db import transaction

from vms.models import Assignment, MadeMachine, VirtualMachine, people_without_grant

# Whoever has machine groups of its own puts the machine where it belongs, and returns whether the group was its own.
Receiver = Callable[[MadeMachine], bool]
receivers: list[Receiver] = []

# Called when a machine takes the place of another one, in that transaction.
movers: list[Callable[[VirtualMachine, VirtualMachine], object]] = []

# Called when a machine was removed from its cluster, in that transaction.
leavers: list[Callable[[VirtualMachine], object]] = []


def hand_over(made: MadeMachine) -> None:
    """Add the machine to the group, and assign it. `made.vm` is known.

    A group of a class is the class's to fill. In others, a person without a grant for the cluster is not given it.
    """
    if made.vm is None:
        raise ValueError("a machine that the inventory does not show cannot be handed over")
    with transaction.atomic(savepoint=False):
        if any(receive(made) for receive in receivers):
            return
        made.run.machine_set.machines.add(made.vm)
        person = made.for_user
        if not person or not person.is_active or Assignment.objects.unreleased().filter(vm=made.vm).exists():
            return
        if not people_without_grant([(made.vm.pk, person.pk)]):
            Assignment.objects.create(vm=made.vm, user=person)
