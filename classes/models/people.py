"""Memberships of classes."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import SignInSource
from classes.models.labs import LabClass
from vms.models import Assignment


class MembershipQuerySet(models.QuerySet["Membership"]):
    def live(self) -> Self:
        return self.filter(left_at=None)

    def joined(self) -> Self:
        return self.live().exclude(joined_at=None)

    def waiting(self) -> Self:
        """Members on the waiting list, in its order."""
        return self.joined().exclude(waiting_since=None).filter(user__is_active=True).order_by("waiting_since", "pk")

    def with_machine(self) -> Self:
        return self.filter(Exists(Membership.assignments_of(OuterRef("user"), OuterRef("lab_class"))))


class Membership(models.Model):
    """A person in a class, or on its roster. Memberships are ended, not deleted: somebody who returns gets a new row.

    A member waits for a machine, has one, or does neither after a teacher unassigned it. Machines of members are known
    by `vms.Assignment` alone.
    """

    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, related_name="memberships", verbose_name=gettext_lazy("class")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=gettext_lazy("user"), related_name="memberships"
    )
    listed_at = models.DateTimeField(
        gettext_lazy("listed at"),
        default=timezone.now,
        help_text=gettext_lazy("When the person was put on the list or joined."),
    )
    joined_at = models.DateTimeField(
        gettext_lazy("joined at"), null=True, blank=True, help_text=gettext_lazy("Empty: on the list, not joined yet.")
    )
    left_at = models.DateTimeField(
        gettext_lazy("left at"), null=True, blank=True, help_text=gettext_lazy("Empty while it lasts.")
    )
    waiting_since = models.DateTimeField(
        gettext_lazy("waiting since"),
        null=True,
        blank=True,
        help_text=gettext_lazy("Position in the line for a machine."),
    )
    source = models.ForeignKey(
        SignInSource,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=gettext_lazy("source"),
        help_text=gettext_lazy("The sign-in source whose rule put the person into the class. Empty: a person did."),
    )
    left_by_rule = models.BooleanField(
        gettext_lazy("left by a rule"),
        default=False,
        db_default=False,  # a worker of an earlier version does not know it
        help_text=gettext_lazy("The person left the group there. Otherwise a person ended the membership."),
    )

    objects: ClassVar[Any] = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("memberships")
        verbose_name = gettext_lazy("membership")
        ordering = ["user__username", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["lab_class", "user"], condition=Q(left_at=None), name="one_live_membership_per_class_and_person"
            ),
            models.CheckConstraint(
                condition=Q(waiting_since=None) | (Q(joined_at__isnull=False) & Q(left_at=None)),
                name="only_members_wait_for_machines",
            ),
        ]
        indexes = [models.Index(fields=["lab_class", "waiting_since"], name="class_queue")]

    def __str__(self) -> str:
        return f"{self.user} · {self.lab_class}"

    @staticmethod
    def assignments_of(user: Any, lab_class: Any) -> Any:
        """The live assignments of a person to machines of a class; both may be outer references."""
        return Assignment.objects.live().filter(user=user, vm__class_machine__lab_class=lab_class)

    @property
    def assignments(self) -> Any:
        return self.assignments_of(self.user_id, self.lab_class_id)
