"""The jobs of the queue: a function's name, and the id of a row, which tells what there is to do.

Any of these may run late, twice, or never. Nothing reads a result from the queue.
"""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.dispatch import receiver
from django_tasks import task
from django_tasks.base import Task

from accounts.compiled_queries import SENTINEL_UUID, CompiledByKey
from clusters.config import ClusterConfig
from clusters.signals import cluster_mended
from vms import automation, inventory, operations, registry
from vms import preparation as preparing
from vms.models import ClusterSync, Operation, Preparation
from vms.operations import enqueue
from vms.provisioning import running

State = Operation.State


def job(
    *, queue: str, module: str = "vms.jobs", acts: bool = False
) -> Callable[[Callable[..., None]], Task[..., None]]:
    """A task that sees one state of the registry, and does nothing with clusters that are in no database.

    One that `acts` does nothing while automation is held: the heartbeat enqueues it again afterwards.

    The queue stores `module` and the function's name. Both are fixed: another release, whose code is elsewhere, runs
    what this one left waiting.
    """

    def decorate(work: Callable[..., None]) -> Task[..., None]:
        @wraps(work)
        def run(*ids: object) -> None:
            with registry.resolved_once():
                if not registry.state().is_fallback and not (acts and automation.is_held()):
                    work(*ids)

        run.__module__, run.__qualname__ = module, work.__name__
        return task(queue_name=queue)(run)

    return decorate


_REQUESTED = CompiledByKey(
    lambda pk: Operation.objects.filter(pk=pk, state=State.REQUESTED).order_by(), key=SENTINEL_UUID
)
_WAITS = CompiledByKey(
    lambda cluster_id: Operation.objects.waiting().filter(cluster_id=cluster_id).order_by().values_list("pk")[:1]
)


@job(queue="operations", acts=True)
def operate(operation_id: str) -> None:
    """Send an operation, if it is admitted."""
    operation = _REQUESTED.first(UUID(operation_id))
    if operation is None:
        return
    if not operation.admitted_at:
        operations.admit(operation.cluster_id, without=operation.pk)
    operations.take_step(operation)
    if not operation.is_open:
        operations.admit(operation.cluster_id)


@job(queue="clusters")
def follow(cluster_id: str) -> None:
    """Follow what was sent to a cluster, and admit what waited for it to end."""
    operations.follow_cluster(cluster_id)
    if _WAITS.first_raw(cluster_id):
        operations.admit(cluster_id)


@job(queue="operations", acts=True)
def prepare(preparation_id: int) -> None:
    """Take the next step with a machine that was freed."""
    wanted = Preparation.objects.open().select_related("assignment__vm__cluster", "asked_by", "operation")
    if preparation := wanted.filter(pk=preparation_id).first():
        preparing.take_step(preparation)


@job(queue="clusters", acts=True)
def make_machines(cluster_id: str) -> None:
    """Make machines of a cluster, as long as there are some."""
    running.drive(cluster_id)


@receiver(running.making_waits)
def _making_waits(cluster_id: str, **_kwargs: object) -> None:
    make_machines.enqueue(cluster_id)


@receiver(enqueue.operation_waits)
def _operation_waits(operation_id: str, **_kwargs: object) -> None:
    operate.enqueue(operation_id)


@receiver(enqueue.cluster_waits)
def _cluster_waits(cluster_id: str, **_kwargs: object) -> None:
    follow.enqueue(cluster_id)


@receiver(enqueue.preparation_waits)
def _preparation_waits(preparation_id: int, **_kwargs: object) -> None:
    prepare.enqueue(preparation_id)


@job(queue="clusters")
def sync(cluster_id: str, attempt: int) -> None:
    """Sync a cluster, if this attempt is still the latest."""
    config = _active(cluster_id)
    if config is None or not ClusterSync.objects.filter(cluster_id=cluster_id, attempt=attempt).exists():
        return
    failed = True
    try:
        failed = inventory.sync(config, attempt=attempt).failed
    finally:
        ClusterSync.schedule_next(cluster_id, attempt=attempt, failed=failed)


@receiver(cluster_mended)
def _cluster_mended(cluster_id: str, **_kwargs: object) -> None:
    ClusterSync.request_sync(cluster_id)
    ask_facts.enqueue(cluster_id)


@job(queue="details")
def look_closer(cluster_id: str) -> None:
    """Ask for the details of a few machines."""
    if config := _active(cluster_id):
        inventory.read_details(config)


@receiver(inventory.details_waits)
def _details_wait(cluster_id: str, **_kwargs: object) -> None:
    look_closer.enqueue(cluster_id)


@job(queue="details")
def ask_facts(cluster_id: str) -> None:
    """Ask a cluster for what changes seldom."""
    if config := _active(cluster_id):
        inventory.read_facts(config)


def enqueue_details() -> None:
    """A job for each cluster that answers and has machines whose details are due: one that hangs delays no other."""
    due = inventory.clusters_with_details_due()
    for config in registry.clusters():
        if config.cluster_id in due:
            look_closer.enqueue(config.cluster_id)


def enqueue_facts() -> None:
    for config in registry.clusters():
        ask_facts.enqueue(config.cluster_id)


def _active(cluster_id: str) -> ClusterConfig | None:
    try:
        return registry.get(cluster_id)
    except registry.UnknownCluster:
        return None
