"""What a provider publishes of itself: its addresses and its keys, kept for a while in each process."""

import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from accounts.models import Provider
from accounts.sign_in.oidc.problems import Problem
from accounts.sign_in.oidc.transport import checked, fetch

KEPT = 10 * 60.0  # seconds
# A key that is not known is looked for again, but no more often than this: what is signed may be made up.
ASKED_AGAIN_AFTER = 3.0
MOST_KEYS = 50
LEAST_BITS = 2048  # of an RSA key

PublicKey = RSAKey | ECKey | OKPKey

NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Discovery:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    client_authentication: tuple[str, ...]
    names_issuer_on_return: bool
    host: str
    clock_ahead: int | None  # seconds, when it was read
    certificate_ends_at: datetime | None  # None: there is no TLS


@dataclass(frozen=True)
class Keys:
    usable: tuple[PublicKey, ...]
    read_at: float

    def fitting(self, kid: str | None, kind: str) -> list[PublicKey]:
        """Keys of this kind (RSA, EC, OKP), and of this id where both key and signature tell one."""
        return [key for key in self.usable if key.key_type == kind and (kid is None or key.kid in {None, kid})]


def discover(provider: Provider) -> Discovery:
    """Raises `Problem`."""
    found: Discovery = _kept.get(("discovery", *_identity(provider)), KEPT, lambda: read_discovery(provider))
    return found


def keys(provider: Provider, *, not_older_than: float = KEPT) -> Keys:
    """`not_older_than` is in seconds. Raises `Problem`."""
    address = discover(provider).jwks_uri
    found: Keys = _kept.get(
        ("keys", address, *_identity(provider)), not_older_than, lambda: read_keys(provider, address)
    )
    return found


def newer_keys(provider: Provider) -> Keys:
    """The keys as they are now: a provider changed them. Raises `Problem`."""
    return keys(provider, not_older_than=ASKED_AGAIN_AFTER)


def forget() -> None:
    """Everything is asked again, for a test of the connection."""
    _kept.clear()


def read_discovery(provider: Provider) -> Discovery:
    """From the provider. Raises `Problem`."""
    answer = fetch(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration", ca=provider.ca_certificates)
    if answer.status != 200:
        raise Problem("status", host=answer.host, status=answer.status)
    said = answer.object
    for name in NEEDED:
        if not isinstance(said.get(name), str):
            raise Problem("no-discovery", host=answer.host, missing=name)
    if said["issuer"] != provider.issuer:
        raise Problem("issuer-differs", found=_shown(said["issuer"]))
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"):
        if name in NEEDED or said.get(name):
            checked(str(said[name]))
    return Discovery(
        issuer=said["issuer"],
        authorization_endpoint=said["authorization_endpoint"],
        token_endpoint=said["token_endpoint"],
        jwks_uri=said["jwks_uri"],
        userinfo_endpoint=str(said.get("userinfo_endpoint") or ""),
        end_session_endpoint=str(said.get("end_session_endpoint") or ""),
        client_authentication=_texts(said.get("token_endpoint_auth_methods_supported")) or ("client_secret_basic",),
        names_issuer_on_return=said.get("authorization_response_iss_parameter_supported") is True,
        host=answer.host,
        clock_ahead=answer.clock_ahead,
        certificate_ends_at=answer.certificate_ends_at,
    )


def read_keys(provider: Provider, address: str) -> Keys:
    """From the provider: those that can check a signature here. Raises `Problem`."""
    answer = fetch(address, ca=provider.ca_certificates)
    if answer.status != 200:
        raise Problem("status", host=answer.host, status=answer.status)
    told = answer.object.get("keys")
    found = [key for one in (told if isinstance(told, list) else [])[:MOST_KEYS] if (key := _usable(one))]
    if not found:
        raise Problem("no-keys")
    return Keys(tuple(found), time.monotonic())


def _usable(told: object) -> PublicKey | None:
    """Never a symmetric key: whoever can read it could sign with it. Unknown kinds are for others."""
    if not isinstance(told, Mapping) or told.get("kty") not in ["RSA", "EC", "OKP"] or told.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in told.items() if name in {"kty", "kid", "n", "e", "crv", "x", "y"}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of a key too short, which is left out below
            key = JWKRegistry.import_key(public)
            size = key.raw_value.key_size if isinstance(key, RSAKey) else LEAST_BITS
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) and size >= LEAST_BITS else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _shown(text: str) -> str:
    return text[:100]


def _identity(provider: Provider) -> tuple[object, ...]:
    return (provider.pk, provider.issuer, provider.ca_certificates)


class _Kept:
    """The last good answers. While one is asked for, others wait for it instead of asking as well, and fail with it."""

    MOST = 64

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], tuple[float, Any]] = {}
        self._locks: dict[tuple[object, ...], threading.Lock] = {}
        self._failed: dict[tuple[object, ...], tuple[float, Problem]] = {}
        self._guard = threading.Lock()

    def get(self, name: tuple[object, ...], not_older_than: float, ask: Any) -> Any:
        came_at = time.monotonic()
        with self._guard:
            if len(self._locks) >= self.MOST and name not in self._locks:
                self.clear()
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            at, found = self._found.get(name, (0.0, None))
            if found is None or came_at - at > not_older_than:
                failed_at, problem = self._failed.get(name, (0.0, None))
                if problem and failed_at > came_at:
                    raise problem.again()
                found = self._ask(name, ask)
            return found

    def _ask(self, name: tuple[object, ...], ask: Any) -> Any:
        try:
            found = ask()
        except Problem as problem:
            self._failed[name] = (time.monotonic(), problem)
            raise
        self._found[name] = (time.monotonic(), found)
        return found

    def clear(self) -> None:
        self._found.clear()
        self._failed.clear()
        self._locks.clear()


_kept = _Kept()
