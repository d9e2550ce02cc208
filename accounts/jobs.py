"""Background jobs about people: they send mail, and forget what is old."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core import mail
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django_tasks import task

from accounts.models import ApiToken, IdempotentCall, User

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


# Before its end, people are told that a token expires; so long after it, its row is deleted.
WARNED_BEFORE = timedelta(days=7)
ENDED_TOKENS_KEPT = timedelta(days=90)


def forget_idempotent_calls() -> None:
    IdempotentCall.objects.filter(created_at__lte=timezone.now() - IdempotentCall.KEPT).delete()


def forget_ended_tokens() -> None:
    ApiToken.objects.filter(expires_at__lte=timezone.now() - ENDED_TOKENS_KEPT).delete()


def warn_of_expiring_tokens() -> None:
    """One mail for each token, if there is a mail server. Of several workers, one writes it."""
    now = timezone.now()
    due = ApiToken.objects.live(now).filter(warned_at=None, expires_at__lte=now + WARNED_BEFORE, owner__is_active=True)
    if not settings.EMAIL_URL:
        return
    for token in due.exclude(owner__email="").select_related("owner"):
        if ApiToken.objects.filter(pk=token.pk, warned_at=None).update(warned_at=now):
            _warn(token)


def _warn(token: ApiToken) -> None:
    """Nothing of the token itself is in it."""
    owner = token.owner
    with translation.override(owner.language or None):
        subject = _("[Lab Portal] API token expires")
        text = _("Your API token “%(name)s” expires on %(day)s. Create another one if a program still needs it.")
        facts = {"name": token.name, "day": timezone.localtime(token.expires_at).date().isoformat()}
        where = f"{settings.PORTAL_URL}{reverse('profile-tokens')}" if settings.PORTAL_URL else ""
        letter = mail.EmailMessage(subject, f"{text % facts}\n\n{where}".strip(), to=[owner.email])
        try:
            letter.send()
        except (OSError, SMTPException, ValueError) as error:
            logger.warning("%s could not be told by mail: %s", owner.get_username(), type(error).__name__)
