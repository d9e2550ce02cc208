"""Sign-in by a header of a proxy in front: the proxy signs people in, for instance by Shibboleth, and names them.

The header counts on one page alone, and from the addresses that the source lists: that of the connection itself, not
one that another header tells. From anybody else it is ignored, and the audit trail says so.
"""

import ipaddress
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.lockout import client_address, peer_address
from accounts.models import TrustedHeader
from accounts.sentences import say
from accounts.sign_in import going_in, syntax, throttle
from accounts.sign_in.entering import Refused
from accounts.sign_in.facts import OutsidePerson

MOST_TEXT = 4096  # characters of a header


def begin(request: HttpRequest, source: TrustedHeader, *, joining: going_in.Joining | None = None) -> HttpResponse:
    """Signs in whom the proxy names, or joins the account that is logged in with them."""
    next_page = going_in.next_page(request)
    named = values(request, source.header_name)
    peer = peer_address(request)
    if peer is None:
        return going_in.problem_page(request, source, say("header-peer-unknown"), next_page, status=503)
    if not is_declared(source, peer):
        if named and not throttle.failed_too_often(client_address(request)):
            throttle.note_failure(client_address(request))
            going_in.record_refusal(source, "header-not-from-proxy")
        return going_in.problem_page(request, source, say("header-not-from-proxy", label=source.label), next_page)
    if len(named) != 1 or not named[0] or "," in named[0]:  # two headers may come as one, joined by a comma
        code = "header-nobody" if not any(named) else "header-twice"
        return going_in.problem_page(request, source, say(code, label=source.label), next_page)
    try:
        found = person(request, source, named[0])
        return going_in.let_in(request, source, found, next_page, now=timezone.now(), joining=joining)
    except Refused as refused:
        return going_in.refused_page(request, source, refused, next_page, is_joining=bool(joining))


def is_declared(source: TrustedHeader, peer: str | None) -> bool:
    """Whether the connection came from one of the source's proxies. Nobody knows whence: then it did not."""
    if peer is None:
        return False
    networks = [ipaddress.ip_network(line, strict=False) for line in syntax.lines(source.proxies)]
    return any(ipaddress.ip_address(peer) in network for network in networks)


def person(request: HttpRequest, source: TrustedHeader, name: str) -> OutsidePerson:
    """The name is also what never changes: a proxy that names people otherwise should send an ID."""
    return OutsidePerson(subject=name, username=name, groups=_groups(request, source))


def _groups(request: HttpRequest, source: TrustedHeader) -> frozenset[str] | None:
    """Separated by semicolons, of which Shibboleth writes `\\;` within a name. None: there is not exactly one list."""
    if not source.groups_header:
        return frozenset()
    told = values(request, source.groups_header)
    if len(told) != 1 or not told[0]:
        return None
    parts = told[0].replace("\\;", "\0").split(";")
    return frozenset(name for part in parts if (name := part.replace("\0", ";").strip()))


def values(request: HttpRequest, header: str) -> list[str]:
    """What the request has under this name, which may stand there more than once."""
    scope: dict[str, Any] | None = getattr(request, "scope", None)
    if scope is None:
        found = request.META.get(f"HTTP_{header.upper().replace('-', '_')}")
        told = [] if found is None else [str(found)]
    else:
        told = [value.decode("latin-1") for name, value in scope["headers"] if name == header.lower().encode()]
    return [_decoded(one.strip()) for one in told if len(one) <= MOST_TEXT]


def _decoded(text: str) -> str:
    """Headers are bytes. Proxies write names in UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
