"""One request and its response: which endpoint it goes to, what is retried, and the limits of what is accepted.

Proxmoxer's own login makes a request outside its session, before anything can be checked, so both ways to
authenticate use what is here.
"""

import base64
import html
import json
import os
from typing import Any
from urllib.parse import quote, quote_plus

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import default_headers
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError
from urllib3.util import Retry

from accounts import concurrency
from clusters.config import ClusterConfig
from clusters.proxmox import errors
from clusters.proxmox.endpoints import Endpoint, Endpoints, endpoint_health
from clusters.proxmox.results.parsing import clean_reason
from clusters.proxmox.sockets import Deadline
from clusters.sentences import say

MAX_BODY = 8 * 1024 * 1024
CHUNK = 256 * 1024

HEADERS = {**default_headers(), "Accept": "application/json", "Accept-Encoding": "gzip"}
NO_RETRIES = Retry(0, read=False)

# Reasons that repeat nothing: most answers are looked through for no secret, and open none.
EVERY_DAY = {"", "OK"}

# How much of the time the first address has for a question that may be put to another one.
FIRST_TRY = 0.7


class Body(bytes):
    """Proxmoxer spells out what it is answered, for its log, and that takes up to eight times its length."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class Transport:
    """Speaks HTTP with one cluster, for one thread at a time, and takes the place of `requests.Session` for proxmoxer.

    No proxy, .netrc or cookie of the environment, no redirect and no retry plays a part in it, and without them a
    request takes a fifth less CPU. Raises `CertificateRejected` at once, before anything is sent, when what is to be
    trusted cannot be used.
    """

    def __init__(self, config: ClusterConfig, *, deadline: float) -> None:
        self.deadline = Deadline(deadline)
        self.endpoints = Endpoints(config, self.deadline)
        self._process = os.getpid()
        # Seconds since its last answer for which a connection also carries a change; Proxmox VE closes idle ones after
        # five. Whoever sends many changes, and finds out what became of each, saves a handshake with each.
        self.change_within = 0.0

    def close(self) -> None:
        self.endpoints.close()

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As `requests` writes URL and body, without what no request here has: cookies, hooks, files."""
        prepared = requests.PreparedRequest()
        prepared.prepare_method(str(request.method))
        prepared.prepare_url(request.url, request.params)
        prepared.headers = CaseInsensitiveDict(HEADERS)
        prepared.prepare_body(request.data, None)
        authorised: requests.PreparedRequest = request.auth(prepared)
        return authorised

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not be shown although the other side may repeat them."""
        return ()

    def send_request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        """Send to the first address that can be connected to; a question whose answer is late, once to one more."""
        self._leave_the_parents_connections()
        failure: errors.ProxmoxError | None = None
        rejected = ""
        may_repeat = method == "GET"
        for endpoint, others in self.endpoints.in_order():
            if self.deadline.is_over:
                break
            try:
                return self._ask(endpoint, others, method, url, is_final=not (may_repeat and others), **kwargs)
            except (errors.Unreachable, errors.CertificateRejected, errors.ProtocolError) as error:
                if isinstance(error, errors.CertificateRejected) and not endpoint.is_first:
                    rejected = rejected or str(endpoint.address)
                if not others or not self._is_for_the_next(endpoint, error, may_repeat=may_repeat):
                    _name_the_rejected(error, rejected)
                    raise
                may_repeat = may_repeat and not error.sent
                failure = failure if failure and not endpoint.is_first else error
        failure = failure or errors.TimedOut(sent=False)
        _name_the_rejected(failure, rejected)
        raise failure

    def _is_for_the_next(self, endpoint: Endpoint, error: errors.ProxmoxError, *, may_repeat: bool) -> bool:
        """Whether another address may do better. That the configured one is somebody else is for a person to see."""
        if isinstance(error, errors.Unreachable):
            return may_repeat if error.sent else True
        return not endpoint.is_first and not error.sent

    def _ask(
        self, endpoint: Endpoint, others: int, method: str, url: str, *, is_final: bool, **kwargs: Any
    ) -> requests.Response:
        self.deadline.connect_part = 1 / (others + 1)
        try:
            with self.deadline.only(1.0 if is_final else FIRST_TRY):
                response = self._at(endpoint, method, url, **kwargs)
        except errors.Unreachable as error:
            # Behind a path of a node it may be that node which is slow.
            if not error.sent or "/nodes/" not in url:
                endpoint_health.failed(endpoint.address)
            raise
        endpoint_health.answered(endpoint.address)
        return response

    def _at(self, endpoint: Endpoint, method: str, url: str, **kwargs: Any) -> requests.Response:
        if method != "GET":
            # A kept connection may be closing right now, and then nobody knows whether the request arrived.
            endpoint.pool.drop_idle(unless_within=self.change_within)
        try:
            return self._send_once(method, url, **kwargs)
        except errors.Dropped as error:
            if method != "GET" or not error.reused:
                raise
        return self._send_once(method, url, **kwargs)

    def _send_once(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        with concurrency.release_slot():
            return self._checked(self._answer(method, url, **kwargs))

    def _answer(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        try:
            response = self._exchange(self.prepare_request(requests.Request(method, url, **kwargs)))
        except (requests.RequestException, HTTPError, OSError, UnicodeError):
            raise errors.ProtocolError(say("no-http")) from None
        response._content = self._body(response)
        response.reason = self._redacted(clean_reason(response.reason))[:300]
        return response

    def _exchange(self, request: requests.PreparedRequest) -> requests.Response:
        """Up to the end of the answer's head."""
        raw = self.endpoints.current.pool.urlopen(
            str(request.method),
            request.path_url,
            body=request.body,
            headers=request.headers,
            retries=NO_RETRIES,
            redirect=False,
            assert_same_host=False,
            timeout=self.deadline.seconds,
            preload_content=False,
            decode_content=False,
        )
        response = requests.Response()
        response.status_code, response.reason, response.raw = raw.status, raw.reason or "", raw
        response.headers = CaseInsensitiveDict(raw.headers)
        return response

    def _body(self, response: requests.Response) -> bytes:
        """All of it, decompressed, as far as it keeps to the limit and the deadline."""
        try:
            return self._limited(response)
        except errors.ProtocolError:
            response.raw.close()
            raise
        except ReadTimeoutError:
            raise errors.TimedOut(sent=True) from None
        except DecodeError:
            raise errors.ProtocolError(say("broken-compression")) from None
        except (HTTPError, OSError):
            raise errors.Dropped from None

    def _limited(self, response: requests.Response) -> bytes:
        parts, size = [], 0
        while part := response.raw.read(CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > MAX_BODY:
                raise errors.ProtocolError(say("too-large", most=MAX_BODY // 2**20))
        joined = b"".join(parts)
        parts.clear()
        return Body(joined)

    def _checked(self, response: requests.Response) -> requests.Response:
        status, reason = response.status_code, response.reason
        if not 200 <= status < 300 and status < 400:
            what = say("a-redirect") if status >= 300 else say("http-status", status=status)
            raise errors.ProtocolError(what, status=status, reason=reason)
        if "html" in response.headers.get("Content-Type", "").lower():
            raise errors.ProtocolError(
                say("web-page", status=status),
                status=status,
                reason=reason,
            )
        if status >= 400:
            response._content = Body(self._redacted(response.content.decode("utf-8", "replace")).encode())
        return response

    def _redacted(self, text: str) -> str:
        """The other side's words about an error, without secrets that it repeats."""
        if text in EVERY_DAY:
            return text
        forms = {form for secret in self.secrets for form in _spellings(secret)}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "***")
        return text

    def _leave_the_parents_connections(self) -> None:
        """Two processes that write into one connection would answer each other's questions."""
        if self._process != os.getpid():
            self.endpoints.drop_idle()
            self._process = os.getpid()


def _name_the_rejected(error: errors.ProxmoxError, address: str) -> None:
    """That one address is silent is half of the problem where another one answers and is not trusted."""
    if address and isinstance(error, errors.Unreachable):
        error.plain = say("other-address-rejected", why=error.plain, address=address)


def _spellings(secret: str) -> set[str]:
    """The forms in which a secret may come back: plain, in a form, in JSON, in HTML, in base64."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        raw.decode("latin-1"),
        quote(raw),
        quote(raw, safe=""),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        base64.b64encode(raw).decode(),
    }
    return forms | {form.replace("%", "%25") for form in forms if "%" in form}
