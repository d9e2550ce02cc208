"""Lists the classes that use a cluster, for its page in the admin."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import ngettext

from classes.models import LabClass
from clusters import usage
from clusters.models import Cluster


def uses_of(cluster: Cluster) -> Iterator[usage.Use]:
    """A class that has machines or a grant there."""
    there = Q(class_machines__vm__cluster=cluster)
    joined = Q(memberships__left_at=None, memberships__joined_at__isnull=False)
    classes = LabClass.objects.filter(there | Q(machine_set__cluster_grants__cluster=cluster)).distinct()
    counted: Any = LabClass.objects.filter(pk__in=classes.order_by().values("pk")).annotate(
        machines=Count("class_machines", filter=there, distinct=True),
        members=Count("memberships", filter=joined, distinct=True),
    )
    for row in counted.select_related("owner"):
        machines = ngettext("%(n)d machine", "%(n)d machines", row.machines) % {"n": row.machines}
        members = ngettext("%(n)d member", "%(n)d members", row.members) % {"n": row.members}
        name, url = f"{row.name} ({row.owner.get_username()})", reverse("admin:classes_labclass_change", args=[row.pk])
        yield usage.Use(name, url, f"{machines}, {members}")


def register() -> None:
    usage.register(uses_of)
