"""Locks a user name at an address for 15 minutes after 5 wrong passwords (the `AXES_…` settings), with django-axes."""

import ipaddress
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.db.models import Q, Sum
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledByKey
from accounts.models import MAX_NAME, User
from accounts.sign_in import directories


def client_address(request: HttpRequest) -> str | None:
    """The address that the server vouches for; nothing when it is none. Headers that a client can write never count.

    Proxies write `unknown`, `_hidden` or a name where they know or tell no address, and the server passes that on.
    """
    return _address(str(request.META.get("REMOTE_ADDR", "")))


def _address(given: str) -> str | None:
    try:
        address = ipaddress.ip_address(given.partition("%")[0])  # without the zone of fe80::1%eth0
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


# In the scope of a request, what `labportal.asgi` saw before any header changed it: the address of the connection.
PEER = "labportal.peer"


def peer_address(request: HttpRequest) -> str | None:
    """Who the portal talks to: a proxy, where there is one. None: unknown, and then nobody's."""
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    given = str(request.META.get("REMOTE_ADDR", "")) if scope is None else str(scope.get(PEER, ""))
    return _address(given)


def known_username(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The name to count by: as stored for a person, a digest for anything else.

    People type their password into the name field; what nobody is called must not be kept in the clear.
    """
    typed = str((credentials or {}).get("username") or request.POST.get("username", ""))[:MAX_NAME]
    known: dict[str, str] = request.__dict__.setdefault("_known_usernames", {})  # a login asks four times
    if typed not in known and (person := User.objects.named(typed).values_list("username", flat=True)):
        known[typed] = person[0]
    digest = salted_hmac("accounts.lockout", typed.lower(), secret=settings.SECRET_KEY)
    return known.get(typed) or f"unknown:{digest.hexdigest()[:24]}"


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts failures without an address by the name alone: a guesser is slowed down, and nobody else is locked.

    To the database no two missing addresses are the same, so two processes may each make a row of the same failures.
    """

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        try:
            super().user_login_failed(sender, credentials, request, **kwargs)
        except AccessAttempt.MultipleObjectsReturned:
            _make_one(known_username(request, credentials) if request else "")
            super().user_login_failed(sender, credentials, request, **kwargs)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        """Most people have failed at nothing: then nothing is deleted, and no transaction is begun for it."""
        failed, expired = Q(username=user.get_username()), Q(attempt_time__lte=get_cool_off_threshold(request))
        if AccessAttempt.objects.filter(failed | expired).exists():
            super().user_logged_in(sender, request, user, **kwargs)


@receiver(pre_save, sender=AccessAttempt)
def _keep_no_request(instance: AccessAttempt, **kwargs: Any) -> None:
    """What was sent may hold anything: only names that django-axes knows are masked by it."""
    instance.get_data = instance.post_data = ""


def _make_one(username: str) -> None:
    """Merges the rows without an address: one is left for each browser."""
    with transaction.atomic():
        rows = AccessAttempt.objects.select_for_update().filter(username=username, ip_address=None)
        for agent in set(rows.values_list("user_agent", flat=True)):
            mine = rows.filter(user_agent=agent).order_by("-attempt_time", "pk")
            failures = mine.aggregate(total=Sum("failures_since_start"))["total"]
            first, *others = mine.values_list("pk", flat=True)
            AccessAttempt.objects.filter(pk=first).update(failures_since_start=failures)
            AccessAttempt.objects.filter(pk__in=others).delete()


_ACTIVE: "CompiledByKey[User]" = CompiledByKey(
    lambda pk: User.objects.filter(pk=pk, is_active=True), key=SENTINEL_NUMBER
)


class RecheckingBackend(ModelBackend):
    """Asks for the lock again when the password was right.

    The lock is looked at before the password is computed, which takes a while, and failures are counted after it:
    who sends many guesses at once would have all of them tried.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        if username and directories.active(request) and directories.local_account(request, username) is None:
            return None  # a directory keeps the password, so nothing is hashed here
        person = super().authenticate(request, username, password, **kwargs)
        if person is None or request is None or AxesProxyHandler.is_allowed(request, {"username": username}):
            return person
        return None

    def get_user(self, user_id: int) -> User | None:
        """As Django's own backend does."""
        return _ACTIVE.first(user_id)
