"""Where the page of a set is, when whatever keeps the set has a page of its own for it."""

from collections.abc import Callable

from django.urls import reverse

from accounts.models import User
from vms.models import MachineSet

# Given a set and who looks at it: the address, or None when this is not the one to ask.
Home = Callable[[MachineSet, User], str | None]
HOMES: list[Home] = []


def register(home: Home) -> Home:
    HOMES.append(home)
    return home


def of(machine_set: MachineSet, user: User) -> str:
    found = (home(machine_set, user) for home in HOMES)
    return next((address for address in found if address), reverse("vms-set", args=[machine_set.pk]))
