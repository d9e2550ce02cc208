"""Accounts, tickets and rights which change under way."""

from __future__ import annotations

from uuid import UUID

from pvesim.faults.base import ClusterFaults
from pvesim.tickets import LIFE, new_key


class LoginFaults(ClusterFaults):
    def token_revoked(self, token: str) -> None:
        """The token is gone."""
        tokens = self._cluster.accounts.tokens
        former = tokens.pop(token)
        self._undo.append(lambda: tokens.update({token: former}))

    def token_expired(self, token: str) -> None:
        self._change(self._cluster.token(token), expire=self._past)

    def token_secret_changed(self, token: str, secret: str = str(UUID(int=0, version=4))) -> None:
        self._change(self._cluster.token(token), secret=secret)

    def user_disabled(self, user: str) -> None:
        """Tickets, tokens and the password of the user are good for nothing."""
        self._change(self._cluster.user(user), enabled=False)

    def user_expired(self, user: str) -> None:
        self._change(self._cluster.user(user), expire=self._past)

    def password_changed(self, user: str, password: str = "another password") -> None:  # noqa: S107 - not a secret
        """Tickets which were given out stay good."""
        self._change(self._cluster.user(user), password=password)

    def second_factor_required(self, user: str, secret: str = "JBSWY3DPEHPK3PXP") -> None:  # noqa: S107 - not a secret
        """The password alone is answered with a challenge."""
        self._change(self._cluster.user(user), totp=secret, wrong_codes=0)

    def clock_jump(self, seconds: float = LIFE + 1) -> None:
        """The clocks of the nodes jump: tickets expire, or come from the future."""
        self._change(self._cluster.tickets, drift=self._cluster.tickets.drift + seconds)

    def tickets_void(self) -> None:
        """The signing key is another one: every ticket given out is worthless, a new login helps."""
        key = self._cluster.tickets.key
        self._change(self._cluster.tickets, key=new_key(key.hex()))

    def csrf_refused(self) -> None:
        """CSRF tokens given out are wrong, tickets are not; a new login helps."""
        self._change(self._cluster.tickets, csrf_salt=self._cluster.tickets.csrf_salt + "+")

    def rights_removed(self, holder: str, path: str = "", after: str = "") -> None:
        """A user, a token or `@group` loses its roles, at `path` or everywhere; at once, or after such an answer."""
        access = self._cluster.access
        lost = [entry for entry in access.entries() if entry.holder == holder and path in ("", entry.path)]

        def remove() -> None:
            for entry in lost:
                access.revoke(entry.path, holder, entry.role)

        def restore() -> None:
            for entry in lost:
                access.grant(entry.path, holder, entry.role, entry.propagate)

        self._now_or_after(after, remove)
        self._undo.append(restore)

    @property
    def _past(self) -> int:
        return int(self._cluster.timeline.now()) - 1
