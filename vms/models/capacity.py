"""Capacity: networks that machines lease, and quotas that an administrator sets."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.printable import PrintableTexts
from clusters.models import Cluster
from vms.models.sets import MachineSet


class LeasableNetworkQuerySet(models.QuerySet["LeasableNetwork"]):
    def free(self) -> Self:
        """Networks that nobody leases, in the order in which they are leased."""
        leased = NetworkLease.objects.live().values("network")
        return self.exclude(pk__in=leased).order_by("bridge", "vlan", "pk")


class LeasableNetwork(PrintableTexts, models.Model):
    """A bridge or VNet of a cluster, perhaps with a VLAN tag, that a class or one of its people may lease."""

    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="leasable_networks",
    )
    name = models.CharField(
        gettext_lazy("name"), max_length=60, help_text=gettext_lazy("The name that teachers see, like “Lab 12”.")
    )
    bridge = models.CharField(
        gettext_lazy("bridge or VNet"),
        max_length=15,
        validators=[
            RegexValidator(
                r"\A[A-Za-z][A-Za-z0-9_.-]*\Z",
                gettext_lazy("Use the name of a bridge or VNet on the cluster, like vmbr1 or lab12."),
            )
        ],
        help_text=gettext_lazy("As it is called on the cluster."),
    )
    vlan = models.PositiveSmallIntegerField(
        gettext_lazy("VLAN tag"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(4094)],
        help_text=gettext_lazy("Only on a bridge that is aware of VLANs. Leave it empty for a VNet."),
    )

    objects: ClassVar[Any] = LeasableNetworkQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("network")
        verbose_name_plural = gettext_lazy("networks")
        ordering = ["cluster_id", "bridge", "vlan"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "bridge", "vlan"],
                name="one_network_per_bridge_and_vlan",
                violation_error_message=gettext_lazy("This network of the cluster is already listed."),
            ),
            models.UniqueConstraint(
                fields=["cluster", "bridge"],
                condition=Q(vlan=None),
                name="one_network_per_bridge_without_vlan",
                violation_error_message=gettext_lazy("This network of the cluster is already listed."),
            ),
            models.CheckConstraint(
                condition=Q(vlan=None) | Q(vlan__gte=1, vlan__lte=4094),
                name="vlan_in_range",
                violation_error_message=gettext_lazy("A VLAN tag is a number from 1 to 4094."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.where})"

    @property
    def where(self) -> str:
        """Bridge and VLAN, like `vmbr1, VLAN 12`."""
        return self.bridge if self.vlan is None else f"{self.bridge}, VLAN {self.vlan}"


class NetworkLeaseQuerySet(models.QuerySet["NetworkLease"]):
    def live(self) -> Self:
        return self.filter(returned_at=None)


class NetworkLease(models.Model):
    """A network belongs to a machine group, or to one machine of it, until the last of its machines is removed."""

    network = models.ForeignKey(
        LeasableNetwork, models.PROTECT, verbose_name=gettext_lazy("network"), related_name="leases"
    )
    machine_set = models.ForeignKey(
        MachineSet, models.CASCADE, verbose_name=gettext_lazy("machine group"), related_name="network_leases"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("person"),
        null=True,
        blank=True,
        related_name="+",
    )
    is_shared = models.BooleanField(
        gettext_lazy("for the whole group"),
        default=False,
        help_text=gettext_lazy("Otherwise one machine has the network for itself."),
    )
    taken_at = models.DateTimeField(gettext_lazy("taken at"), default=timezone.now)
    returned_at = models.DateTimeField(gettext_lazy("returned at"), null=True, blank=True)

    objects: ClassVar[Any] = NetworkLeaseQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("network lease")
        verbose_name_plural = gettext_lazy("network leases")
        ordering = ["-taken_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["network"], condition=Q(returned_at=None), name="one_lease_per_network")
        ]

    def __str__(self) -> str:
        return f"{self.network} → {self.user or self.machine_set}"


class Quota(models.Model):
    """How much a cluster gives, or a machine group or a person may have, of what is there and what runs."""

    cluster = models.OneToOneField(
        Cluster,
        models.CASCADE,
        null=True,
        blank=True,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="quota",
        help_text=gettext_lazy("For all machines of the cluster."),
    )
    machine_set = models.OneToOneField(
        MachineSet,
        models.CASCADE,
        null=True,
        blank=True,
        verbose_name=gettext_lazy("machine group"),
        related_name="quota",
        help_text=gettext_lazy("For the machines of a class or another group."),
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        verbose_name=gettext_lazy("person"),
        related_name="quota",
        help_text=gettext_lazy("For the machines that are assigned to a person."),
    )
    machines = models.PositiveIntegerField(
        gettext_lazy("machines"), null=True, blank=True, help_text=gettext_lazy("Empty: no limit.")
    )
    running = models.PositiveIntegerField(
        gettext_lazy("running machines"),
        null=True,
        blank=True,
        help_text=gettext_lazy("Running or about to be started. Empty: no limit."),
    )
    cores = models.PositiveIntegerField(
        gettext_lazy("cores"), null=True, blank=True, help_text=gettext_lazy("Of all machines. Empty: no limit.")
    )
    memory_mib = models.PositiveBigIntegerField(
        gettext_lazy("memory (MiB)"),
        null=True,
        blank=True,
        help_text=gettext_lazy("Of all machines, running or not. Empty: no limit."),
    )
    disk_gib = models.PositiveBigIntegerField(
        gettext_lazy("disk (GiB)"), null=True, blank=True, help_text=gettext_lazy("Of all machines. Empty: no limit.")
    )

    LIMITS = ("machines", "running", "cores", "memory_mib", "disk_gib")

    class Meta:
        verbose_name = gettext_lazy("quota")
        verbose_name_plural = gettext_lazy("quotas")
        constraints = [
            models.CheckConstraint(
                condition=Q(cluster__isnull=False, machine_set=None, user=None)
                | Q(cluster=None, machine_set__isnull=False, user=None)
                | Q(cluster=None, machine_set=None, user__isnull=False),
                name="quota_of_one_thing",
                violation_error_message=gettext_lazy("Choose a cluster, a machine group or a person."),
            )
        ]

    def __str__(self) -> str:
        return _("Quota of %(of)s") % {"of": self.of}

    @property
    def of(self) -> str:
        """Whose it is, for people."""
        return self.cluster.name if self.cluster else self.machine_set.title if self.machine_set else str(self.user)
