"""Machines, their operations and snapshots, batches, machine groups and provisioning runs in the API."""

from ninja import Router

from vms.api import batches, groups, machines, operations, runs, snapshots

router = Router()
for part in (machines, snapshots, operations, batches, groups, runs):
    router.add_router("", part.router)
