"""The accounts that a teacher may unlock or give a new password: plain students of their own classes."""

from django.utils.translation import gettext as _

from accounts.models import User
from classes.models import LabClass, Membership
from vms.models import Assignment


def refusal(person: User, *, by: User) -> str:
    """Why this teacher cannot unlock the account or give it a new password, or nothing.

    Whoever gives a password can log in with it, so the account may reach nothing that is not the teacher's anyway.
    """
    general = _general_refusal(person)
    if general or (by.is_staff and by.has_perm("accounts.change_user")):
        return general
    said = {"person": person.get_username()}
    taught = LabClass.objects.taught_by(by)
    if Membership.objects.live().filter(user=person).exclude(lab_class__in=taught.values("pk")).exists():
        return _("%(person)s is also enrolled with another teacher. Ask an administrator.") % said
    held = Assignment.objects.live().filter(user=person)
    if held.exclude(vm__class_machine__lab_class__in=taught.values("pk")).exists():
        return _("%(person)s has machines outside your classes. Ask an administrator.") % said
    return ""


def _general_refusal(person: User) -> str:
    """The reasons that count for every teacher and administrator."""
    said = {"person": person.get_username()}
    if not person.is_active:
        return _("%(person)s is deactivated. Ask an administrator.") % said
    if person.signs_in_elsewhere:
        return _("The password of %(person)s is not managed by this portal. Ask an administrator.") % said
    if _has_rights(person):
        return _("The account of %(person)s has a group or permissions, so only an administrator can do this.") % said
    return ""


def _has_rights(person: User) -> bool:
    marked = person.is_staff or person.is_superuser
    listed = person.groups.exists() or person.user_permissions.exists()
    return marked or listed or person.stewarded_sets.exists()
