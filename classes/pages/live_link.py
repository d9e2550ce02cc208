"""The tab *Live* is the page of a class's machine group (`vms.pages.group_links`)."""

from django.urls import reverse

from accounts.models import User
from classes import access
from classes.access import Right
from classes.models import LabClass
from vms.models import MachineSet


def live_url(group: MachineSet, user: User) -> str | None:
    """The URL of the tab *Live*, for a person who runs the class of this group."""
    if not group.is_managed:
        return None
    lab_class = LabClass.objects.filter(machine_set=group).first()
    if lab_class is None or not access.may(user, lab_class, Right.RUN):
        return None
    return reverse("classes-live", args=[lab_class.pk])
