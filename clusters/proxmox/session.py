"""A session with one cluster: sends requests as one credential, and logs in when it needs a ticket."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from clusters.config import ClusterConfig
from clusters.proxmox import credentials, error_mapping, errors
from clusters.proxmox.credentials import Credential, Login, Ticket, Token, reveal
from clusters.proxmox.results.parsing import Serializer
from clusters.proxmox.transport import Transport

# Proxmoxer logs what is posted at INFO and what is answered at DEBUG; this holds whatever level somebody sets.
logging.getLogger("proxmoxer.core").addFilter(lambda record: record.levelno >= logging.WARNING)


class LoginThrottle:
    """Limits logins, so that a rejected credential is not tried again and again by any number of processes.

    Asked before each login with a password, and before the first call of each connection by a token.

    This one lets every attempt through; subclasses remember. An `acquire` that returned is followed by one of
    `accepted`, `rejected` and `release`. `rejected` may also come by itself, when a credential stops working. What
    counts is `config.cluster_id`, `config.credential_version`, and with `config.reads_only` that it is the read-only
    token.
    """

    def acquire(self, config: ClusterConfig, *, patience: float) -> None:
        """Return when the credential may be tried, after waiting at most `patience` seconds for another attempt.

        Raises `LoginRejected` when this version of the credential was rejected before, and `TimedOut`, as not sent,
        when the other attempt took longer. A token does not log in, so it waits for nobody.
        """

    def accepted(self, config: ClusterConfig) -> None:
        """The cluster took the credential."""

    def rejected(self, config: ClusterConfig, error: errors.LoginRejected) -> None:
        """The cluster did not, and this version of the credential is not to be tried again."""

    def release(self, config: ClusterConfig) -> None:
        """The attempt ended without an answer about the credential: it could not be reached, for instance."""


class Session(Transport):
    """For one thread at a time. Each call has one deadline, which includes a login and a retry.

    Raises `NoCredential`, `CredentialUnreadable` and `CertificateRejected` at once, before anything is sent.
    """

    def __init__(self, config: ClusterConfig, *, deadline: float, credential: Credential | None = None) -> None:
        self.credential = credential or credentials.for_config(config)
        super().__init__(config, deadline=deadline)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.base_url = f"https://{host}:{config.port}/api2/json"
        self.reset(config, deadline=deadline)

    def reset(self, config: ClusterConfig, *, deadline: float, throttle: LoginThrottle | None = None) -> None:
        """Begin a connection of the next user of this session."""
        self._config, self._throttle = config, throttle or LoginThrottle()
        self.deadline.seconds = deadline
        self._rejected: errors.LoginRejected | None = None
        self._is_known = False
        self._ticket: Ticket | None = None
        self._told: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        used = (self._ticket.text, self._ticket.csrf) if self._ticket else ()
        return (*self.credential.secrets, *used, *self._told, *credentials.readable(self._config.secrets))

    @contextmanager
    def telling(self, *secrets: str) -> Iterator[None]:
        """For calls that tell the cluster these: what it repeats of them is not shown."""
        self._told = secrets
        try:
            yield
        finally:
            self._told = ()

    @property
    def config(self) -> ClusterConfig:
        return self._config

    def identity(self) -> dict[str, str]:
        """The headers that say who the last call was made as, for a connection of another kind."""
        request = requests.Request("GET", self.base_url).prepare()
        auth = self._ticket or self.credential
        if isinstance(auth, Login):
            raise errors.NoCredential
        return {name: value for name, value in auth(request).headers.items() if name in {"Authorization", "Cookie"}}

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Called by proxmoxer for each call. Writes a change exactly once."""
        self.deadline.restart()
        if self._rejected:
            # The cluster would count each further attempt as a guess.
            raise self._rejected
        if isinstance(self.credential, Token):
            return self._by_token(self.credential, str(method), str(url), **kwargs)
        return self._by_ticket(self.credential, str(method), str(url), **kwargs)

    # By token

    def _by_token(self, token: Token, method: str, url: str, **kwargs: Any) -> requests.Response:
        if not self._is_known:
            with self._throttled():
                response = self._unless_rejected(self.send_request(method, url, auth=token, **kwargs))
            self._is_known = True
            return response
        try:
            return self._unless_rejected(self.send_request(method, url, auth=token, **kwargs))
        except errors.LoginRejected as error:
            self._reject(error)
            raise

    # By ticket

    def _by_ticket(self, login: Login, method: str, url: str, **kwargs: Any) -> requests.Response:
        self._ticket, is_new = self._current_ticket(login)
        response = self.send_request(method, url, auth=self._ticket, **kwargs)
        if response.status_code == 401:
            login.discard(self._ticket)
            if method == "GET" and not is_new:
                self._ticket, is_new = self._current_ticket(login)
                response = self.send_request(method, url, auth=self._ticket, **kwargs)
        try:
            return self._unless_rejected(response) if is_new else response
        except errors.LoginRejected as error:
            # The ticket was just issued, so another one would be rejected, too.
            self._reject(error)
            raise

    def _current_ticket(self, login: Login) -> tuple[Ticket, bool]:
        """The ticket of all sessions, and whether this call had to get it. Raises what went wrong, as not sent."""
        held = login.ticket
        if held and not login.is_due(held):
            return held, False
        still_serves = held is not None and held.age < credentials.TICKET_END
        if not login.lock.acquire(timeout=0 if still_serves else self._left()):
            if held and still_serves:
                return held, False  # somebody else is renewing it
            raise errors.TimedOut(sent=False)
        try:
            if login.ticket and login.ticket is not held:
                return login.ticket, False
            return self._new_ticket(login, held if still_serves else None)
        except errors.ProxmoxError as error:
            error.sent = False  # the request for whose sake this was has not been written
            raise
        finally:
            login.lock.release()

    def _new_ticket(self, login: Login, held: Ticket | None) -> tuple[Ticket, bool]:
        """By the ticket that there is, or else by the password."""
        if held:
            try:
                return self._post_login(login, held.text), True
            except errors.LoginRejected:
                pass
            except errors.ProxmoxError:
                login.postpone()
                return held, False
        with self._throttled():
            return self._post_login(login, reveal(login.password)), True

    def _post_login(self, login: Login, password: str) -> Ticket:
        form = {"username": login.user, "password": password}
        response = self.send_request("POST", f"{self.base_url}/access/ticket", data=form, auth=credentials.no_auth)
        reader = Serializer()
        if response.status_code >= 400:
            raise error_mapping.from_status(
                response.status_code, reason=response.reason, errors_by_name=reader.loads_errors(response)
            )
        return login.accept(reader.loads(response))

    # By either

    @contextmanager
    def _throttled(self) -> Iterator[None]:
        """One attempt with the credential: whatever its outcome, the throttle is told."""
        try:
            self._throttle.acquire(self._config, patience=self._left())
        except errors.LoginRejected as error:
            self._rejected = error
            raise
        is_told = False
        try:
            yield
            is_told = True
            self._throttle.accepted(self._config)
        except errors.LoginRejected as error:
            is_told = True
            self._reject(error)
            raise
        finally:
            if not is_told:
                self._throttle.release(self._config)

    def _reject(self, error: errors.LoginRejected) -> None:
        self._rejected = error
        self._throttle.rejected(self._config, error)

    def _unless_rejected(self, response: requests.Response) -> requests.Response:
        """Raises `LoginRejected`."""
        if response.status_code == 401:
            name = self._config.credential_name
            raise error_mapping.from_status(401, reason=response.reason, errors_by_name={}, credential=name)
        return response

    def _left(self) -> float:
        try:
            return self.deadline.left()
        except TimeoutError:
            raise errors.TimedOut(sent=False) from None
