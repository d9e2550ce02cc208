"""What a cluster's end means for people: whom deactivating it hits, and ending all its assignments to delete it."""

from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone
from django.utils.translation import ngettext

from clusters import usage
from clusters.models import Cluster
from vms.models import Assignment, ConsoleSession


def losses(cluster: Cluster) -> Iterator[str]:
    """Sentences about the people who can't use the cluster any more."""
    assigned = Assignment.objects.live().filter(vm__cluster=cluster)
    if people := assigned.order_by().values("user").distinct().count():
        text = ngettext(
            "%(n)d person can't use their machines there.", "%(n)d people can't use their machines there.", people
        )
        yield text % {"n": people}
    if consoles := ConsoleSession.objects.alive().filter(cluster_id=cluster.cluster_id).count():
        text = ngettext("%(n)d open console closes.", "%(n)d open consoles close.", consoles)
        yield text % {"n": consoles}


def end_all_assignments(cluster: Cluster) -> int:
    """End them, in the transaction that deletes the cluster: nothing is sent to it, and nobody gets the machines."""
    with transaction.atomic():
        unreleased = Assignment.objects.unreleased().filter(vm__cluster=cluster)
        pks = list(unreleased.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
        Assignment.objects.filter(pk__in=pks).live().end()
        Assignment.objects.filter(pk__in=pks).update(released_at=timezone.now())
    return len(pks)


def register() -> None:
    usage.register_end(losses=losses, end=end_all_assignments)
