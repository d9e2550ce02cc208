"""Sign-in by a header of a proxy: on one page alone, and from the declared proxies alone."""

import asyncio
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.handlers.asgi import ASGIRequest
from django.test import Client

from accounts.lockout import PEER, peer_address
from accounts.models import SignInIdentity, SignInRule, TrustedHeader, User
from accounts.sign_in import throttle, trusted_header
from labportal import asgi

pytestmark = pytest.mark.django_db

PAGE = "/accounts/sign-in/shibboleth/"
PROXY, STRANGER = "192.0.2.10", "192.0.2.66"


@pytest.fixture
def source() -> TrustedHeader:
    """Everybody of it may come in."""
    throttle.forget()
    made = TrustedHeader(
        name="shibboleth", label="School", is_active=True, header_name="Remote-User", groups_header="X-Groups",
        proxies="192.0.2.10\n2001:db8::/64",
    )  # fmt: skip
    made.save()
    SignInRule.objects.create(source=made, on="everyone", gives="entry")
    return made


def ask(client: Client, user: str | None = "ana", *, peer: str = PROXY, page: str = PAGE, **headers: str) -> Any:
    named = {} if user is None else {"HTTP_REMOTE_USER": user}
    return client.get(page, REMOTE_ADDR=peer, **named, **headers)


@pytest.mark.parametrize("peer", [PROXY, "2001:db8::7", f"::ffff:{PROXY}"])
def test_a_declared_proxy_names_the_person(client: Client, source: TrustedHeader, peer: str):
    assert ask(client, "Zoë".encode().decode("latin-1"), peer=peer).status_code == 302
    assert User.objects.get(pk=client.session["_auth_user_id"]).username == "Zoë"


@pytest.mark.parametrize("peer", ["unknown", "", "_hidden"])
def test_nobody_whose_address_is_unknown_names_anybody(client: Client, source: TrustedHeader, peer: str):
    page = ask(client, peer=peer)
    assert (page.status_code, b"bin/serve" in page.content, Session.objects.count()) == (503, True, 0)


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", "2001:db8:1::7"])
def test_nobody_else_names_anybody(client: Client, source: TrustedHeader, peer: str):
    page = ask(client, peer=peer, HTTP_X_FORWARDED_FOR=PROXY, HTTP_X_REAL_IP=PROXY, HTTP_FORWARDED=f"for={PROXY}")
    assert (page.status_code, Session.objects.count(), User.objects.count()) == (403, 0, 0)
    refused = LogEntry.objects.get(action=LogEntry.Action.ACCESS)
    assert refused.changes == {"refused": ["", "header-not-from-proxy"]}


def test_who_tries_again_and_again_fills_no_audit_trail(client: Client, source: TrustedHeader, monkeypatch: Any):
    monkeypatch.setattr(throttle, "FAILURES", 2)
    for _ in range(5):
        ask(client, peer=STRANGER)
    assert LogEntry.objects.filter(action=LogEntry.Action.ACCESS).count() == 2


def test_the_header_means_nothing_on_any_other_page(client: Client, source: TrustedHeader):
    for page in ("/", "/vms/", "/accounts/login/", "/api/vms", "/admin/"):
        ask(client, page=page)
    assert not Session.objects.exists()


def test_off_is_not_there(client: Client, source: TrustedHeader):
    TrustedHeader.objects.update(is_active=False)
    assert ask(client).status_code == 404


@pytest.mark.parametrize("user", [None, "", " ", "mallory,ana"])
def test_not_exactly_one_name_lets_nobody_in(client: Client, source: TrustedHeader, user: str | None):
    page = ask(client, user)
    assert (page.status_code, b'href="/accounts/login/"' in page.content) == (403, True)
    assert not Session.objects.exists()


@pytest.mark.parametrize(("told", "groups"), [
    ("staff;Lab\\;1; pupils", ["Lab;1", "pupils", "staff"]), ("", []), (None, []),
])  # fmt: skip
def test_groups_are_separated_by_semicolons(client: Client, source: TrustedHeader, told: str | None, groups: list[str]):
    ask(client, **({} if told is None else {"HTTP_X_GROUPS": told}))
    known = SignInIdentity.objects.get()
    assert (sorted(known.groups), known.groups_at is not None) == (groups, bool(groups))


def test_an_account_of_that_name_is_not_joined(client: Client, source: TrustedHeader, ana: User):
    assert ask(client).status_code == 403
    assert not Session.objects.exists()


# Behind the real server


def over_asgi(headers: list[tuple[bytes, bytes]], *, peer: str, proxies: str | None) -> ASGIRequest:
    """The request as the pages get it."""
    found: list[Any] = []

    async def pages(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asgi, "pages", pages)
        patch.setattr(asgi, "_proxies", proxies)
        patch.setattr(asgi, "_behind_proxies", asgi.behind(proxies))
        scope = {
            "type": "http", "method": "GET", "path": PAGE, "headers": headers, "client": (peer, 4711), "scheme": "http",
            "query_string": b"",
        }  # fmt: skip
        asyncio.run(asgi.application(scope, None, None))
    return ASGIRequest(found[0], None)


def test_the_peer_is_the_connections_and_not_what_a_header_says(source: TrustedHeader):
    told = [(b"x-forwarded-for", STRANGER.encode()), (b"remote-user", b"ana")]
    request = over_asgi(told, peer=PROXY, proxies=PROXY)
    assert (request.META["REMOTE_ADDR"], peer_address(request)) == (STRANGER, PROXY)
    assert trusted_header.is_declared(source, peer_address(request))
    forged = over_asgi([(b"x-forwarded-for", PROXY.encode())], peer=STRANGER, proxies=PROXY)
    assert (forged.META["REMOTE_ADDR"], peer_address(forged)) == (STRANGER, STRANGER)


def test_without_proxies_headers_change_nothing():
    request = over_asgi([(b"x-forwarded-for", STRANGER.encode())], peer=PROXY, proxies="")
    assert (request.META["REMOTE_ADDR"], peer_address(request)) == (PROXY, PROXY)


def test_another_server_may_have_believed_anybody():
    assert peer_address(over_asgi([], peer=PROXY, proxies=None)) is None


def test_two_headers_are_two_names():
    request = over_asgi([(b"remote-user", b"mallory"), (b"remote-user", b"ana")], peer=PROXY, proxies="")
    assert trusted_header.values(request, "Remote-User") == ["mallory", "ana"]


def test_no_client_can_write_the_peer_itself():
    request = over_asgi([(PEER.encode(), PROXY.encode())], peer=STRANGER, proxies="")
    assert peer_address(request) == STRANGER
