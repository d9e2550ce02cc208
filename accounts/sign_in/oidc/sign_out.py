"""Signing out at the provider as well: otherwise the next person at the computer gets in without a password.

The portal keeps no ID token, which would be a hint that no provider has to question. It names itself and the person,
and the provider may ask whether they mean it. Nothing is believed on the way back: the portal's session ended before.
"""

from contextlib import suppress
from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri
from django.http import HttpRequest
from django.urls import reverse

from accounts.lockout import client_address
from accounts.models import Provider, SignInIdentity, SignInSource
from accounts.sign_in import session, throttle
from accounts.sign_in.oidc import discovery
from accounts.sign_in.oidc.problems import Problem


@dataclass(frozen=True)
class WayOut:
    """`address` is empty where the provider has no sign-out; `at_once`: the page leads there by itself."""

    label: str
    address: str
    at_once: bool


def way_out(request: HttpRequest) -> WayOut | None:
    """What is left to do for the person of this session, before it ends. None: the portal's own password."""
    source = session.source_of(request)
    if source is None or source.kind != SignInSource.Kind.PROVIDER:
        return None
    provider = Provider.objects.get(pk=source.pk)
    known = SignInIdentity.objects.filter(source=source, user=request.user.pk or 0).first()
    address = ""
    # The portal's own session ends in any case.
    with suppress(Problem, throttle.Busy, throttle.FailedTooOften), throttle.asking(client_address(request)):
        address = _address(request, provider, known.name_there if known else "") if provider.is_active else ""
    return WayOut(provider.label, address, bool(address) and provider.sign_out_there)


def _address(request: HttpRequest, provider: Provider, name: str) -> str:
    there = discovery.discover(provider).end_session_endpoint
    if not there:
        return ""
    told = {
        "client_id": provider.client_id,
        "post_logout_redirect_uri": request.build_absolute_uri(reverse("login")),
        **({"logout_hint": name} if name else {}),
    }
    return str(add_params_to_uri(there, list(told.items())))
