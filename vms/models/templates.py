"""Published templates: what teachers may make machines out of."""

import re
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.printable import PrintableTexts
from clusters.models import Cluster
from vms.models.capacity import LeasableNetwork
from vms.models.grants import ClusterGrant
from vms.models.sets import MachineSet

# Of Proxmox VE itself.
LEAST_VMID, MOST_VMID = 100, 999_999_999
# The number that stands for `{n}` has this many digits at most.
NUMBER_WIDTH = 4
LONGEST_NAME = {"linux": 63, "windows": 15}  # a DNS label; a NetBIOS name


class MachineTemplateQuerySet(models.QuerySet["MachineTemplate"]):
    def active(self) -> Self:
        return self.filter(is_active=True, cluster__is_active=True)

    def usable_by(self, person: int, group: int) -> Self:
        """Active templates out of which a person may make machines for a group: `person` is a primary key, too.

        The group has a grant for the pool. Where the template names teachers or groups, this person or group is among
        them; otherwise the person may use the cluster and the pool.
        """
        named = Q(Exists(_listed("users", user=person))) | Q(Exists(_listed("machine_sets", machineset=group)))
        own = ClusterGrant.objects.for_person(person).covering(OuterRef("cluster_id"), OuterRef("pool"))
        everybody = ~_is_listed() & (Q(cluster__is_restricted=False) | Q(Exists(own)))
        return self.granted_to(group).filter(named | everybody)

    def granted_to(self, group: int) -> Self:
        """Active templates for whose pool this group (a primary key) has a grant."""
        grants = ClusterGrant.objects.covering(OuterRef("cluster_id"), OuterRef("pool")).filter(machine_set=group)
        return self.active().filter(Exists(grants))


def _listed(name: str, **wanted: int) -> Any:
    rows = getattr(MachineTemplate, name).through.objects
    return rows.filter(machinetemplate=OuterRef("pk"), **wanted)


def _is_listed() -> Q:
    """The template names who may use it."""
    return Q(Exists(_listed("users"))) | Q(Exists(_listed("machine_sets")))


