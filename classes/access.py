"""The table of rights (docs/classes.md), and who has which of them in a class. What is not his is not there."""

from enum import StrEnum
from typing import Any, NamedTuple

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from accounts.compiled_queries import CompiledQuery, exist_and_count
from accounts.confirmation import may_not_teach
from accounts.models import User
from classes.models import LabClass, Membership
from vms.models import ClusterGrant, HelpRequest, MachineSet


class Role(StrEnum):
    MEMBER = "member"
    CO_OWNER = "co-owner"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    SEE = "see"
    RUN = "run"  # lesson, settings, people, machines of the granted pools, invites
    OWN = "decide about teachers"  # co-owners, a new owner, deletion
    GRANT = "pass on a grant"  # of his own, to the class


TABLE: dict[Right, frozenset[Role]] = {
    Right.SEE: frozenset({Role.MEMBER, Role.CO_OWNER, Role.OWNER, Role.ADMINISTRATOR}),
    Right.RUN: frozenset({Role.CO_OWNER, Role.OWNER, Role.ADMINISTRATOR}),
    Right.OWN: frozenset({Role.OWNER, Role.ADMINISTRATOR}),
    Right.GRANT: frozenset({Role.OWNER}),
}


def is_administrator(user: User) -> bool:
    return user.is_active and user.is_staff and user.has_perm("classes.change_labclass")


def roles(user: User, lab_class: LabClass) -> set[Role]:
    mine = set()
    if is_administrator(user):
        mine.add(Role.ADMINISTRATOR)
    if lab_class.owner_id == user.pk:
        mine.add(Role.OWNER)
    elif lab_class.co_owners.filter(pk=user.pk).exists():
        mine.add(Role.CO_OWNER)
    if Membership.objects.joined().filter(lab_class=lab_class, user=user).exists():
        mine.add(Role.MEMBER)
    return mine


def may(user: User, lab_class: LabClass, right: Right) -> bool:
    return bool(user.is_active and roles(user, lab_class) & TABLE[right])


def visible_to(user: User) -> QuerySet[LabClass]:
    classes: QuerySet[LabClass] = LabClass.objects.select_related("owner", "machine_set")
    if is_administrator(user):
        return classes
    mine = LabClass.objects.taught_by(user).values("pk"), LabClass.objects.joined_by(user).values("pk")
    return classes.filter(Q(pk__in=mine[0]) | Q(pk__in=mine[1]))


def class_or_404(user: User, pk: int, right: Right) -> LabClass:
    """A class in which he has this right. 404 for a foreign one and for a student at a teacher's page; 403 for who
    runs it, but lacks this."""
    lab_class = get_object_or_404(visible_to(user), pk=pk)
    mine = roles(user, lab_class)
    if mine & TABLE[right]:
        return lab_class
    if mine & TABLE[Right.RUN]:
        raise PermissionDenied
    get_object_or_404(LabClass.objects.none(), pk=pk)
    raise AssertionError


def is_student(user: User, lab_class: LabClass) -> bool:
    """Whether somebody takes part in it, or is on its list."""
    return bool(Membership.objects.live().filter(lab_class=lab_class, user=user).exists())


def co_owner_refusal(person: User, lab_class: LabClass, *, by: User) -> str:
    """Why this person cannot decide that the other one runs the class, or nothing."""
    if not person.may_teach:
        return may_not_teach([person])
    if is_student(person, lab_class) and not is_administrator(by):
        text = _("%(person)s is a student of this class. Only an administrator can make a student co-owner or owner.")
        return text % {"person": person.get_username()}
    return ""


def may_create(user: User) -> bool:
    return user.has_perm("classes.add_labclass")


def own_grants(user: User) -> QuerySet[ClusterGrant]:
    """What he may hand on to a class: what an administrator gave to himself."""
    grants: QuerySet[ClusterGrant] = ClusterGrant.objects.filter(user=user, cluster__is_active=True)
    return grants.select_related("cluster")


class Navigation(NamedTuple):
    """What the top of every page depends on. `asked` is how many ask for help at machines that one looks after."""

    shows_classes: bool = False
    looks_after: bool = False
    asked: int = 0


def navigation(user: User) -> Navigation:
    """Whether he has a class or may make one, whether he looks after machines, and who needs him there. One query."""
    if not user.is_authenticated:
        return Navigation()
    wanted = (_reasons_for_classes, _looked_after)
    (has_classes, looks_after), asked = exist_and_count(user.pk, exist=wanted, counted=_asking)
    return Navigation(has_classes or user.is_superuser, looks_after, asked)


def _why_classes_are_shown(person: int) -> QuerySet[Any, Any]:
    right = {"permission__content_type__app_label": "classes", "permission__codename": "add_labclass"}
    reasons = [
        Membership.objects.joined().filter(user=person),
        LabClass.objects.filter(owner=person),
        LabClass.co_owners.through.objects.filter(user=person),
        Group.permissions.through.objects.filter(group__user=person, **right),
        User.user_permissions.through.objects.filter(user=person, **right),
    ]
    first, *others = (reason.order_by().values("pk") for reason in reasons)
    return first.union(*others, all=True).order_by()  # Django 6.1 would take the model's order, of other columns


def _sets_looked_after(person: int) -> QuerySet[Any, Any]:
    return MachineSet.stewards.through.objects.filter(user=person).order_by().values("pk")


def _asking_for_help(person: int) -> QuerySet[Any, Any]:
    asking: QuerySet[Any, Any] = HelpRequest.objects.for_manager(person).order_by().values("pk")
    return asking


_reasons_for_classes = CompiledQuery(_why_classes_are_shown)
_looked_after = CompiledQuery(_sets_looked_after)
_asking = CompiledQuery(_asking_for_help)
