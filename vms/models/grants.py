"""Grants: who may use a cluster that is restricted."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Concat, Length, Substr
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.models import Cluster
from vms.models.machines import VirtualMachine
from vms.models.sets import MachineSet

# ID of a cluster, pool, and whether pools inside it are covered.
Granted = tuple[str, str, bool]


class ClusterGrantQuerySet(models.QuerySet["ClusterGrant"]):
    def for_person(self, person: int) -> Self:
        """Grants to this person, and to the groups that the person manages or is a member of."""
        managed = MachineSet.stewards.through.objects.filter(user=person).values("machineset")
        joined = MachineSet.members.through.objects.filter(user=person).values("machineset")
        return self.filter(Q(user=person) | Q(machine_set__in=managed) | Q(machine_set__in=joined))

    def covering(self, cluster: Any, pool: Any) -> Self:
        """Grants that cover a pool of a cluster (by its ID); both may be references to an outer query.

        `_covers` says the same of values.
        """
        begin = Substr(Value(pool) if isinstance(pool, str) else pool, 1, Length("pool") + 1)
        nested = Q(with_nested_pools=True) & Q(Exact(begin, Concat("pool", Value("/"))))
        return self.filter(Q(pool="") | Q(pool=pool) | nested, cluster=cluster)


class ClusterGrant(models.Model):
    """A person, or everybody of a machine group, may use a cluster, or one pool of it. Administrators give grants.

    Teachers pass their own grants on to the groups of their classes; revoking theirs revokes those, too.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="cluster_grants",
        verbose_name=gettext_lazy("person"),
    )
    machine_set = models.ForeignKey(
        MachineSet,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="cluster_grants",
        verbose_name=gettext_lazy("machine group"),
        help_text=gettext_lazy(
            "The group's managers and members may use the cluster, and its machines may be added to the group."
        ),
    )
    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="grants",
    )
    pool = models.CharField(
        gettext_lazy("pool"),
        max_length=100,
        blank=True,
        help_text=gettext_lazy("Name of the pool on the cluster. Empty: the whole cluster."),
    )
    with_nested_pools = models.BooleanField(
        gettext_lazy("with nested pools"),
        default=False,
        db_default=False,  # a worker of the earlier version writes rows without it
        help_text=gettext_lazy(
            "Also covers the pools inside this one, such as labs/net101 inside labs. Otherwise machines in nested "
            "pools are not covered, although permissions on Proxmox VE reach them."
        ),
    )
    handed_on_from = models.ForeignKey(
        "self",
        models.CASCADE,
        verbose_name=gettext_lazy("handed on from"),
        null=True,
        blank=True,
        editable=False,
        related_name="handed_on",
    )
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)

    objects: ClassVar[Any] = ClusterGrantQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("cluster grants")
        verbose_name = gettext_lazy("cluster grant")
        ordering = ["cluster_id", "pool", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, machine_set__isnull=False) | Q(user__isnull=False, machine_set=None),
                name="grant_to_a_person_or_a_set",
                violation_error_message=gettext_lazy("Choose either a person or a machine group."),
            ),
            models.UniqueConstraint(
                fields=["user", "cluster", "pool"],
                condition=Q(machine_set=None),
                name="one_grant_per_person_and_pool",
                violation_error_message=gettext_lazy("This person already has this grant."),
            ),
            models.UniqueConstraint(
                fields=["machine_set", "cluster", "pool"],
                condition=Q(user=None),
                name="one_grant_per_set_and_pool",
                violation_error_message=gettext_lazy("This group already has this grant."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.machine_set} → {self.where}"

    @property
    def where(self) -> str:
        if not self.pool:
            return self.cluster.name
        told = _("%(cluster)s, %(pool)s and nested pools") if self.with_nested_pools else "%(cluster)s, %(pool)s"
        return told % {"cluster": self.cluster.name, "pool": self.pool}

    def clean(self) -> None:
        """Refuse a pool that the portal has never seen: it is a typing error."""
        if self.pool and self.cluster_id and not self.cluster.pools.filter(name=self.pool).exists():
            raise ValidationError(
                {"pool": _("The cluster has no pool with this name, or the portal lacks the privilege to see it.")}
            )

    @classmethod
    def allows(cls, person: int) -> Q:
        """A condition on machines: the person may use their cluster and pool, and so may their class."""
        own = cls.objects.for_person(person).covering(OuterRef("cluster_id"), OuterRef("pool"))
        return (Q(cluster__is_restricted=False) | Q(Exists(own))) & ~cls.outside_granted_pools()

    @classmethod
    def outside_granted_pools(cls) -> Q:
        """A condition on machines: they are in a class whose group has no grant for their pool (any more)."""
        of_class = MachineSet.machines.through.objects.filter(
            virtualmachine=OuterRef("pk"), machineset__is_managed=True
        )
        cluster_and_pool = OuterRef(OuterRef("cluster_id")), OuterRef(OuterRef("pool"))
        granted = cls.objects.covering(*cluster_and_pool).filter(machine_set=OuterRef("machineset"))
        return Q(Exists(of_class.filter(~Exists(granted))))


def people_without_grant(pairs: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """Filters pairs of primary keys (machine, person): the cluster is restricted and the person has no grant."""
    machines = VirtualMachine.objects.filter(cluster__is_restricted=True).annotate(its_cluster=F("cluster_id"))
    restricted: dict[int, tuple[str, str]] = {}
    wanted = sorted({machine for machine, _person in pairs})
    for begin in range(0, len(wanted), 500):
        some = machines.filter(pk__in=wanted[begin : begin + 500])
        restricted |= {
            pk: (cluster, pool) for pk, cluster, pool in some.order_by().values_list("pk", "its_cluster", "pool")
        }
    if not restricted:
        return set()
    covered = _covered({person for machine, person in pairs if machine in restricted})
    return {
        (machine, person)
        for machine, person in pairs
        if machine in restricted and not _covers(covered.get(person, set()), *restricted[machine])
    }


def _covers(grants: set[Granted], cluster: str, pool: str) -> bool:
    """What `ClusterGrantQuerySet.covering` asks of rows."""
    return any(
        cluster == granted and (place in {"", pool} or (nested and pool.startswith(f"{place}/")))
        for granted, place, nested in grants
    )


def _covered(people: set[int]) -> dict[int, set[Granted]]:
    """All grants, by person."""
    found: dict[int, set[Granted]] = {}
    wanted = sorted(people)
    for begin in range(0, len(wanted), 500):
        some = wanted[begin : begin + 500]
        for path in ("user", "machine_set__stewards", "machine_set__members"):
            rows = ClusterGrant.objects.filter(**{f"{path}__in": some}).order_by()
            for person, cluster, pool, nested in rows.values_list(path, "cluster", "pool", "with_nested_pools"):
                found.setdefault(person, set()).add((cluster, pool, nested))
    return found
