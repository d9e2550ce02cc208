"""Sends a notice of a stop by mail, where the class wants it: once when it is given, and once as a reminder."""

import logging
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core import mail
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from classes.models import RunningRules, StopNotice
from classes.timetable import notices
from vms.worker.tasks import job

logger = logging.getLogger(__name__)


def mail_due(notice: StopNotice, rules: RunningRules | None, person: int | None, now: datetime) -> bool:
    """Enqueue the mail that is due for this notice, if any, once. `person` is who has the machine."""
    if not (settings.EMAIL_URL and person and rules and rules.sends_mail):
        return False
    field = "reminder_mailed_at" if notices.as_facts(notice).is_reminder else "mailed_at"
    if not StopNotice.objects.filter(pk=notice.pk, **{field: None}).update(**{field: now}):
        return False
    mail_stop_notice.enqueue(notice.pk, person)
    return True


@job(queue="clusters", module="classes.jobs")
def mail_stop_notice(notice_pk: int, person_pk: int) -> None:
    """Only what still holds when it is sent."""
    person = User.objects.filter(pk=person_pk, is_active=True).exclude(email="").first()
    if person is None:
        return
    with timezone.override(person.time_zone or None), translation.override(person.language or None):
        shown = next((one for one in notices.shown_to(person) if one.pk == notice_pk), None)
        if shown is None:
            return  # it is over, or the machine is somebody else's
        subject = _("[Lab Portal] %(machine)s will be shut down") % {"machine": shown.name}
        text = f"{shown.text}\n\n{_('You can keep it on for an hour in the portal:')}\n{settings.PORTAL_URL}"
        try:
            mail.EmailMessage(subject, text, to=[person.email]).send()
        except (OSError, SMTPException, ValueError) as error:  # ValueError: no address of mail
            logger.warning("%s could not be told by mail: %s", person.get_username(), type(error).__name__)
