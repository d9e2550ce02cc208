"""Roles that come from a source: given and taken on complete answers alone. What was given here by hand stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q

from accounts.models import OutsideRole, SignInSource, User, rights_of_staff

# While a source changes somebody's groups. All other changes are a person's own.
_by_a_source: ContextVar[bool] = ContextVar("groups_changed_by_a_source", default=False)


def apply(person: User, source: SignInSource, roles: frozenset[int] | None, *, now: datetime) -> None:
    """Let the roles of this person that come from this source be these. None: nothing is known, nothing changes.

    In the caller's transaction, which has locked the person. Nobody becomes a superuser by it.
    """
    if roles is None:
        return
    known = list(OutsideRole.objects.filter(user=person).select_related("group"))
    mine = {row.group_id: row for row in known if row.source_id == source.pk}
    if mine.keys() == roles and (not roles or roles <= {*person.groups.values_list("pk", flat=True)}):
        return  # as at almost every sign-in
    with by_a_source():
        for row in mine.values():
            if row.group_id not in roles:
                _take(person, row, [other for other in known if other.pk != row.pk])
        known = [row for row in known if row.source_id != source.pk or row.group_id in roles]
        for group in Group.objects.filter(pk__in=roles).order_by("name"):
            _give(person, source, group, known, now=now)


def _give(person: User, source: SignInSource, group: Group, known: list[OutsideRole], *, now: datetime) -> None:
    of_group = [row for row in known if row.group_id == group.pk]
    has_it = person.groups.filter(pk=group.pk).exists()
    if not any(row.source_id == source.pk for row in of_group):
        by_hand = any(row.also_by_hand for row in of_group) if of_group else has_it
        row = OutsideRole(user=person, group=group, source=source, given_at=now, also_by_hand=by_hand)
        row.made_staff = not by_hand and _means_staff(group) and (not person.is_staff or _is_staff_by_source(person))
        row.save()
        if row.made_staff and not person.is_staff:
            person.is_staff = True
            person.save(update_fields=["is_staff"])
    if not has_it:
        person.groups.add(group)


def _take(person: User, row: OutsideRole, others: list[OutsideRole]) -> None:
    """Another source, or a person, may have given the same role."""
    same = [other for other in others if other.group_id == row.group_id]
    if row.also_by_hand:  # whoever said so meant the role, from wherever it comes
        OutsideRole.objects.filter(pk__in=[other.pk for other in same]).update(also_by_hand=True)
    row.delete()
    if not row.also_by_hand and not same:
        person.groups.remove(row.group)
    if row.made_staff and not _is_staff_by_source(person) and not person.is_superuser:
        person.is_staff = False
        person.save(update_fields=["is_staff"])


def _means_staff(group: Group) -> bool:
    """As imports of accounts say: a group with rights in the administration makes staff."""
    return group.permissions.filter(rights_of_staff()).exists()


def _is_staff_by_source(person: User) -> bool:
    return OutsideRole.objects.filter(user=person, made_staff=True).exists()


@contextmanager
def by_a_source() -> Iterator[None]:
    token = _by_a_source.set(True)
    try:
        yield
    finally:
        _by_a_source.reset(token)


def on_groups_changed(sender: Any, instance: Any, action: str, reverse: bool, pk_set: Any, **kwargs: Any) -> None:
    """A role that a person takes away is no role from outside any more; given again by hand, it stays."""
    if _by_a_source.get() or action not in {"post_remove", "post_clear"}:
        return
    wanted = Q(group=instance) if reverse else Q(user=instance)
    if action == "post_remove":
        wanted &= Q(user__in=pk_set) if reverse else Q(group__in=pk_set)
    OutsideRole.objects.filter(wanted).delete()


def staff_by_hand(person: User) -> None:
    """A person decided whether this account is staff: no source takes that back."""
    OutsideRole.objects.filter(user=person, made_staff=True).update(made_staff=False)
