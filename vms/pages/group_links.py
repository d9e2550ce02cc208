"""Where the page of a set is, when whatever keeps the set has a page of its own for it."""

from collections.abc import Callable

from django.urls import reverse

from accounts.models import User
from vms.models import MachineSet

# Given a set and who looks at it: the address, or None when this is not the one to ask.
LinkResolver = Callable[[MachineSet, User], str | None]
RESOLVERS: list[LinkResolver] = []


def register(resolver: LinkResolver) -> LinkResolver:
    RESOLVERS.append(resolver)
    return resolver


def url_for(machine_set: MachineSet, user: User) -> str:
    found = (resolver(machine_set, user) for resolver in RESOLVERS)
    return next((address for address in found if address), reverse("vms-set", args=[machine_set.pk]))
