"""The filters of the machine list: turns the parameters of its URL into few queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.compiled_queries import CompiledRows
from accounts.models import User
from clusters.config import ClusterConfig
from clusters.models import Cluster, ClusterNotice
from vms import registry
from vms.access import lookups
from vms.models import Assignment, HelpRequest, VirtualMachine
from vms.pages import cards, latest_operations

PER_PAGE = 50

# Fewer machines need no filter.
FILTERED_FROM = 6

STATUSES = {"running": _("running"), "stopped": _("stopped"), "paused": _("paused"), "other": _("other")}


@dataclass(frozen=True)
class ClusterOption:
    """A cluster to choose in the list: how many machines the user has there, and how many of them are listed.

    `has_groups`: whether the user may open pages of machine groups, on whatever cluster.
    """

    cluster: Cluster | ClusterConfig
    machine_count: int
    listed: int
    has_groups: bool = False

    @property
    def cluster_id(self) -> str:
        return self.cluster.cluster_id


def cluster_options(user: User) -> list[ClusterOption]:
    """All active clusters, the default one first. `listed` counts missing and gone machines, too.

    A database that has some is the registry's source. Otherwise the registry tells: before the first import, staff
    see the clusters of its file.
    """
    counted = list(_counted(user)) if user.is_staff or not user.is_active else _COUNTED.rows(user.pk, timezone.now())
    rows: list[Any] = counted  # with the numbers as annotations
    options = [ClusterOption(cluster, cluster.there, cluster.listed, cluster.has_groups) for cluster in rows]
    if options or not lookups.sees_all(user):
        return options
    return [ClusterOption(config, 0, 0) for config in registry.clusters()]


def _counted(user: User) -> QuerySet[Cluster]:
    shown = lookups.visible_to(user)
    there = shown.filter(gone_at=None, missing_since=None)
    shown_of_each = ("cluster_id", "name", "is_default", "health__failing_since", "health__kind")
    clusters: QuerySet[Cluster] = Cluster.objects.active().select_related("health").only(*shown_of_each)
    has_groups = Exists(lookups.groups_for(user))  # here, because a query of its own would be one more for every page
    return clusters.annotate(there=_count(there), listed=_count(shown), has_groups=has_groups)


_COUNTED = CompiledRows(lambda person, _now, _text: _counted(User(pk=person)))


def _count(machines: QuerySet[VirtualMachine]) -> Coalesce:
    of_cluster = machines.filter(cluster_id=OuterRef("cluster_id")).order_by().values("cluster_id")
    return Coalesce(Subquery(of_cluster.annotate(n=Count("pk")).values("n")), 0)


@dataclass(frozen=True)
class ListQuery:
    """The parameters of the list. `seen` is the fingerprint of what the browser shows already."""

    cluster: str
    text: str
    status: str
    number: str
    seen: str

    @classmethod
    def from_url(cls, query: Mapping[str, str]) -> Self:
        status = query.get("status", "")
        return cls(
            cluster=query.get("cluster", "").replace("\0", ""),
            text=query.get("q", "").replace("\0", "").strip()[:100],
            status=status if status in STATUSES else "",
            number=query.get("page", "1"),
            seen=query.get("seen", ""),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.status)

    @property
    def urlencoded(self) -> str:
        """The parameters for links to other pages of this list."""
        filters = {"q": self.text, "status": self.status}
        return urlencode({"cluster": self.cluster, **{name: value for name, value in filters.items() if value}})

    def rows(self, user: User) -> list[VirtualMachine]:
        """The machines of the page, if its number is one that the portal put into a link."""
        number = int(self.number) if self.number.isascii() and self.number.isdigit() and len(self.number) < 6 else 1
        first = (max(number, 1) - 1) * PER_PAGE
        return list(self.machines(user, timezone.now())[first : first + PER_PAGE])

    def page(self, user: User, options: list[ClusterOption]) -> Page[VirtualMachine]:
        """The page nearest to the requested one, without its machines. Only a filtered list costs a query."""
        paginator: Paginator[VirtualMachine] = Paginator((), PER_PAGE)
        paginator.count = (
            self.machines(user, timezone.now()).count()
            if self.is_filtered
            else sum(option.listed for option in options if self.cluster in {"", option.cluster_id})
        )
        return paginator.get_page(self.number)

    def first_page_for(self, user: User) -> CompiledRows[VirtualMachine] | None:
        """What everybody but staff looks at: by the person, the moment and the cluster. None for anything else."""
        if self.is_filtered or user.is_staff or not user.is_active:
            return None
        return _FIRST_PAGE_OF_ONE if self.cluster else _FIRST_PAGE_OF_ALL

    def machines(self, user: User, now: datetime) -> QuerySet[VirtualMachine]:
        """All that are listed at this moment, with cluster, health and sync."""
        machines = lookups.visible_to(user)
        if self.cluster:
            machines = machines.filter(cluster_id=self.cluster)
        notices: QuerySet[ClusterNotice] = ClusterNotice.objects.now(now)
        return (
            machines.filter(self._filter())
            .annotate(
                is_active=Exists(latest_operations.recent_operations(now)),
                is_noticed=Exists(notices.filter(cluster__cluster_id=OuterRef("cluster_id"))),
                is_helped=HelpRequest.available_to(user),
                assignee_name=_assignee_besides(user),
            )
            .select_related("cluster__health", "cluster__sync")
            .only(*cards.COLUMNS)
            .order_by("-cluster__is_default", "cluster__name", "cluster", "name", "vmid")
        )

    def _filter(self) -> Q:
        wanted = Q()
        if self.status == "other":
            wanted &= ~Q(status__in=[status for status in STATUSES if status != "other"])
        elif self.status:
            wanted &= Q(status=self.status)
        if self.text:
            words = Q(name__icontains=self.text) | Q(tags__icontains=self.text)
            is_number = self.text.isascii() and self.text.isdigit() and len(self.text) <= 9
            wanted &= words | Q(vmid=int(self.text)) if is_number else words
        return wanted


def _assignee_besides(user: User) -> Subquery:
    """The name of the person to whom the outer query's machine is assigned, if it is not this user."""
    named = Assignment.objects.live().filter(vm=OuterRef("pk")).exclude(user=user.pk).order_by()
    full_name = Trim(Concat("user__first_name", Value(" "), "user__last_name"))
    return Subquery(named.values(shown=Coalesce(NullIf(full_name, Value("")), "user__username"))[:1])


def _first_page(person: int, now: datetime, cluster: str) -> QuerySet[VirtualMachine]:
    return ListQuery(cluster, "", "", "1", "").machines(User(pk=person), now)[:PER_PAGE]


_FIRST_PAGE_OF_ONE = CompiledRows(_first_page)
_FIRST_PAGE_OF_ALL = CompiledRows(lambda person, now, _cluster: _first_page(person, now, ""))
