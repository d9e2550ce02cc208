"""Signals that there is work. `vms.worker.tasks` listens and enqueues a job with the id. The queue may lose it;
`reconcile` then enqueues it again.
"""

from uuid import UUID

from django.dispatch import Signal

operation_waits = Signal()  # operation_id: str
cluster_waits = Signal()  # cluster_id: str
preparation_waits = Signal()  # preparation_id: int


def operation(pk: UUID) -> None:
    operation_waits.send(None, operation_id=str(pk))


def following(cluster_id: str) -> None:
    cluster_waits.send(None, cluster_id=cluster_id)


def preparation(pk: int) -> None:
    preparation_waits.send(None, preparation_id=pk)
