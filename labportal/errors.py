"""The error pages. They ask the database nothing."""

import re
import sys
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils import translation
from django.utils.translation import gettext as _
from django.views import csrf
from django.views.debug import SafeExceptionReporterFilter

from accounts import spreadsheet
from accounts.api import problems
from labportal import api, proxies
from vms import database_connectivity


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when the database does not answer, so that a probe and a proxy know that it will pass; else 500."""
    if database_connectivity.is_outage(sys.exc_info()[1]):
        return without_database(request)
    if _is_of_api(request):
        return problems.response(problems.Problem(500, _("This is a fault of the portal, not yours. It was logged.")))
    return _static("500.html", status=500)


def without_database(request: HttpRequest) -> HttpResponse:
    later = {"Retry-After": "10"}
    if _is_of_api(request):
        text = _("The portal is temporarily unavailable")
        return problems.response(problems.Problem(503, f"{text}.", headers=later))
    return _static("503.html", status=503, headers=later)


def _is_of_api(request: HttpRequest) -> bool:
    """Programs get problem details instead of a page."""
    return request.path.startswith("/api/v1/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        # Raised before anybody has looked at the language.
        with translation.override(translation.get_language_from_request(request)):
            return _static("400_host.html", status=400)
    if isinstance(exception, RequestDataTooBig | TooManyFieldsSent):
        return _static("413.html", {"most": spreadsheet.MOST_BYTES // 1024}, status=413)
    return _static("400.html", status=400)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that is too old, or one that comes from another address than the portal was asked at."""
    if _is_of_api(request):  # calls need no form: this is the schema, its page, or no address at all
        return api.not_with_this_method(request)
    browser, portal = proxies.origins(request)
    if browser == portal:
        return csrf.csrf_failure(request, reason)
    return _static("403_origin.html", {"browser": browser, "portal": portal}, status=403)


def without_tls(request: HttpRequest) -> HttpResponse:
    """Instead of leading to the same address for ever."""
    with translation.override(translation.get_language_from_request(request)):
        return _static("400_proxy.html", {"protocols": proxies.protocols(request)}, status=400)


def _static(
    template: str, context: dict[str, Any] | None = None, *, status: int, headers: dict[str, str] | None = None
) -> HttpResponse:
    return HttpResponse(loader.get_template(template).render(context), status=status, headers=headers)


class WithoutValues(SafeExceptionReporterFilter):
    """Reports of errors, on a page or by mail, show the way to a fault and no value on it.

    Django hides what is named like a secret, and shows the same text again in forms, requests and libraries.
    """

    # Django's, and addresses: those of mail servers, webhooks and Redis have passwords in them.
    hidden_settings = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|URL", flags=re.IGNORECASE)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request else {}

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        return dict.fromkeys(tb_frame.f_locals, self.cleansed_substitute).items()
