"""Places in classes that come from groups of a sign-in source.

Only complete lists of groups count. Who joined in another way, or was put into the class by a person, is never taken
out by a rule, and whom a person took out is not put in again. Leaving takes nothing away: a machine stays with its
person until somebody decides.
"""

from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import SignInSource, User
from accounts.sign_in import rules
from accounts.sign_in.facts import OutsidePerson
from classes.enrolment import membership, waiting_list
from classes.models import ClassSignInRule, LabClass, Membership


class Known(NamedTuple):
    """What decides of a membership."""

    pk: int
    lab_class_id: int
    source_id: int | None
    joined_at: datetime | None
    left_at: datetime | None
    left_by_rule: bool


def apply(user: User, source: SignInSource, person: OutsidePerson, now: datetime) -> None:
    """Let this person be in the classes of their groups. Where nothing changes, it takes two queries and no lock."""
    wanted, known = _wanted(source, person), _known(user)
    for row in _leaving(wanted, known, source):
        _leave(row.pk, now)
    for lab_class in _new(wanted, known):
        _enter(lab_class, user, source)


def foresee(source: SignInSource, person: OutsidePerson) -> list[str]:
    """What `apply` would do, in sentences."""
    user = User.objects.filter(identities__source=source, identities__subject=person.subject).first()
    wanted, known = _wanted(source, person), _known(user) if user else []
    leaves = {row.lab_class_id for row in _leaving(wanted, known, source)}
    stays = {row.lab_class_id for row in known if row.left_at is None and row.lab_class_id in wanted}
    names = LabClass.objects.in_bulk(leaves | stays)
    told = [_("Joins %(name)s.") % {"name": one.name} for one in _new(wanted, known)]
    told += [_("Is in %(name)s already.") % {"name": names[key].name} for key in sorted(stays)]
    return told + [_("Leaves %(name)s.") % {"name": names[key].name} for key in sorted(leaves)]


def _wanted(source: SignInSource, person: OutsidePerson) -> set[int]:
    """The keys of classes of the person's groups that have not ended."""
    if person.groups is None:
        return set()
    is_directory = source.kind == SignInSource.Kind.DIRECTORY
    of_source = ClassSignInRule.objects.filter(source=source, lab_class__ended_at=None).order_by()
    return {
        key
        for value, key in of_source.values_list("value", "lab_class_id")
        if rules.is_among(value, person.groups, directory=is_directory)
    }


def _known(user: User) -> list[Known]:
    rows = Membership.objects.filter(user=user, lab_class__ended_at=None).order_by()
    return [Known(*row) for row in rows.values_list(*Known._fields)]


def _leaving(wanted: set[int], known: list[Known], source: SignInSource) -> list[Known]:
    live = [row for row in known if row.left_at is None and row.source_id == source.pk]
    return [row for row in live if row.lab_class_id not in wanted]


def _new(wanted: set[int], known: list[Known]) -> list[LabClass]:
    """Without classes the person is in, without those a person took them out of, and without those that are over."""
    there = {row.lab_class_id for row in known if row.left_at is None and row.joined_at}
    taken_out = {row.lab_class_id for row in known if row.left_at is not None and not row.left_by_rule}
    new = wanted - there - taken_out
    return [one for one in LabClass.objects.filter(pk__in=new).order_by("pk") if not one.is_over] if new else []


def _enter(lab_class: LabClass, user: User, source: SignInSource) -> None:
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        row = Membership.objects.live().filter(lab_class=locked, user=user).first()
        if row and row.joined_at:
            return
        # Somebody whom a teacher had listed joins by that: no rule takes them out again.
        new = Membership(lab_class=locked, user=user, source=source) if row is None else row
        membership.enrol(locked, user, new)
        waiting_list.assign_free_machines(locked)


def _leave(key: int, now: datetime) -> None:
    """The membership ends. Its machine stays as it is, and with whom it is."""
    with transaction.atomic():
        row = Membership.objects.select_related("lab_class").get(pk=key)
        locked = waiting_list.lock(row.lab_class)
        live = Membership.objects.live().filter(pk=key).first()
        if live:
            live.left_at, live.waiting_since, live.left_by_rule = now, None, True
            live.save(update_fields=["left_at", "waiting_since", "left_by_rule"])
            locked.machine_set.members.remove(row.user_id)
