"""The last step of every sign-in from outside: a session, and pages for those who do not get one."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from auditlog.models import LogEntry
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import SignInSource, User
from accounts.sign_in import session
from accounts.sign_in.entering import Refused, enter
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.joining import by_person

S = TypeVar("S", bound=SignInSource)

MOST_NEXT = 400  # characters of the page that somebody wanted: it travels in a cookie


@dataclass(frozen=True)
class Joining:
    """Somebody who is logged in, and proved by their password that it is them, joins their account."""

    user: int
    keep_password: bool


def active_or_404(kind: type[S], name: str) -> S:
    found: S | None = kind.objects.filter(name=name, is_active=True).first()
    if found is None:
        raise Http404
    return found


def next_page(request: HttpRequest) -> str:
    """The page of the portal that was asked for. Empty: none, or it is elsewhere."""
    wanted = request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours and len(wanted) <= MOST_NEXT else ""


def let_in(
    request: HttpRequest,
    source: SignInSource,
    person: OutsidePerson,
    next_page: str,
    *,
    now: datetime,
    joining: Joining | None = None,
) -> HttpResponse:
    """A session for this person, or the account that is logged in joined with them. Raises `Refused`."""
    if joining:
        return _join(request, source, person, joining, now)
    session.begin(request, enter(source, person, now=now), source)
    return redirect(next_page or resolve_url(settings.LOGIN_REDIRECT_URL))


def _join(
    request: HttpRequest, source: SignInSource, person: OutsidePerson, joining: Joining, now: datetime
) -> HttpResponse:
    user = User.objects.get(pk=joining.user)
    by_person(source, person, user=user, keep_password=joining.keep_password, now=now)
    user.refresh_from_db()
    session.begin(request, user, source)  # the one before ended with the password
    messages.success(request, _("You can now log in with %(source)s.") % {"source": source.label})
    return redirect("profile")


def refused_page(
    request: HttpRequest, source: SignInSource, refused: Refused, next_page: str, *, is_joining: bool = False
) -> HttpResponse:
    return problem_page(request, source, refused.sentence.rendered, next_page, status=403, is_joining=is_joining)


def problem_page(
    request: HttpRequest,
    source: SignInSource,
    sentence: str,
    next_page: str,
    *,
    status: int = 403,
    is_over: bool = False,
    is_joining: bool = False,
) -> HttpResponse:
    """Says what happened and offers to go on: again, another way, or to where an ended sign-in led."""
    shown: dict[str, object] = {"source": source, "sentence": sentence, "next": next_page}
    shown |= {"is_over": is_over, "is_joining": is_joining, "is_down": status == HTTPStatus.SERVICE_UNAVAILABLE}
    return render(request, "sign_in/problem.html", shown, status=status)


def record_refusal(source: SignInSource, code: str) -> None:
    """In the audit trail, beside the address that it came from."""
    audit.record_many([(source, {"refused": ("", code)})], action=LogEntry.Action.ACCESS)
