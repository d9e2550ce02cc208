"""One session with one cluster: its credential, and what is let in of its answers.

Proxmoxer's own login makes a request outside its session, before anything can be checked, so both ways to
authenticate are here and use the same connections.
"""

import logging
import re
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from clusters.config import ClusterConfig
from clusters.fields import Secret, SecretUnreadable
from clusters.proxmox import errors, transport
from clusters.proxmox.answers import Serializer, clean_reason

MAX_BODY = 16 * 1024 * 1024
CHUNK = 256 * 1024
# A ticket is good for two hours.
TICKET_RENEWAL = 3600.0

TFA_NEEDED = (
    "The cluster asks this user for a second factor, which the portal cannot give. Enter an API token instead: "
    "tokens need none."
)


# Proxmoxer logs what is posted at INFO and what is answered at DEBUG; this holds whatever level somebody sets.
logging.getLogger("proxmoxer.core").addFilter(lambda record: record.levelno >= logging.WARNING)


class _Adapter(HTTPAdapter):
    """Sends through our connections, past the rules of requests for `verify`, by which '' would mean no check."""

    def __init__(self, pool: transport.Pool) -> None:
        super().__init__(max_retries=0)
        self.pool = pool

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        return self.pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Done by the pool."""

    def close(self) -> None:
        super().close()
        self.pool.close()


class TokenAuth(AuthBase):
    """An API token: a header, no login."""

    def __init__(self, token_id: str, secret: Secret) -> None:
        self._id, self._secret = token_id, secret
        if not all(re.fullmatch(r"[!-~]+", part) for part in (token_id, _reveal(secret))):
            raise errors.CredentialUnreadable("The API token has characters that no token has. Enter it again.")

    @property
    def secrets(self) -> tuple[str, ...]:
        return (_reveal(self._secret),)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"PVEAPIToken={self._id}={_reveal(self._secret)}"
        return request


class TicketAuth(AuthBase):
    """User and password: a ticket in a cookie, and a second text that proves that a change is meant."""

    def __init__(self, user: str, password: Secret) -> None:
        self.user, self.password = user, password
        self.rejected: errors.LoginRejected | None = None
        self._ticket = self._csrf = ""
        self._born = 0.0
        _reveal(password)

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(filter(None, (_reveal(self.password), self._ticket, self._csrf)))

    @property
    def is_due(self) -> bool:
        return not self._ticket or time.monotonic() - self._born > TICKET_RENEWAL

    def accept(self, answer: object) -> None:
        found = answer if isinstance(answer, dict) else {}
        if found.get("NeedTFA"):
            raise errors.LoginRejected(TFA_NEEDED)
        ticket, csrf = found.get("ticket"), found.get("CSRFPreventionToken")
        if not isinstance(ticket, str) or not isinstance(csrf, str):
            raise errors.BadAnswer("a login without a ticket")
        if not ticket or len(ticket) > 4096 or not re.fullmatch(r"[!-~]{1,256}", csrf):
            raise errors.BadAnswer("a login with a strange ticket")
        self._ticket, self._csrf, self._born = ticket, csrf, time.monotonic()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Cookie"] = f"PVEAuthCookie={quote(self._ticket, safe='')}"
        if request.method != "GET":
            request.headers["CSRFPreventionToken"] = self._csrf
        return request


class Session(requests.Session):
    """For one thread. Every call has the deadline, in seconds, with the login and the repetition that it may need.

    Raises `NoCredential`, `CredentialUnreadable` and `Untrusted` at once, before anything is sent.
    """

    def __init__(self, config: ClusterConfig, *, deadline: float) -> None:
        super().__init__()
        self.base_url = f"https://{f'[{config.host}]' if ':' in config.host else config.host}:{config.port}/api2/json"
        self._credential = _credential(config)
        self._deadline = transport.Deadline(deadline)
        # No proxy and no .netrc from the environment, and no cookie but the one that is set for each request.
        self.trust_env = False
        self.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        self._pool = transport.pool(config, self._deadline)
        self.adapters.clear()
        self.mount("https://", _Adapter(self._pool))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: requests would read the body without a limit to look for it."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Called by proxmoxer for each call. Writes a change exactly once."""
        self._deadline.restart()
        credential = self._credential
        if isinstance(credential, TokenAuth):
            return self._exchange(str(method), str(url), auth=credential, **kwargs)
        logged_in = credential.is_due
        if logged_in:
            self._log_in(credential)
        response = self._exchange(str(method), str(url), auth=credential, **kwargs)
        if response.status_code == 401 and method == "GET" and not logged_in:
            self._log_in(credential)
            response = self._exchange(str(method), str(url), auth=credential, **kwargs)
        return response

    def _log_in(self, credential: TicketAuth) -> None:
        """Raises what went wrong, as not sent: the request for whose sake this was has not been written."""
        if credential.rejected:
            raise credential.rejected
        form = {"username": credential.user, "password": _reveal(credential.password)}
        try:
            response = self._exchange("POST", f"{self.base_url}/access/ticket", data=form, auth=_no_auth)
            reader = Serializer()
            if response.status_code >= 400:
                raise errors.from_status(
                    response.status_code, reason=response.reason, errors=reader.loads_errors(response)
                )
            credential.accept(reader.loads(response))
        except errors.ProxmoxError as error:
            error.sent = False
            if isinstance(error, errors.LoginRejected):
                # Each further try would count as one more of somebody who guesses.
                credential.rejected = error
            raise

    def _exchange(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        if method != "GET":
            # A kept connection may be closing right now, and then nobody knows whether the request arrived.
            self._pool.drop_idle()
        try:
            return self._send_once(method, url, **kwargs)
        except errors.Dropped as error:
            if method != "GET" or not error.reused:
                raise
        return self._send_once(method, url, **kwargs)

    def _send_once(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        kwargs |= {"stream": True, "allow_redirects": False, "timeout": self._deadline.seconds}
        try:
            response = super().request(method, url, **kwargs)
        except (requests.RequestException, HTTPError, UnicodeError):
            raise errors.BadAnswer("it breaks the rules of HTTP") from None
        response._content = self._body(response)
        response.reason = self._redact(clean_reason(response.reason))[:300]
        return self._checked(response)

    def _body(self, response: requests.Response) -> bytes:
        """All of it, decompressed, as far as it keeps to the limit and the deadline."""
        try:
            return self._limited(response)
        except errors.BadAnswer:
            response.raw.close()
            raise
        except ReadTimeoutError:
            raise errors.TimedOut(sent=True) from None
        except DecodeError:
            raise errors.BadAnswer("its compression is broken") from None
        except (HTTPError, OSError):
            raise errors.Dropped from None

    def _limited(self, response: requests.Response) -> bytes:
        parts, size = [], 0
        while part := response.raw.read(CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > MAX_BODY:
                raise errors.BadAnswer(f"more than {MAX_BODY // 2**20} MiB")
        return b"".join(parts)

    def _checked(self, response: requests.Response) -> requests.Response:
        status, reason = response.status_code, response.reason
        if not 200 <= status < 300 and status < 400:
            what = "a redirect" if status >= 300 else f"HTTP status {status}"
            raise errors.BadAnswer(what, status=status, reason=reason)
        if "html" in response.headers.get("Content-Type", "").lower():
            raise errors.BadAnswer(f"a web page, with HTTP status {status}", status=status, reason=reason)
        if status >= 400:
            response._content = self._redact(response.content.decode("utf-8", "replace")).encode()
        return response

    def _redact(self, text: str) -> str:
        """What the other side says about an error is shown to people; it may repeat what it was told."""
        for secret in self._credential.secrets:
            text = text.replace(secret, "***")
        return text


def _credential(config: ClusterConfig) -> TokenAuth | TicketAuth:
    if config.token_id and config.token_secret:
        return TokenAuth(config.token_id, config.token_secret)
    if config.password:
        return TicketAuth(config.user, config.password)
    raise errors.NoCredential


def _reveal(secret: Secret) -> str:
    try:
        return secret.reveal()
    except SecretUnreadable as error:
        raise errors.CredentialUnreadable(str(error)) from None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
