"""A class, and the machines it has."""

import zoneinfo
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.apps import apps
from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import validate_time_zone
from accounts.plans import Note
from accounts.printable import PrintableTexts
from classes.models.links import Link, links_in, validate_links
from vms.models import (
    Assignment,
    ClusterGrant,
    MachineSet,
    MachineTemplate,
    Preparation,
    ProvisioningRun,
    VirtualMachine,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User


class LabClassQuerySet(models.QuerySet["LabClass"]):
    def taught_by(self, user: "User | AnonymousUser") -> Self:
        """The classes that the user runs, as owner or co-owner."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        co_owned = LabClass.co_owners.through.objects.filter(labclass=OuterRef("pk"), user=user.pk)
        return self.filter(Q(owner=user.pk) | Exists(co_owned))

    def ended(self) -> Self:
        return self.exclude(ended_at=None)

    def joined_by(self, user: "User | AnonymousUser") -> Self:
        """The classes of which the user is a member now."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        joined = apps.get_model("classes", "Membership").objects.joined()
        return self.filter(Exists(joined.filter(lab_class=OuterRef("pk"), user=user.pk)))

    def with_next_lesson(self) -> Self:
        """With `next_lesson`: the beginning of the lesson that runs or comes next. None: there is none."""
        to_come = apps.get_model("classes", "Occurrence").objects.filter(ends_at__gt=timezone.now())
        mine = to_come.filter(lab_class=OuterRef("pk")).order_by("starts_at")
        return self.annotate(next_lesson=Subquery(mine.values("starts_at")[:1]))


class LabClass(PrintableTexts, models.Model):
    """A lesson with its people and machines. Its machine group has its owner and co-owners as managers.

    The managers, members and machines of the group follow by explicit calls (`classes.lifecycle`, `classes.co_owners`,
    `classes.enrolment`): nothing else may write them.
    """

    name = models.CharField(gettext_lazy("name"), max_length=100)
    description = models.TextField(
        gettext_lazy("description"),
        max_length=2000,
        blank=True,
        help_text=gettext_lazy("A few sentences about the class."),
    )
    lesson = models.TextField(
        gettext_lazy("lesson"),
        max_length=20_000,
        blank=True,
        help_text=gettext_lazy(
            "Everyone in the class sees this text. Addresses that begin with https:// become links."
        ),
    )
    links = models.TextField(
        gettext_lazy("links"),
        max_length=5000,
        blank=True,
        validators=[validate_links],
        help_text=gettext_lazy("One per line: address, space, title. The title is optional."),
    )
    starts_on = models.DateField(gettext_lazy("first day"), null=True, blank=True)
    ends_on = models.DateField(
        gettext_lazy("last day"),
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "After this day nobody can join, people lose their machines, and the machines are kept. Leave empty for "
            "no end."
        ),
    )
    time_zone = models.CharField(
        gettext_lazy("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=gettext_lazy("For example Europe/Madrid. Leave empty to use the portal's."),
    )
    baseline = models.CharField(
        gettext_lazy("baseline snapshot"),
        max_length=40,
        blank=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z][A-Za-z0-9_-]{1,39}\Z",
                gettext_lazy("Enter 2 to 40 letters, digits, - or _, beginning with a letter."),
            )
        ],
        help_text=gettext_lazy("The snapshot that the machines of the class are reverted to."),
    )
    freed_machines = models.CharField(
        gettext_lazy("released machines"),
        max_length=10,
        choices=Preparation.Way,
        default=Preparation.Way.REVERT,
        help_text=gettext_lazy(
            "How a machine is prepared for the next person. You can choose otherwise whenever you release one. A "
            "machine without the baseline snapshot is shut down instead of reverted."
        ),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="owned_classes", verbose_name=gettext_lazy("owner")
    )
    co_owners = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="co_owned_classes", verbose_name=gettext_lazy("co-owners")
    )
    machine_set = models.OneToOneField(
        MachineSet, models.PROTECT, related_name="lab_class", editable=False, verbose_name=gettext_lazy("machine group")
    )
    # A machine is made for everybody who joins and finds no machine, while the class has fewer than the limit.
    joining_template = models.ForeignKey(
        MachineTemplate,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=gettext_lazy("template for those who join"),
    )
    joining_limit = models.PositiveSmallIntegerField(
        gettext_lazy("most machines of the class"), null=True, blank=True, editable=False
    )
    joining_networks = models.CharField(
        gettext_lazy("networks for those who join"),
        max_length=8,
        choices=ProvisioningRun.Networks,
        default=ProvisioningRun.Networks.TEMPLATE,
        db_default=ProvisioningRun.Networks.TEMPLATE,
        editable=False,
    )
    joining_refusals = models.JSONField(
        gettext_lazy("why no machine was made"),
        default=list,
        db_default=[],
        editable=False,
        help_text=gettext_lazy("For those who joined and wait; the latest try."),
    )
    joining_refused_at = models.DateTimeField(gettext_lazy("no machine was made since"), null=True, editable=False)
    created_at = models.DateTimeField(gettext_lazy("created at"), auto_now_add=True)
    ended_at = models.DateTimeField(
        gettext_lazy("ended at"),
        null=True,
        editable=False,
        help_text=gettext_lazy("When somebody ended the class, or the day after its last day."),
    )
    is_being_deleted = models.BooleanField(
        gettext_lazy("is being deleted"),
        default=False,
        editable=False,
        help_text=gettext_lazy("The class will be deleted when its machines are ready."),
    )

    objects: ClassVar[Any] = LabClassQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("class")
        verbose_name_plural = gettext_lazy("classes")
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_on=None) | Q(ends_on=None) | Q(ends_on__gte=F("starts_on")),
                name="class_ends_after_it_begins",
                violation_error_message=gettext_lazy("The last day can't be before the first day."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def joining_problems(self) -> list[str]:
        """Why no machine was made for those who joined and wait, in the reader's language."""
        return [str(Note.from_stored(one)) for one in self.joining_refusals]

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone or settings.TIME_ZONE)

    @property
    def today(self) -> date:
        """In the class's own time zone."""
        return timezone.localdate(timezone=self.zone)

    @property
    def is_over(self) -> bool:
        """Nobody can join, and machines are assigned to nobody."""
        return bool(self.ended_at or self.is_past_its_last_day)

    @property
    def is_past_its_last_day(self) -> bool:
        return bool(self.ends_on and self.ends_on < self.today)

    @property
    def link_list(self) -> list[Link]:
        """Without addresses that are not on the web and got in past the form: a browser might run them."""
        return [link for link in links_in(self.links) if link.url.startswith(("https://", "http://"))]

    @property
    def teachers(self) -> "list[User]":
        """The owner first."""
        return [self.owner, *self.co_owners.order_by("username")]


