"""What django-axes counts failures by."""

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import sessions
from accounts.models import MAX_NAME, User


def client_address(request: HttpRequest) -> str:
    """The address that the server vouches for. Headers that a client can write never count."""
    return str(request.META.get("REMOTE_ADDR", ""))


def known_username(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The name to count by: as stored for a person, a digest for anything else.

    People type their password into the name field; what nobody is called must not be kept in the clear.
    """
    typed = str((credentials or {}).get("username") or request.POST.get("username", ""))[:MAX_NAME]
    person = User.objects.filter(username__iexact=typed).values_list("username", flat=True).first()
    return (
        person
        or "unknown:" + salted_hmac("accounts.lockout", typed.lower(), secret=settings.SECRET_KEY).hexdigest()[:24]
    )


class RecheckingBackend(ModelBackend):
    """Asks for the lock again when the password was right.

    The lock is looked at before the password is computed, which takes a while, and failures are counted after it:
    who sends many guesses at once would have all of them tried.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        person = super().authenticate(request, username, password, **kwargs)
        if person is None or request is None or AxesProxyHandler.is_allowed(request, {"username": username}):
            return person
        return None

    def get_user(self, user_id: int) -> User | None:
        person: User | None = sessions.take(user_id)
        if person is None:
            return super().get_user(user_id)
        return person if self.user_can_authenticate(person) else None
