"""The table of rights (docs/classes.md) and who has which in a class. Pages answer 404 for other people's classes."""

from collections.abc import Callable
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
from classes.models import LabClass, Membership, StopNotice
from vms.models import Assignment, ClusterGrant, HelpRequest, MachineSet


class Role(StrEnum):
    MEMBER = "member"
    CO_OWNER = "co-owner"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Right(StrEnum):
    SEE = "see"
    RUN = "run"  # lesson, settings, people, machines of the granted pools, invites
    OWN = "decide about teachers"  # co-owners, a new owner, deletion
    GRANT = "pass on a grant"  # of their own, to the class


TABLE: dict[Right, frozenset[Role]] = {
    Right.SEE: frozenset(Role),
    Right.RUN: frozenset({Role.CO_OWNER, Role.OWNER, Role.ADMINISTRATOR}),
    Right.OWN: frozenset({Role.OWNER, Role.ADMINISTRATOR}),
    Right.GRANT: frozenset({Role.OWNER}),
}


def is_administrator(user: User) -> bool:
    return user.is_active and user.is_staff and user.has_perm("classes.change_labclass")


def sees_all(user: User) -> bool:
    """Staff who may look at every class, whether or not they may change one."""
    return user.is_active and user.is_staff and user.has_perm("classes.view_labclass")


def _is_owner(user: User, lab_class: LabClass) -> bool:
    return lab_class.owner_id == user.pk


def _is_co_owner(user: User, lab_class: LabClass) -> bool:
    return not _is_owner(user, lab_class) and lab_class.co_owners.filter(pk=user.pk).exists()


def _is_member(user: User, lab_class: LabClass) -> bool:
    return bool(Membership.objects.joined().filter(lab_class=lab_class, user=user).exists())


# In the order of their cost: a right is found with the first role that gives it.
ROLES: dict[Role, Callable[[User, LabClass], bool]] = {
    Role.OWNER: _is_owner,
    Role.ADMINISTRATOR: lambda user, _lab_class: is_administrator(user),
    Role.AUDITOR: lambda user, _lab_class: sees_all(user),
    Role.CO_OWNER: _is_co_owner,
    Role.MEMBER: _is_member,
}


def roles(user: User, lab_class: LabClass) -> set[Role]:
    return {role for role, holds in ROLES.items() if holds(user, lab_class)}


def may(user: User, lab_class: LabClass, right: Right) -> bool:
    return user.is_active and any(role in TABLE[right] and holds(user, lab_class) for role, holds in ROLES.items())


def visible_to(user: User) -> QuerySet[LabClass]:
    classes: QuerySet[LabClass] = LabClass.objects.select_related("owner", "machine_set")
    if is_administrator(user) or sees_all(user):
        return classes
    mine = LabClass.objects.taught_by(user).values("pk"), LabClass.objects.joined_by(user).values("pk")
    return classes.filter(Q(pk__in=mine[0]) | Q(pk__in=mine[1]))


def class_or_404(user: User, pk: int, right: Right) -> LabClass:
    """A class in which the user has this right. 404 for somebody else's class, and for a student on a teacher's page;
    403 for somebody who runs the class but lacks this right."""
    lab_class = get_object_or_404(visible_to(user), pk=pk)
    if may(user, lab_class, right):
        return lab_class
    if may(user, lab_class, Right.RUN):
        raise PermissionDenied
    get_object_or_404(LabClass.objects.none(), pk=pk)
    raise AssertionError


def is_student(user: User, lab_class: LabClass) -> bool:
    """Whether the user is a member of the class, or on its roster."""
    return bool(Membership.objects.live().filter(lab_class=lab_class, user=user).exists())


def co_owner_refusal(person: User, lab_class: LabClass, *, by: User) -> str:
    """Why the person cannot be made a teacher of the class by somebody. Empty: they can."""
    if not person.may_teach:
        return may_not_teach([person])
    if is_student(person, lab_class) and not is_administrator(by):
        text = _("%(person)s is a student of this class. Only an administrator can make a student co-owner or owner.")
        return text % {"person": person.get_username()}
    return ""


def may_create(user: User) -> bool:
    return user.has_perm("classes.add_labclass")


def own_grants(user: User) -> QuerySet[ClusterGrant]:
    """The grants that the user may pass on to a class: those that an administrator gave them."""
    grants: QuerySet[ClusterGrant] = ClusterGrant.objects.filter(user=user, cluster__is_active=True)
    return grants.select_related("cluster")


class Navigation(NamedTuple):
    """Data for the header of every page. `help_requests`: the number open at machines that the user manages.

    `stop_notices`: whether a machine of the user is about to be shut down.
    """

    shows_classes: bool = False
    manages_machines: bool = False
    help_requests: int = 0
    stop_notices: bool = False


def navigation(user: User) -> Navigation:
    """In one query: whether the user has a class or may create one, manages machines, and has help requests there."""
    if not user.is_authenticated:
        return Navigation()
    wanted = (_class_query, _group_query, _notice_query)
    (has_classes, manages_machines, stop_notices), help_requests = exist_and_count(
        user.pk, exist=wanted, counted=_help_query
    )
    return Navigation(has_classes or sees_all(user), manages_machines, help_requests, stop_notices)


def _reasons_to_show_classes(person: int) -> QuerySet[Any, Any]:
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


def _groups_managed_by(person: int) -> QuerySet[Any, Any]:
    return MachineSet.stewards.through.objects.filter(user=person).order_by().values("pk")


def _open_help_requests(person: int) -> QuerySet[Any, Any]:
    asking: QuerySet[Any, Any] = HelpRequest.objects.for_manager(person).order_by().values("pk")
    return asking


def _open_stop_notices(person: int) -> QuerySet[Any, Any]:
    mine = Assignment.objects.live().filter(user=person).values("vm")
    return StopNotice.objects.filter(ended_at=None, operation=None, vm__in=mine).order_by().values("pk")


_notice_query = CompiledQuery(_open_stop_notices)
_class_query = CompiledQuery(_reasons_to_show_classes)
_group_query = CompiledQuery(_groups_managed_by)
_help_query = CompiledQuery(_open_help_requests)
