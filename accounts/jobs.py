"""Background jobs about people: they send mail."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core import mail
from django.utils import translation
from django.utils.translation import gettext as _
from django_tasks import task

from accounts.models import User

logger = logging.getLogger(__name__)


def tell_of_new_password(person: User) -> None:
    """If there is a mail server, and an address. The page on which the password is changed says it as well."""
    if settings.EMAIL_URL and person.email:
        mail_of_new_password.enqueue(person.pk)


@task(queue_name="clusters")
def mail_of_new_password(person_pk: int) -> None:
    """The password itself is in no mail."""
    person = User.objects.filter(pk=person_pk, is_active=True).exclude(email="").first()
    if person is None:
        return
    with translation.override(person.language or None):
        text = _(
            "A teacher or an administrator set a new first password for your account %(name)s. All devices are "
            "logged out. At your next login you choose your own password.\n\nIf you did not ask for this, tell the "
            "lab's administrators."
        ) % {"name": person.get_username()}
        letter = mail.EmailMessage(
            _("[Lab Portal] New password"), f"{text}\n\n{settings.PORTAL_URL}", to=[person.email]
        )
        try:
            letter.send()
        except (OSError, SMTPException, ValueError) as error:  # ValueError: no address of mail
            logger.warning("%s could not be told by mail: %s", person.get_username(), type(error).__name__)
