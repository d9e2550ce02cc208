"""Machines: the guests of clusters, as the last complete answers described them."""

import re
from datetime import datetime
from typing import Any, ClassVar

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy, gettext_noop

from accounts import audit
from accounts.compiled_queries import CompiledUpdate
from accounts.printable import PrintableTexts
from clusters.models import Cluster
from vms.models.keyboards import KeyboardLayout
from vms.models.machine_queryset import VirtualMachineQuerySet

SPICE_DISPLAY = re.compile(r"(?:type=)?(?:qxl[234]?(?:,|$)|virtio)")


class VirtualMachine(PrintableTexts, models.Model):
    """A guest of a cluster. Figures that change with every read (load, memory in use) are not stored.

    (cluster, vmid) identifies it while it is present; a VMID alone does not. A guest that appears with the VMID of one
    that is gone is another machine, with a row of its own.
    """

    class Kind(models.TextChoices):
        QEMU = "qemu", gettext_lazy("virtual machine")
        LXC = "lxc", gettext_lazy("container")

    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        verbose_name=gettext_lazy("cluster"),
        to_field="cluster_id",
        db_column="cluster_id",
        related_name="machines",
    )
    vmid = models.PositiveIntegerField(gettext_lazy("VMID"))
    kind = models.CharField(gettext_lazy("kind"), max_length=4, choices=Kind, default=Kind.QEMU)
    name = models.CharField(gettext_lazy("name"), max_length=255, blank=True)
    node = models.CharField(gettext_lazy("node"), max_length=63)
    status = models.CharField(gettext_lazy("status"), max_length=20, help_text=gettext_lazy("As the cluster says it."))
    lock = models.CharField(gettext_lazy("lock"), max_length=20, blank=True)
    ha_state = models.CharField(
        gettext_lazy("HA state"), max_length=20, blank=True, help_text=gettext_lazy("Empty: not managed by HA.")
    )
    template = models.BooleanField(gettext_lazy("template"), default=False)
    pool = models.CharField(gettext_lazy("pool"), max_length=100, blank=True)
    tags = models.CharField(
        gettext_lazy("tags"), max_length=500, blank=True, help_text=gettext_lazy("Separated by semicolons.")
    )
    cpus = models.FloatField(gettext_lazy("cpus"), default=0)
    memory = models.BigIntegerField(gettext_lazy("memory"), default=0, help_text=gettext_lazy("Bytes."))
    disk = models.BigIntegerField(gettext_lazy("disk"), default=0, help_text=gettext_lazy("Bytes."))
    booted_at = models.DateTimeField(
        gettext_lazy("booted at"),
        null=True,
        help_text=gettext_lazy("When it was started, to the minute; empty while it is off."),
    )
    status_at = models.DateTimeField(
        gettext_lazy("status at"),
        null=True,
        help_text=gettext_lazy("When the status was asked for directly; a list is older."),
    )
    silent_since = models.DateTimeField(
        gettext_lazy("silent since"),
        null=True,
        help_text=gettext_lazy("Since when its node does not answer; the status is older."),
    )
    missing_since = models.DateTimeField(
        gettext_lazy("missing since"), null=True, help_text=gettext_lazy("Since when complete answers lack it.")
    )
    missed = models.PositiveSmallIntegerField(
        gettext_lazy("missed"), default=0, help_text=gettext_lazy("How many complete answers in a row lacked it.")
    )
    gone_at = models.DateTimeField(
        gettext_lazy("gone at"), null=True, help_text=gettext_lazy("When it was taken for gone. It does not come back.")
    )
    created_at = models.DateTimeField(gettext_lazy("created at"), auto_now_add=True)
    console_input_at = models.DateTimeField(
        gettext_lazy("console input at"),
        null=True,
        help_text=gettext_lazy("When somebody last used keys or pointer in a console of the portal, to the minute."),
    )

    # The list gives this VMID another name, and the details, which tell whether it is another machine, are due.
    listed_name = models.CharField(
        gettext_lazy("listed name"),
        max_length=255,
        blank=True,
        help_text=gettext_lazy("What the list calls it, where that is another name."),
    )
    doubted_since = models.DateTimeField(
        gettext_lazy("doubted since"),
        null=True,
        help_text=gettext_lazy("Since when it is in doubt whether it is still this machine."),
    )

    # Details, read for one machine at a time.
    hardware_id = models.CharField(
        gettext_lazy("hardware id"),
        max_length=64,
        blank=True,
        help_text=gettext_lazy("SMBIOS UUID: tells a new machine by it."),
    )
    addresses = models.JSONField(
        gettext_lazy("addresses"), default=list, help_text=gettext_lazy("IP addresses, by the guest's own account.")
    )
    mac_addresses = models.JSONField(gettext_lazy("mac addresses"), default=list)
    os_type = models.CharField(gettext_lazy("OS type"), max_length=20, blank=True, db_default="", default="")
    keyboard_option = models.CharField(
        gettext_lazy("keyboard option"),
        max_length=20,
        blank=True,
        db_default="",
        default="",
        help_text=gettext_lazy("The option “keyboard” in Proxmox VE. With it, QEMU ignores key codes."),
    )
    has_tablet = models.BooleanField(
        gettext_lazy("tablet for pointer"),
        db_default=True,
        default=True,
        help_text=gettext_lazy("Without it, the pointer in the console may be in another place."),
    )
    vga = models.CharField(
        gettext_lazy("display"),
        max_length=60,
        blank=True,
        default="",
        db_default="",
        help_text=gettext_lazy("As its configuration says it; empty: Proxmox VE's default."),
    )
    no_snapshots = models.BooleanField(
        gettext_lazy("no snapshots"),
        default=False,
        db_default=False,
        help_text=gettext_lazy("The cluster says that its disks can't have snapshots."),
    )
    details_due_at = models.DateTimeField(
        gettext_lazy("details due at"),
        null=True,
        help_text=gettext_lazy("When details are asked for next; empty: never asked."),
    )
    details_at = models.DateTimeField(gettext_lazy("details at"), null=True)
    details_failures = models.PositiveSmallIntegerField(
        gettext_lazy("details failures"), default=0, help_text=gettext_lazy("In a row: it is asked ever more seldom.")
    )

    # Written by people.
    note = models.TextField(
        gettext_lazy("note"),
        max_length=2000,
        blank=True,
        help_text=gettext_lazy("Visible to everyone who sees the machine. Don't write passwords here."),
    )
    guest_login = models.CharField(
        gettext_lazy("guest login"),
        max_length=200,
        blank=True,
        help_text=gettext_lazy(
            "How to log in on the machine, like “student, the password is on the board”. Visible to everyone who "
            "sees the machine."
        ),
    )

    keyboard_layout = models.CharField(
        gettext_lazy("keyboard layout"),
        max_length=10,
        blank=True,
        choices=KeyboardLayout,
        db_default="",
        default="",
        help_text=gettext_lazy("Of the system on the machine, for text pasted into its console. Empty: not chosen."),
    )

    objects: ClassVar[Any] = VirtualMachineQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("machines")
        verbose_name = gettext_lazy("machine")
        ordering = ["cluster_id", "vmid"]
        permissions = [("operate_virtualmachine", gettext_noop("Can operate every machine"))]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "vmid"], condition=Q(gone_at=None), name="one_machine_per_cluster_and_vmid"
            )
        ]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.cluster_id}/{self.vmid})"

    @property
    def display_name(self) -> str:
        return self.name or f"VM {self.vmid}"

    @property
    def has_spice(self) -> bool:
        """Whether a SPICE viewer can show it: containers always, machines with such a display."""
        return self.kind == self.Kind.LXC or SPICE_DISPLAY.match(self.vga) is not None

    def describe(self, *, note: str, guest_login: str) -> bool:
        """Save note and guest login, and nothing else. False when neither differs."""
        with transaction.atomic():
            row = VirtualMachine.objects.select_for_update(of=("self",)).get(pk=self.pk)
            changes = {}
            if row.note != note:
                changes["note"] = (row.note, note)
            if row.guest_login != guest_login:  # people enter passwords here, whatever the form says
                changes["guest_login"] = (audit.mask(row.guest_login), audit.mask(guest_login))
            if changes:
                VirtualMachine.objects.filter(pk=self.pk).update(note=note, guest_login=guest_login)
                audit.record(row, **changes)
        self.note, self.guest_login = note, guest_login
        return bool(changes)

    def choose_keyboard_layout(self, layout: str) -> None:
        """Save a value of `KeyboardLayout`, and nothing else."""
        with transaction.atomic():
            row = VirtualMachine.objects.select_for_update(of=("self",)).get(pk=self.pk)
            if row.keyboard_layout != layout:
                VirtualMachine.objects.filter(pk=self.pk).update(keyboard_layout=layout)
                audit.record(row, keyboard_layout=(row.keyboard_layout, layout))
        self.keyboard_layout = layout

    def observe(self, status: str, *, at: datetime, lock: str | None = None) -> None:
        """Save a status that was asked for directly, at this time, and the lock where it is known."""
        seen = {"status": status, "status_at": at} | ({} if lock is None else {"lock": lock[:20]})
        _UPDATE.update({"pk": self.pk, "gone_at": None}, seen)
        for name, value in seen.items():
            setattr(self, name, value)


_UPDATE = CompiledUpdate(VirtualMachine)
