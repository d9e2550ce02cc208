"""Classes in the API: people, machines, invites, lessons, hours, making machines, and Ansible's inventory."""

from ninja import Router

from classes.api import classes, hours, inventory, invites, lessons, machines, making, people

router = Router()
for part in (classes, people, machines, invites, lessons, hours, making, inventory):
    router.add_router("", part.router)