class MachineTemplate(PrintableTexts, models.Model):
    """A published template: which guests are its copies, what is made out of it where, and who may do so."""

    class CloneKind(models.TextChoices):
        LINKED = "linked", gettext_lazy("Linked clones")
        FULL = "full", gettext_lazy("Full clones")

    class GuestOS(models.TextChoices):
        LINUX = "linux", "Linux"
        WINDOWS = "windows", "Windows"

    name = models.CharField(gettext_lazy("name"), max_length=100, help_text=gettext_lazy("The name that teachers see."))
    description = models.TextField(
        gettext_lazy("description"),
        max_length=2000,
        blank=True,
        help_text=gettext_lazy("What is on it, in a few sentences for teachers."),
    )
    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="machine_templates",
    )
    clone_kind = models.CharField(
        gettext_lazy("clones"),
        max_length=6,
        choices=CloneKind,
        default=CloneKind.LINKED,
        help_text=gettext_lazy("Linked clones are made in seconds and need the template as long as they exist."),
    )
    storage = models.CharField(
        gettext_lazy("storage"),
        max_length=100,
        blank=True,
        help_text=gettext_lazy("For full clones. Empty: the storage of the template."),
    )
    pool = models.CharField(
        gettext_lazy("pool"),
        max_length=100,
        help_text=gettext_lazy("Where the machines are made. Keep the template itself out of this pool."),
    )
    vmid_from = models.PositiveIntegerField(
        gettext_lazy("first VMID"), validators=[MinValueValidator(LEAST_VMID), MaxValueValidator(MOST_VMID)]
    )
    vmid_to = models.PositiveIntegerField(
        gettext_lazy("last VMID"),
        validators=[MinValueValidator(LEAST_VMID), MaxValueValidator(MOST_VMID)],
        help_text=gettext_lazy("The machines get VMIDs of this range, which nothing else should use."),
    )
    name_pattern = models.CharField(
        gettext_lazy("name pattern"),
        max_length=63,
        help_text=gettext_lazy("Like web201-{n}. A number takes the place of {n}."),
    )
    guest_os = models.CharField(gettext_lazy("operating system"), max_length=7, choices=GuestOS, default=GuestOS.LINUX)
    cores = models.PositiveSmallIntegerField(
        gettext_lazy("cores"), default=1, validators=[MinValueValidator(1)], help_text=gettext_lazy("Of one machine.")
    )
    memory_mib = models.PositiveIntegerField(
        gettext_lazy("memory (MiB)"),
        default=1024,
        validators=[MinValueValidator(16)],
        help_text=gettext_lazy("Of one machine."),
    )
    disk_gib = models.PositiveIntegerField(
        gettext_lazy("disk (GiB)"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=gettext_lazy("Of one machine."),
    )
    most_machines = models.PositiveIntegerField(
        gettext_lazy("most machines"),
        null=True,
        blank=True,
        help_text=gettext_lazy("Out of this template at once. Empty: no limit."),
    )
    most_cores = models.PositiveIntegerField(gettext_lazy("most cores"), null=True, blank=True)
    most_memory_mib = models.PositiveBigIntegerField(gettext_lazy("most memory (MiB)"), null=True, blank=True)
    most_disk_gib = models.PositiveBigIntegerField(gettext_lazy("most disk (GiB)"), null=True, blank=True)
    networks = models.ManyToManyField(
        LeasableNetwork,
        verbose_name=gettext_lazy("networks"),
        blank=True,
        related_name="machine_templates",
        help_text=gettext_lazy("Networks that the machines may lease. Empty: they stay on the template's network."),
    )
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=gettext_lazy("teachers"),
        blank=True,
        related_name="+",
        help_text=gettext_lazy("People who may use it in all of their classes."),
    )
    machine_sets = models.ManyToManyField(
        MachineSet,
        verbose_name=gettext_lazy("machine groups"),
        blank=True,
        related_name="+",
        help_text=gettext_lazy(
            "Classes that may use it. Without teachers and groups, everybody may who may use the cluster and the pool."
        ),
    )
    ci_user = models.CharField(
        gettext_lazy("user on the machines"),
        max_length=32,
        blank=True,
        help_text=gettext_lazy("For cloud-init. Empty: the template's."),
    )
    ssh_keys = models.TextField(
        gettext_lazy("SSH keys"),
        blank=True,
        help_text=gettext_lazy("One public key per line. Empty: each machine gets a password of its own."),
    )
    ip_config = models.CharField(
        gettext_lazy("IP configuration"),
        max_length=200,
        default="ip=dhcp",
        help_text=gettext_lazy("Of the first network card, for cloud-init."),
    )
    baseline_running = models.BooleanField(
        gettext_lazy("save the baseline while running"),
        default=False,
        help_text=gettext_lazy("Otherwise the machine is shut down first. Memory is never saved."),
    )
    is_active = models.BooleanField(
        gettext_lazy("active"),
        default=True,
        help_text=gettext_lazy("Teachers make machines out of active templates only."),
    )
    checked_at = models.DateTimeField(gettext_lazy("checked at"), null=True, editable=False)
    check_report = models.JSONField(gettext_lazy("result of the check"), default=dict, blank=True, editable=False)

    objects: ClassVar[Any] = MachineTemplateQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("machine template")
        verbose_name_plural = gettext_lazy("machine templates")
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="template_name_unique_without_case",
                violation_error_message=gettext_lazy(
                    "A template with this name already exists, perhaps in other upper or lower case."
                ),
            ),
            models.CheckConstraint(
                condition=Q(vmid_from__gte=LEAST_VMID, vmid_to__lte=MOST_VMID),
                name="template_vmids_in_range",
                violation_error_message=gettext_lazy("VMIDs are numbers from 100 to 999999999."),
            ),
            models.CheckConstraint(
                condition=Q(vmid_from__lte=models.F("vmid_to")),
                name="template_vmids_in_order",
                violation_error_message=gettext_lazy("The last VMID can't be before the first."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuses a range that another template of the cluster uses, and a pattern that gives no DNS names."""
        super().clean()
        errors = {}
        if problem := pattern_problem(self.name_pattern, self.guest_os):
            errors["name_pattern"] = problem
        if self.cluster_id and self.vmid_from and self.vmid_to:
            others = MachineTemplate.objects.filter(cluster_id=self.cluster_id).exclude(pk=self.pk)
            if other := others.filter(vmid_from__lte=self.vmid_to, vmid_to__gte=self.vmid_from).first():
                errors["vmid_from"] = _("The template “%(name)s” uses VMIDs %(first)d to %(last)d.") % {
                    "name": other.name,
                    "first": other.vmid_from,
                    "last": other.vmid_to,
                }
        if self.storage and self.clone_kind == self.CloneKind.LINKED:
            errors["storage"] = _("Linked clones stay on the template's storage. Leave this empty.")
        if errors:
            raise ValidationError(errors)

    def machine_name(self, number: int) -> str:
        return self.name_pattern.replace("{n}", str(number))


class TemplateCopy(models.Model):
    """A guest that is a copy of a published template: one on a node, or one on storage that nodes share."""

    template = models.ForeignKey(
        MachineTemplate, models.CASCADE, verbose_name=gettext_lazy("machine template"), related_name="copies"
    )
    node = models.CharField(gettext_lazy("node"), max_length=63)
    vmid = models.PositiveIntegerField(gettext_lazy("VMID"))
    uuid = models.CharField(
        gettext_lazy("SMBIOS UUID"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=gettext_lazy("As the check read it."),
    )
    storage = models.CharField(
        gettext_lazy("storage"), max_length=100, blank=True, help_text=gettext_lazy("Where its disk is.")
    )
    is_shared = models.BooleanField(
        gettext_lazy("on shared storage"),
        default=False,
        help_text=gettext_lazy("Then machines on every node can be made out of this copy."),
    )

    class Meta:
        verbose_name = gettext_lazy("copy of a template")
        verbose_name_plural = gettext_lazy("copies of templates")
        ordering = ["template", "node", "vmid"]
        constraints = [
            models.UniqueConstraint(
                fields=["template", "node", "vmid"],
                name="one_copy_per_node_and_vmid",
                violation_error_message=gettext_lazy("This copy is already listed."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.vmid} ({self.node})"


def pattern_problem(pattern: str, guest_os: str) -> str:
    """What is wrong with a name pattern, in words. Empty: nothing is."""
    if pattern.count("{n}") != 1:
        return _("Use {n} once, where the number goes.")
    longest = LONGEST_NAME[guest_os]
    if len(pattern) - len("{n}") + NUMBER_WIDTH > longest:
        return _("With a number of %(digits)d digits, names would be longer than %(most)d characters.") % {
            "digits": NUMBER_WIDTH,
            "most": longest,
        }
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", pattern.replace("{n}", "1")):
        return _("Use letters, digits and dashes. A dash can't be first or last.")
    return ""
