"""First passwords: set by somebody else, shown once, stored nowhere, and changed at the first login."""

import secrets
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django_htmx.http import HttpResponseClientRedirect

from accounts import jobs
from accounts.concurrency import UNLIMITED_PATHS
from accounts.models import User
from accounts.sign_in import session

# Without letters and digits that look alike on paper: 59 bits.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

# What works meanwhile, besides the page on which it is changed.
OPEN = ("password_change", "logout", "admin:logout")


def make() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


class Changed(Exception):
    """The account got another password meanwhile, perhaps by the same click. Nothing was done."""


def state(person: User) -> str:
    """Tells one password of an account from the next, without telling anything of it."""
    return salted_hmac("accounts.first_passwords", person.password, algorithm="sha256").hexdigest()[:32]


@sensitive_variables("password", "encoded")
def give(person: User, *, seen: str) -> str:
    """A new one, by which every session ends: each is bound to the password of its login. The person is told.

    `seen` is the `state` that was confirmed: a page that is sent twice gives one password. Raises `Changed`.
    """
    password = make()
    encoded = make_password(password)  # before the transaction: nobody else can write while that lasts
    with transaction.atomic():
        person.password, person.must_change_password = encoded, True
        store(person, seen=seen)
        transaction.on_commit(partial(jobs.tell_of_new_password, person), robust=True)
    return password


def store(person: User, *, seen: str) -> None:
    """Write this person's password, and nothing else, in the place of the one that was seen. Raises `Changed`."""
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=person.pk)
        if not constant_time_compare(state(held), seen):
            raise Changed
        person.save(update_fields=["password", "must_change_password"])


def insist(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Lead who has to change the password to the page for it, and answer nothing else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path in UNLIMITED_PATHS or request.path in map(reverse, OPEN) or not _has_to_change(request):
            return get_response(request)
        there = reverse("password_change")
        if request.path.startswith("/api/"):
            return JsonResponse({"ok": False, "error": _("Change your password in the portal first.")}, status=403)
        return HttpResponseClientRedirect(there) if getattr(request, "htmx", None) else redirect(there)

    return middleware


def _has_to_change(request: HttpRequest) -> bool:
    """Nothing is asked about who has no session. Whom a source vouched for used no password of the portal."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    person = request.user
    return person.is_authenticated and person.must_change_password and session.KEY not in request.session
