"""Earlier machines: kept for some days after a re-image, and removed only some days after people were told by mail."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core import mail
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User
from vms.models import Assignment, MachineSet, MadeMachine
from vms.provisioning import removal

logger = logging.getLogger(__name__)

State = MadeMachine.State

# How long before its removal people are told.
NOTICE = timedelta(days=3)


def of_group(group: MachineSet) -> QuerySet[MadeMachine]:
    """Those whose runs were for this group, the next to be removed first."""
    rows = MadeMachine.objects.unremoved().filter(run__machine_set=group, state=State.EARLIER)
    found: QuerySet[MadeMachine] = rows.select_related("vm", "run__template").order_by("keep_until", "pk")
    return found


def tell_about_due() -> int:
    """Tell people about earlier machines that will be removed in three days. Returns of how many.

    A machine of which nobody could be told is kept. The worker calls it.
    """
    soon = timezone.now() + NOTICE
    due = MadeMachine.objects.unremoved().filter(state=State.EARLIER, warned_at=None, keep_until__lte=soon)
    told = 0
    for made in due.select_related("run__machine_set", "vm"):
        told += _tell(made)
    return told


def remove_due() -> int:
    """Have those removed whose time is over, in the name of whoever re-imaged them. Returns how many.

    The removal looks at each one again before it destroys anything. The worker calls it.
    """
    removed = 0
    for made in removable().exclude(vm__assignments__ended_at=None, vm__assignments__isnull=False):
        last = made.replaced_by.select_related("run__requested_by").order_by("-created_at").first()
        if last and last.run.requested_by:
            removed += removal.begin(removable().filter(pk=made.pk), by=last.run.requested_by)
    return removed


def removable() -> QuerySet[MadeMachine]:
    """Earlier machines whose time is over, and of which people were told three days ago at least."""
    now = timezone.now()
    rows = MadeMachine.objects.unremoved().filter(state=State.EARLIER, keep_until__lte=now)
    found: QuerySet[MadeMachine] = rows.filter(warned_at__lte=now - NOTICE)
    return found


def _tell(made: MadeMachine) -> bool:
    """Whether at least one person was told, so that the machine may go."""
    if not settings.EMAIL_URL:
        return False
    # First, so that two workers do not both tell; taken back when nobody was reached.
    mine = MadeMachine.objects.filter(pk=made.pk, state=State.EARLIER, warned_at=None)
    if not mine.update(warned_at=timezone.now()):
        return False
    if sum(_send(made, person) for person in _people(made)):
        return True
    MadeMachine.objects.filter(pk=made.pk).update(warned_at=None)
    return False


def _people(made: MadeMachine) -> list[User]:
    """The managers of the group, and the person who had the machine."""
    last = Assignment.objects.filter(vm=made.vm_id or 0).order_by("-assigned_at", "-pk").values("user")[:1]
    people = User.objects.filter(is_active=True).exclude(email="")
    managers = people.filter(stewarded_sets=made.run.machine_set_id)
    return list(managers.union(people.filter(pk__in=list(last.values_list("user", flat=True)))))


def _send(made: MadeMachine, person: User) -> bool:
    with translation.override(person.language or None):
        until = max(made.keep_until or timezone.now(), timezone.now() + NOTICE)
        day = date_format(timezone.localtime(until), "Y-m-d")
        text = _(
            "The earlier machine %(name)s of %(group)s (VMID %(vmid)s) was replaced and will be removed after %(day)s. "
            "Its disk will be lost. If you need it, ask the teacher of the class to bring it back before that day."
        ) % {"name": made.name, "group": made.run.machine_set.title, "vmid": made.vmid, "day": day}
        where = f"{settings.PORTAL_URL}{reverse('vms-set-earlier', args=[made.run.machine_set_id])}"
        subject = _("[Lab Portal] %(name)s will be removed") % {"name": made.name}
        letter = mail.EmailMessage(subject, f"{text}\n\n{where if settings.PORTAL_URL else ''}", to=[person.email])
        try:
            return bool(letter.send())
        except (OSError, SMTPException, ValueError) as error:  # ValueError: no address of mail
            logger.warning("%s could not be told by mail: %s", person.get_username(), type(error).__name__)
            return False
