"""Requests of logged-in users, the decorator that lets nobody else in, and the objects of administration pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.contrib.auth.decorators import login_required as django_login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import User

View = Callable[..., HttpResponse]


class AuthenticatedHttpRequest(HttpRequest):
    """The request of a view behind `login_required`."""

    user: User
    htmx: Any


def login_required(view: View) -> View:
    """Redirect anonymous visitors to the login page; a request by htmx takes the whole page there."""

    @wraps(view)
    @never_cache  # a lab's computers have the next person in front of them soon
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        htmx: Any = getattr(request, "htmx", None)
        if htmx and not request.user.is_authenticated:
            back = htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
            return HttpResponseClientRedirect(f"{redirect_to_login(back).url}&ended=1")
        if not request.user.is_authenticated and request.method == "POST" and (page := _page_of_form(request)):
            return redirect(f"{redirect_to_login(page).url}&ended=1")
        return django_login_required(view)(request, *args, **kwargs)

    return wrapper


def _page_of_form(request: HttpRequest) -> str:
    """The page with the form that was sent: the address that the form is sent to often has no page. Empty: unknown."""
    page = urlsplit(request.headers.get("Referer", ""))
    return urlunsplit(("", "", page.path, page.query, "")) if page.netloc == request.get_host() else ""


def changeable_or_404(model_admin: ModelAdmin[Any], request: HttpRequest, pk: int) -> Any:
    """The object of a page of the administration. Raises `PermissionDenied` for people who may not change it."""
    found = model_admin.get_object(request, str(pk))
    if found is None:
        raise Http404
    if not model_admin.has_change_permission(request, found):
        raise PermissionDenied
    return found
