"""Finds the people and machines that wishes name, in a number of queries that hardly grows with the wishes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from accounts.models import MAX_NAME, User
from clusters.models import Cluster
from vms.bulk_assignment.sources import Share, Wish
from vms.models import Assignment, Preparation, VirtualMachine

AT_ONCE = 500


@dataclass(frozen=True)
class Person:
    pk: int
    username: str
    is_active: bool


@dataclass(frozen=True)
class Machine:
    pk: int
    cluster_id: str
    vmid: int
    name: str
    template: bool
    is_gone: bool
    is_missing: bool

    def __str__(self) -> str:
        return f"{self.name or f'VM {self.vmid}'} ({self.cluster_id}/{self.vmid})"


@dataclass(frozen=True)
class CurrentAssignment:
    """The unreleased assignment of a machine: live, or ended with the machine kept, being prepared, or not ready."""

    pk: int
    vm: int
    user: int
    username: str
    is_live: bool
    is_being_prepared: bool
    was_freed: bool


@dataclass(frozen=True)
class Scope:
    """The people and machines that the user may name. Everybody and everything else counts as unknown."""

    people: frozenset[int]
    machines: frozenset[int]


class People:
    """By name, whatever the case: a name as it is written wins."""

    def __init__(self, names: Iterable[str], scope: Scope | None = None) -> None:
        self._exact: dict[str, Person] = {}
        self._folded: dict[str, Person] = {}
        for some in _batches({name for name in names if 0 < len(name) <= MAX_NAME}):
            found = User.objects.annotate(folded=Lower("username")).filter(
                Q(username__in=some) | Q(folded__in=[name.lower() for name in some])
            )
            for row in found.values_list("pk", "username", "is_active"):
                if scope and row[0] not in scope.people:
                    continue
                person = Person(*row)
                self._exact[person.username] = self._folded[person.username.lower()] = person

    def find(self, name: str) -> Person | None:
        return self._exact.get(name) or self._folded.get(name.lower())


class Machines:
    """The machines that wishes name, also those that are gone."""

    def __init__(self, wishes: Iterable[Wish], scope: Scope | None = None) -> None:
        wishes = list(wishes)
        self._scope = scope
        clusters = Cluster.objects.filter(machines__in=scope.machines).distinct() if scope else Cluster.objects.all()
        self._clusters: dict[str, str] = {}
        self._called: dict[str, list[str]] = defaultdict(list)
        for cluster_id, name in clusters.order_by("cluster_id").values_list("cluster_id", "name"):
            self._clusters[cluster_id.lower()] = cluster_id
            self._called[_folded(name)].append(cluster_id)
        self._by_number: dict[tuple[str, int], list[Machine]] = defaultdict(list)
        self._by_name: dict[str, list[Machine]] = defaultdict(list)
        for some in _batches({wish.name.lower() for wish in wishes if wish.name}):
            named = VirtualMachine.objects.annotate(folded=Lower("name")).filter(folded__in=some)
            for machine in self._known(named):
                self._by_name[machine.name.lower()].append(machine)
        numbers: dict[str, set[int]] = defaultdict(set)
        for wish in wishes:
            if wish.vmid and (known := self.cluster(wish.cluster)):
                numbers[known].add(int(wish.vmid))
        for known, vmids in numbers.items():
            for some in _batches(vmids):
                for machine in self._known(VirtualMachine.objects.filter(cluster__cluster_id=known, vmid__in=some)):
                    self._by_number[known, machine.vmid].append(machine)

    def _known(self, rows: QuerySet[VirtualMachine]) -> Iterator[Machine]:
        return (machine for machine in _machines(rows) if not self._scope or machine.pk in self._scope.machines)

    def cluster(self, written: str) -> str | None:
        """The ID of the cluster with this ID or name. None also for a name that several have."""
        named = self.clusters_called(written)
        return self._clusters.get(written.lower()) or (named[0] if len(named) == 1 else None)

    def clusters_called(self, name: str) -> list[str]:
        """Their IDs."""
        return self._called.get(_folded(name), [])

    def named(self, wish: Wish) -> list[Machine]:
        if wish.vmid:
            return self._by_number[self.cluster(wish.cluster) or "", int(wish.vmid)]
        wanted = self.cluster(wish.cluster) if wish.cluster else None
        found = self._by_name[wish.name.lower()]
        return [machine for machine in found if not wish.cluster or machine.cluster_id == wanted]


def shared(share: Share) -> list[Machine]:
    """The machines of a pool or tag that can be given to somebody, by number."""
    rows = VirtualMachine.objects.present().filter(
        cluster__cluster_id=share.cluster, template=False, missing_since=None
    )
    if share.pool:
        rows = rows.filter(pool=share.pool)
    machines = _machines(rows.filter(tags__icontains=share.tag) if share.tag else rows, tag=share.tag)
    return sorted(machines, key=lambda machine: machine.vmid)


def current_assignments(machines: Iterable[int]) -> dict[int, CurrentAssignment]:
    """The live assignments of these machines, or the last ones while they are not ready for others; by machine."""
    found = {}
    prepared = Preparation.objects.filter(assignment=OuterRef("pk"))
    for some in _batches(set(machines)):
        rows: Any = Assignment.objects.unreleased().filter(vm__in=some).select_related("user").order_by()
        for row in rows.annotate(is_busy=Exists(prepared.open()), was_freed=Exists(prepared)):
            name = row.user.get_username()
            found[row.vm_id] = CurrentAssignment(
                row.pk, row.vm_id, row.user_id, name, row.ended_at is None, row.is_busy, row.was_freed
            )
    return found


def _machines(rows: QuerySet[VirtualMachine], *, tag: str = "") -> Iterator[Machine]:
    columns = ("pk", "cluster_id", "vmid", "name", "template", "gone_at", "missing_since", "tags")
    for pk, cluster_id, vmid, name, template, gone_at, missing_since, tags in rows.order_by("pk").values_list(*columns):
        if not tag or tag.lower() in tags.lower().split(";"):
            yield Machine(pk, cluster_id, vmid, name, template, gone_at is not None, missing_since is not None)


def _folded(name: str) -> str:
    return " ".join(name.lower().split())


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(sorted(values))
    while batch := list(islice(rest, AT_ONCE)):
        yield batch
