"""Assignments: who has which machine."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.deletion import CASCADE, ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from vms.models.grants import people_without_grant
from vms.models.machines import VirtualMachine
from vms.models.operations import Operation
from vms.sentences import say

NOT_GRANTED = gettext_lazy(
    "The cluster of this machine is only for people with a grant. Grant it to this person or the class first."
)


def protect_live_assignments(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """Refuse to delete a machine that is not released: found again, it would go to anybody as it is."""
    not_ready = Q(ended_at=None) | Q(vm__gone_at=None)
    unreleased = list(sub_objs.defer(None).filter(not_ready, released_at=None))
    if unreleased:
        text = _("These machines are assigned or not ready for the next person. Release them first.")
        raise ProtectedError(text, set(unreleased))
    CASCADE(collector, field, sub_objs, using)


def protect_unreleased_machines(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """Refuse to delete a person with unreleased machines: nobody would know that they are not ready for others."""
    unreleased = list(sub_objs.defer(None).filter(released_at=None))
    if unreleased:
        raise ProtectedError(_("Release the machines of this person first."), set(unreleased))
    CASCADE(collector, field, sub_objs, using)


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)

    def unreleased(self) -> Self:
        """Assignments whose machine nobody else gets: live, kept, or being prepared for the next person."""
        return self.filter(released_at=None)

    def unprepared(self) -> Self:
        """Ended ones whose machine could not be made ready for the next person: somebody has to choose again."""
        tries = apps.get_model("vms", "Preparation").objects.filter(assignment=OuterRef("pk"))
        last = tries.order_by("-asked_at", "-pk").values("state")[:1]
        return self.unreleased().exclude(ended_at=None).alias(last_try=Subquery(last)).filter(last_try="failed")

    def end(self, *, kept_until: datetime | None = None) -> int:
        """End the live ones, with an audit record each. Returns how many, without those that somebody else just ended.

        Their machines stay unreleased; `vms.preparation` releases them. Operations that these people requested and that
        were not sent yet are cancelled.
        """
        now = timezone.now()
        with transaction.atomic():
            rows = list(self.live().order_by("pk").select_related("vm", "user").select_for_update(of=("self",)))
            ended = Assignment.objects.filter(pk__in=[row.pk for row in rows])
            ended.update(ended_at=now, kept_until=kept_until)
            theirs = ended.order_by().filter(user=OuterRef("requested_by"), vm=OuterRef("vm"))
            Operation.objects.filter(Exists(theirs)).cancel_unsent(say("taken"))
            audit.record_many((row, {"ended_at": (None, now.isoformat(timespec="seconds"))}) for row in rows)
        return len(rows)


class Assignment(models.Model):
    """A machine is assigned to a person. An assignment is ended, not deleted.

    Its end takes the machine from the person; its release makes the machine available to others. In between the
    machine is kept for the person, or is being prepared for the next one, and the database lets nobody else have it.
    """

    vm = models.ForeignKey(
        VirtualMachine,
        protect_live_assignments,
        related_name="assignments",
        verbose_name=gettext_lazy("machine"),
        limit_choices_to={"gone_at": None, "template": False},
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        protect_unreleased_machines,
        verbose_name=gettext_lazy("user"),
        related_name="assignments",
    )
    assigned_at = models.DateTimeField(gettext_lazy("assigned at"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(
        gettext_lazy("ended at"), null=True, blank=True, help_text=gettext_lazy("Empty while it lasts.")
    )
    kept_until = models.DateTimeField(
        gettext_lazy("kept until"),
        null=True,
        blank=True,
        editable=False,
        help_text=gettext_lazy("It ended by itself, and the machine is kept as it is. Afterwards somebody decides."),
    )
    released_at = models.DateTimeField(
        gettext_lazy("released at"),
        null=True,
        blank=True,
        editable=False,
        help_text=gettext_lazy("Since when somebody else may have the machine. Empty: nobody else."),
    )

    objects: ClassVar[Any] = AssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("assignment")
        verbose_name_plural = gettext_lazy("assignments")
        ordering = ["-assigned_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=Q(released_at=None),
                name="one_unreleased_assignment_per_machine",
                violation_error_message=gettext_lazy(
                    "This machine is assigned or not ready for the next person. Release it first."
                ),
            ),
            models.CheckConstraint(
                condition=Q(released_at=None) | Q(ended_at__isnull=False), name="machine_released_after_the_end"
            ),
            models.CheckConstraint(
                condition=Q(kept_until=None) | Q(ended_at__isnull=False), name="machine_kept_after_the_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vm} → {self.user}"

    def clean(self) -> None:
        # The admin's form has no `ended_at`, and without it Django leaves the constraint to the database, as a crash.
        self.validate_constraints()
        if self.vm_id and self.user_id and people_without_grant([(self.vm_id, self.user_id)]):
            raise ValidationError(NOT_GRANTED)
