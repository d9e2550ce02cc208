"""The URL of a machine group: apps that keep groups (classes) register a page of their own for them."""

from collections.abc import Callable

from django.urls import reverse

from accounts.models import User
from vms.models import MachineSet

# From a group and the user who looks at it to a URL, or None when the resolver has no page for them.
LinkResolver = Callable[[MachineSet, User], str | None]
RESOLVERS: list[LinkResolver] = []


def register(resolver: LinkResolver) -> LinkResolver:
    RESOLVERS.append(resolver)
    return resolver


def url_for(group: MachineSet, user: User) -> str:
    found = (resolver(group, user) for resolver in RESOLVERS)
    return next((address for address in found if address), reverse("vms-set", args=[group.pk]))
