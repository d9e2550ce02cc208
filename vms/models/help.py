"""Help requests of people about machines that are assigned to them."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import User
from vms.models.assignments import Assignment
from vms.models.sets import MachineSet

if TYPE_CHECKING:
    from vms.models.machines import VirtualMachine


class HelpRequestQuerySet(models.QuerySet["HelpRequest"]):
    def open(self) -> Self:
        """Not closed, and the machine is still assigned to the person."""
        return self.filter(closed_at=None, assignment__ended_at=None)

    def for_manager(self, person: int) -> Self:
        """Open ones of other people, about machines that this person manages."""
        return (
            self.open()
            .filter(assignment__vm__in=MachineSet.machines_managed_by(person))
            .exclude(assignment__user=person)
        )

    def close(self, *, by: User) -> int:
        """Returns how many: not those that somebody else just closed."""
        return self.filter(closed_at=None).update(closed_at=timezone.now(), closed_by=by)


class HelpRequest(models.Model):
    """A person asks the managers of an assigned machine for help. At most one open request per assignment."""

    # By one person.
    MAX_REQUESTS, PERIOD = 5, timedelta(minutes=10)

    assignment = models.ForeignKey(
        Assignment, models.CASCADE, verbose_name=gettext_lazy("assignment"), related_name="help_requests"
    )
    text = models.CharField(gettext_lazy("text"), max_length=200, blank=True)
    asked_at = models.DateTimeField(gettext_lazy("asked at"), default=timezone.now)
    closed_at = models.DateTimeField(gettext_lazy("closed at"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name=gettext_lazy("closed by"), null=True, related_name="+"
    )

    objects: ClassVar[Any] = HelpRequestQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("help request")
        verbose_name_plural = gettext_lazy("help requests")
        ordering = ["asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["assignment"], condition=Q(closed_at=None), name="one_open_help_request_per_assignment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.assignment}: {self.text}"

    @classmethod
    def is_over_limit(cls, person: User) -> bool:
        recent = cls.objects.filter(assignment__user=person, asked_at__gt=timezone.now() - cls.PERIOD)
        return bool(recent.count() >= cls.MAX_REQUESTS)

    @classmethod
    def ask(cls, assignment: Assignment, *, text: str) -> bool:
        """False when there is an open request already. The constraint decides between two at once."""
        try:
            with transaction.atomic():
                cls.objects.create(assignment=assignment, text=text)
        except IntegrityError:
            return False
        return True

    @staticmethod
    def available_to(person: User) -> Exists:
        """Whether the person can ask for help: the machine is assigned to them and somebody else manages it.

        For an outer query of machines.
        """
        managers = MachineSet.stewards.through.objects.filter(
            machineset__machines=OuterRef("vm"), user__is_active=True
        ).exclude(user=person.pk)
        return Exists(Assignment.objects.live().filter(Exists(managers), vm=OuterRef("pk"), user=person.pk))

    @staticmethod
    def has_other_manager(machine: "VirtualMachine", *, besides: User) -> bool:
        """Whether anybody else manages the machine."""
        managers = User.objects.filter(stewarded_sets__machines=machine.pk, is_active=True)
        return managers.exclude(pk=besides.pk).exists()
