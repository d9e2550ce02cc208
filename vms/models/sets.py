"""Machine groups: machines that are managed together."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy

from accounts.printable import PrintableTexts


class MachineSet(PrintableTexts, models.Model):
    """A machine group, whose managers (`stewards`) may operate all of its machines.

    A machine that is gone stays in its groups. A class has a group of its own.
    """

    name = models.CharField(gettext_lazy("name"), max_length=100)
    machines = models.ManyToManyField(
        "vms.VirtualMachine", verbose_name=gettext_lazy("machines"), blank=True, related_name="sets"
    )
    stewards = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=gettext_lazy("managers"),
        blank=True,
        related_name="stewarded_sets",
        help_text=gettext_lazy("Managers see and operate every machine of the group, and edit its notes and logins."),
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=gettext_lazy("members"),
        blank=True,
        related_name="member_of_sets",
        help_text=gettext_lazy(
            "Members may use the clusters granted to the group. Assignments decide which machines they get."
        ),
    )
    is_managed = models.BooleanField(
        gettext_lazy("is managed"),
        default=False,
        editable=False,
        help_text=gettext_lazy("This group belongs to a class. Change it on the pages of the class."),
    )

    class Meta:
        verbose_name_plural = gettext_lazy("machine groups")
        verbose_name = gettext_lazy("machine group")
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="machine_set_name_unique_without_case",
                violation_error_message=gettext_lazy(
                    "A group with this name already exists, perhaps in other upper or lower case."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """The group's name for people. The name of a class's group ends with a part that makes it unique."""
        return self.name.rpartition(" · ")[0] if self.is_managed and " · " in self.name else self.name

    @classmethod
    def machines_managed_by(cls, manager: int) -> models.QuerySet[Any]:
        """The primary keys of the machines in this person's groups, as a subquery."""
        return cls.machines.through.objects.filter(machineset__stewards=manager).values("virtualmachine")

    def remove_gone(self) -> int:
        """Remove machines that are gone. Returns how many."""
        gone = list(self.machines.exclude(gone_at=None))
        self.machines.remove(*gone)
        return len(gone)