class ClassMachineQuerySet(models.QuerySet["ClassMachine"]):
    def free(self) -> Self:
        """Machines that can be assigned: present, no template, prepared, and in a granted pool."""
        held = Assignment.objects.unreleased().filter(vm=OuterRef("vm"))
        granted = ClusterGrant.objects.covering(OuterRef("vm__cluster_id"), OuterRef("vm__pool")).filter(
            machine_set=OuterRef("lab_class__machine_set")
        )
        there = self.filter(
            vm__gone_at=None,
            vm__missing_since=None,
            vm__template=False,
            vm__cluster__is_active=True,
            is_kept_back=False,
            is_leaving=False,
        )
        return there.filter(~Exists(held), Exists(granted)).order_by("vm__cluster_id", "vm__vmid")


class ClassMachine(models.Model):
    """A machine of a class; it is in one class at most. The machine group follows by explicit calls."""

    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, verbose_name=gettext_lazy("lab class"), related_name="class_machines"
    )
    vm = models.OneToOneField(
        VirtualMachine, models.CASCADE, related_name="class_machine", verbose_name=gettext_lazy("machine")
    )
    is_kept_back = models.BooleanField(
        gettext_lazy("is kept back"),
        default=False,
        help_text=gettext_lazy("Assigned by hand only, never automatically."),
    )
    is_leaving = models.BooleanField(
        gettext_lazy("is leaving"),
        default=False,
        help_text=gettext_lazy("The machine leaves the class as soon as it is ready for somebody else."),
    )
    adopted_at = models.DateTimeField(gettext_lazy("adopted at"), default=timezone.now)
    adopted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name=gettext_lazy("adopted by"), null=True, related_name="+"
    )

    objects: ClassVar[Any] = ClassMachineQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("machine of a class")
        verbose_name_plural = gettext_lazy("machines of classes")
        ordering = ["vm__cluster_id", "vm__vmid"]

    def __str__(self) -> str:
        return f"{self.vm} · {self.lab_class}"
