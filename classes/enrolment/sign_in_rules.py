"""Places in classes that come from groups of a sign-in source.

Only complete lists of groups count. Who joined in another way, or was put into the class by a person, is never taken
out by a rule, and whom a person took out is not put in again. Leaving takes nothing away: a machine stays with its
person until somebody decides.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import SignInSource, User
from accounts.sign_in import rules
from accounts.sign_in.facts import OutsidePerson
from classes.enrolment import membership, waiting_list
from classes.models import ClassSignInRule, LabClass, Membership


def apply(user: User, source: SignInSource, person: OutsidePerson, now: datetime) -> None:
    """Let this person be in the classes of their groups. Where nothing changes, it takes two queries and no lock."""
    wanted, known = _wanted(source, person), _known(user)
    for row in known:
        if row.left_at is None and row.source_id == source.pk and row.lab_class_id not in wanted:
            _leave(row, now)
    for lab_class in _new(wanted, known):
        _enter(lab_class, user, source)


def foresee(source: SignInSource, person: OutsidePerson) -> list[str]:
    """What `apply` would do, in sentences."""
    user = User.objects.filter(identities__source=source, identities__subject=person.subject).first()
    wanted, known = _wanted(source, person), _known(user) if user else []
    new = [lab_class.pk for lab_class in _new(wanted, known)]
    told = [_("Joins %(name)s.") % {"name": one.name} for one in wanted.values() if one.pk in new]
    live = [row for row in known if row.left_at is None]
    stays = [row.lab_class.name for row in live if row.lab_class_id in wanted]
    leaves = [row.lab_class.name for row in live if row.source_id == source.pk and row.lab_class_id not in wanted]
    told += [_("Is in %(name)s already.") % {"name": name} for name in stays]
    return told + [_("Leaves %(name)s.") % {"name": name} for name in leaves]


def _wanted(source: SignInSource, person: OutsidePerson) -> dict[int, LabClass]:
    """By key, the classes of the person's groups that are not over."""
    if person.groups is None:
        return {}
    is_directory = source.kind == SignInSource.Kind.DIRECTORY
    of_source = ClassSignInRule.objects.filter(source=source, lab_class__ended_at=None).select_related("lab_class")
    return {
        rule.lab_class_id: rule.lab_class
        for rule in of_source
        if rules.is_among(rule.value, person.groups, directory=is_directory) and not rule.lab_class.is_over
    }


def _known(user: User) -> list[Membership]:
    return list(Membership.objects.filter(user=user, lab_class__ended_at=None).select_related("lab_class"))


def _new(wanted: dict[int, LabClass], known: list[Membership]) -> Iterable[LabClass]:
    """Without classes the person is in, and without those a person took them out of."""
    there = {row.lab_class_id for row in known if row.left_at is None and row.joined_at}
    taken_out = {row.lab_class_id for row in known if row.left_at is not None and not row.left_by_rule}
    return [one for key, one in sorted(wanted.items()) if key not in there | taken_out]


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


def _leave(row: Membership, now: datetime) -> None:
    """The membership ends. Its machine stays as it is, and with whom it is."""
    with transaction.atomic():
        locked = waiting_list.lock(row.lab_class)
        live = Membership.objects.live().filter(pk=row.pk).first()
        if live:
            live.left_at, live.waiting_since, live.left_by_rule = now, None, True
            live.save(update_fields=["left_at", "waiting_since", "left_by_rule"])
            locked.machine_set.members.remove(row.user_id)
