"""Notes when somebody logged in."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import User


@receiver(user_logged_in, dispatch_uid="update_last_login")
def note_login(user: User, **kwargs: Any) -> None:
    """In one statement. Under this id Django would connect its own, which reads the person again for the audit log."""
    user.last_login = timezone.now()
    User.objects.filter(pk=user.pk).update(last_login=user.last_login)
