"""Begun sign-ins: one signed cookie for each, so that two tabs do not disturb one another.

The database keeps nothing of who has not come in yet, and nothing has to be kept secret: the nonce and the verifier of
PKCE are computed from the state and a key of the portal. A cookie is good for one return, in one browser, for a while.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from threading import Lock

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from accounts.sign_in.going_in import Joining

MAX_AGE = 10 * 60  # seconds: to find a password, and a second factor
MOST = 6  # in one browser; the oldest goes: proxies refuse a request with many long cookies
SALT = "accounts.sign_in.oidc.attempt"


@dataclass(frozen=True)
class Attempt:
    source: int
    next: str
    begun_at: float  # seconds since 1970
    joining: Joining | None = None


def begin(source: int, next_page: str, joining: Joining | None) -> tuple[str, str, str]:
    """A new state, and the name and the value of its cookie."""
    state = secrets.token_urlsafe(32)
    attempt = Attempt(source, next_page, round(time.time(), 3), joining)
    return state, _name(state), signing.dumps({"of": _digest(state), **asdict(attempt)}, salt=SALT)


def remember(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    """Set the cookie, and drop the oldest ones of this browser."""
    before = sorted((_age_of(request.COOKIES[one]), one) for one in request.COOKIES if one.startswith(_prefix()))
    for _age, old in reversed(before[MOST - 1 :]):
        _drop(response, old)
    response.set_cookie(
        name, value, max_age=MAX_AGE, path="/", secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )


def take(request: HttpRequest, state: str) -> Attempt | None:
    """The attempt of this state, once. None: it is not this browser's, too old, or was taken before."""
    try:
        kept = signing.loads(request.COOKIES.get(_name(state), ""), salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return None
    if not hmac.compare_digest(kept.pop("of"), _digest(state)) or not _spent.add(_digest(state)):
        return None
    joining = kept.pop("joining")
    return Attempt(**kept, joining=Joining(**joining) if joining else None)


def forget(response: HttpResponse, state: str) -> None:
    _drop(response, _name(state))


def nonce(state: str) -> str:
    return _derived("nonce", state)


def verifier(state: str) -> str:
    """43 characters, as PKCE wants at least."""
    return _derived("verifier", state)


def _derived(what: str, state: str) -> str:
    made = salted_hmac(f"accounts.sign_in.oidc.{what}", state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:32]


def _prefix() -> str:
    """No other host of the domain can plant a cookie of this prefix; without TLS there is no such thing."""
    return "__Host-signin-" if settings.SESSION_COOKIE_SECURE else "signin-"


def _name(state: str) -> str:
    return f"{_prefix()}{_digest(state)[:16]}"


def _drop(response: HttpResponse, name: str) -> None:
    """As `delete_cookie`, whose cookie would not be Secure on every name, and so be ignored."""
    response.set_cookie(
        name, "", max_age=0, path="/", secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )


def _age_of(value: str) -> float:
    """In seconds, for sorting: what is no attempt is oldest."""
    try:
        return time.time() - float(signing.loads(value, salt=SALT)["begun_at"])
    except signing.BadSignature:
        return float("inf")


class _Spent:
    """States that came back to this process: a kept cookie makes none of them good again."""

    MOST = 10_000

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._guard = Lock()

    def add(self, digest: str) -> bool:
        with self._guard:
            new = digest not in self._seen
            self._seen[digest] = None
            while len(self._seen) > self.MOST:
                self._seen.popitem(last=False)
            return new


_spent = _Spent()
