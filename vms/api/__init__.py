"""Machines, their operations and snapshots, batches and machine groups in the API."""

from ninja import Router

from vms.api import batches, groups, machines, operations, snapshots

router = Router()
for part in (machines, snapshots, operations, batches, groups):
    router.add_router("", part.router)
