"""Authentication of a session: an API token in each request, or a ticket that a password was given for."""

import re
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from accounts.encrypted_fields import Secret, SecretUnreadable
from clusters.config import ClusterConfig
from clusters.proxmox.errors import CredentialUnreadable, LoginRejected, NoCredential, ProtocolError
from clusters.sentences import say

# A ticket is good for two hours, and by itself for another one as long as it is.
TICKET_RENEWAL = 3600.0
TICKET_END = 7000.0
RENEWAL_PAUSE = 60.0


class Token(AuthBase):
    """An API token: a header, no login."""

    def __init__(self, token_id: str, secret: Secret) -> None:
        self._id, self._secret = token_id, secret
        if not all(re.fullmatch(r"[!-~]+", part) for part in (token_id, reveal(secret))):
            raise CredentialUnreadable(say("token-malformed"))

    @property
    def secrets(self) -> tuple[str, ...]:
        return (reveal(self._secret),)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"PVEAPIToken={self._id}={reveal(self._secret)}"
        return request


@dataclass(frozen=True, eq=False)
class Ticket(AuthBase):
    """A ticket in a cookie, and a second text that proves that a change is meant."""

    text: str = field(repr=False)
    csrf: str = field(repr=False)
    born: float

    @property
    def age(self) -> float:
        """Seconds."""
        return time.monotonic() - self.born

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Cookie"] = f"PVEAuthCookie={quote(self.text, safe='')}"
        if request.method != "GET":
            request.headers["CSRFPreventionToken"] = self.csrf
        return request


class Login:
    """User and password, and the one ticket for all sessions. Whoever logs in holds `lock`."""

    def __init__(self, user: str, password: Secret) -> None:
        self.user, self.password = user, password
        self.lock = threading.Lock()
        self.ticket: Ticket | None = None
        self._replacing = threading.Lock()
        self._not_before = 0.0
        reveal(password)

    @property
    def secrets(self) -> tuple[str, ...]:
        ticket = self.ticket
        return tuple(filter(None, (reveal(self.password), *((ticket.text, ticket.csrf) if ticket else ()))))

    def is_due(self, ticket: Ticket) -> bool:
        return ticket.age > TICKET_RENEWAL and time.monotonic() >= self._not_before

    def postpone(self) -> None:
        """Renewing failed, and what there is still serves: not with every call anew."""
        self._not_before = time.monotonic() + RENEWAL_PAUSE

    def discard(self, ticket: Ticket) -> None:
        """Forgets the ticket without waiting for `lock`, whose holder may be waiting for the cluster."""
        with self._replacing:
            if self.ticket is ticket:
                self.ticket = None

    def accept(self, answer: object) -> Ticket:
        found = answer if isinstance(answer, dict) else {}
        if found.get("NeedTFA"):
            raise LoginRejected(say("second-factor"))
        text, csrf = found.get("ticket"), found.get("CSRFPreventionToken")
        if not isinstance(text, str) or not isinstance(csrf, str):
            raise ProtocolError(say("no-ticket"))
        if not text or len(text) > 4096 or not re.fullmatch(r"[!-~]{1,256}", csrf):
            raise ProtocolError(say("strange-ticket"))
        ticket = Ticket(text, csrf, time.monotonic())
        with self._replacing:
            self.ticket = ticket
        return ticket


Credential = Token | Login


def for_config(config: ClusterConfig) -> Credential:
    """Raises `NoCredential` and `CredentialUnreadable`."""
    if config.token_id and config.token_secret:
        return Token(config.token_id, config.token_secret)
    if config.password:
        return Login(config.user, config.password)
    raise NoCredential


def reveal(secret: Secret) -> str:
    try:
        return secret.reveal()
    except SecretUnreadable:
        raise CredentialUnreadable(say("credential-unreadable")) from None


def readable(secrets: Iterable[Secret]) -> list[str]:
    """The readable secrets, each decrypted once. Unreadable ones are left out: they were sent to nobody lately."""
    found = []
    for secret in secrets:
        with suppress(SecretUnreadable):
            found.append(secret.reveal())
    return list(filter(None, found))


def no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """For a login. Without any, requests would look for a .netrc."""
    return request
