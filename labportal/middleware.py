"""Middleware of every request."""

import logging
import zoneinfo
from collections.abc import Callable
from urllib.parse import unquote_plus

from auditlog.context import set_extra_data
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from accounts.api import problems
from accounts.concurrency import UNLIMITED_PATHS
from accounts.lockout import client_address
from labportal import errors, logs, proxies
from vms import database_connectivity, registry

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]


def tls_is_seen(get_response: Handler) -> Handler:
    """Does not redirect requests that came by TLS to the same URL again: the proxy in front has to be mended."""
    security = SecurityMiddleware(get_response)

    def middleware(request: HttpRequest) -> HttpResponse:
        if security.process_request(request) and proxies.came_by_tls(request):
            return security.process_response(request, errors.without_tls(request))
        return get_response(request)

    return middleware


def database_first(get_response: Handler) -> Handler:
    """While the database is away every page says so, also one that would ask it nothing."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path not in UNLIMITED_PATHS:
            try:
                connection.ensure_connection()
            except DatabaseError as error:
                if not database_connectivity.is_outage(error):
                    raise
                logger.error("The database cannot be opened: %s", type(error).__name__)
                return errors.without_database(request)
        return get_response(request)

    return middleware


def no_token_in_url(get_response: Handler) -> Handler:
    """Refuses an address with a token of the API in it: servers, proxies and browsers write addresses down."""

    def middleware(request: HttpRequest) -> HttpResponse:
        address = request.META.get("QUERY_STRING", "") + request.path
        if not logs.API_TOKEN.search(unquote_plus(address)):
            return get_response(request)
        with translation.override(translation.get_language_from_request(request)):
            text = _("Send the token in the header Authorization, not in addresses. Revoke this one: logs may have it.")
            return problems.response(problems.Problem(400, text))

    return middleware


def audit_trail(get_response: Handler) -> Handler:
    """Tell the audit trail who acts, and from the address that the server vouches for: no header counts."""

    def middleware(request: HttpRequest) -> HttpResponse:
        actor = SimpleLazyObject(lambda: request.user if request.user.is_authenticated else None)
        with set_extra_data({"actor": actor, "remote_addr": client_address(request)}):
            return get_response(request)

    return middleware


def personal_settings(get_response: Handler) -> Handler:
    """Show times in the person's own time zone, and pages in their language."""

    def middleware(request: HttpRequest) -> HttpResponse:
        zone, language = "", ""
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            zone, language = request.user.time_zone, request.user.language
        with timezone.override(zoneinfo.ZoneInfo(zone) if zone else None):
            if language in dict(settings.LANGUAGES):
                translation.activate(language)
            return get_response(request)

    return middleware


def cluster_registry(get_response: Handler) -> Handler:
    """Resolve clusters once a request."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with registry.resolved_once():
            return get_response(request)

    return middleware
