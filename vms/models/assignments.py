"""Who holds which machine."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.deletion import CASCADE, ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import trail
from vms.models.grants import people_without_grant
from vms.models.machines import VirtualMachine
from vms.models.operations import Operation

NOT_GRANTED = gettext_lazy(
    "The cluster of this machine is only for people who were granted it. Give this person, or the class, a grant first."
)


def protect_live_assignments(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """Refuse to delete a machine that somebody holds now; what was held once does not protect."""
    live = list(sub_objs.defer(None).filter(ended_at=None))
    if live:
        raise ProtectedError(_("Somebody holds these machines. End the assignments first."), set(live))
    CASCADE(collector, field, sub_objs, using)


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)

    def end(self) -> int:
        """End those that last, and write it down. Returns how many: not those that somebody else just ended.

        What these people asked for and no cluster has heard of is cancelled: the next holder's click is his own.
        """
        now = timezone.now()
        with transaction.atomic():
            rows = list(self.live().order_by("pk").select_related("vm", "user").select_for_update(of=("self",)))
            ended = Assignment.objects.filter(pk__in=[row.pk for row in rows])
            ended.update(ended_at=now)
            theirs = ended.order_by().filter(user=OuterRef("requested_by"), vm=OuterRef("vm"))
            Operation.objects.filter(Exists(theirs)).cancel_unsent(Operation.TAKEN)
            trail.record_many((row, {"ended_at": (None, now.isoformat(timespec="seconds"))}) for row in rows)
        return len(rows)


class Assignment(models.Model):
    """Somebody holds a machine. It is ended, not deleted."""

    vm = models.ForeignKey(
        VirtualMachine,
        protect_live_assignments,
        related_name="assignments",
        verbose_name=gettext_lazy("machine"),
        limit_choices_to={"gone_at": None, "template": False},
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="assignments")
    assigned_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, help_text=gettext_lazy("Empty while it lasts."))

    objects: ClassVar[Any] = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["-assigned_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=Q(ended_at=None),
                name="one_live_assignment_per_machine",
                violation_error_message=gettext_lazy("Somebody holds this machine already. End that assignment first."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.vm} → {self.user}"

    def clean(self) -> None:
        # The admin's form has no `ended_at`, and without it Django leaves the constraint to the database, as a crash.
        self.validate_constraints()
        if self.vm_id and self.user_id and people_without_grant([(self.vm_id, self.user_id)]):
            raise ValidationError(NOT_GRANTED)
