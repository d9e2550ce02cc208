"""Who may log in now: so that a rejected credential is not tried again and again, by whatever number of processes."""

from typing import Protocol

from clusters.config import ClusterConfig
from clusters.proxmox.errors import LoginRejected


class LoginGate(Protocol):
    """Asked before each login with a password, and before the first call of each connection by a token.

    An `enter` that returned is followed by one of `accepted`, `rejected` and `left`. `rejected` may also come by
    itself, when a credential stops working. What counts is `config.cluster_id`, `config.credential_version`, and with
    `config.reads_only` that it is the read-only token.
    """

    def enter(self, config: ClusterConfig, *, patience: float) -> None:
        """Return when the credential may be tried, after waiting at most this many seconds for somebody else's try.

        Raises `LoginRejected` when this version of the credential was rejected before, and `TimedOut`, as not sent,
        when the turn did not come. By a token, that would be a login, nobody needs to wait.
        """

    def accepted(self, config: ClusterConfig) -> None:
        """The cluster took the credential."""

    def rejected(self, config: ClusterConfig, error: LoginRejected) -> None:
        """The cluster did not, and this version of the credential is not to be tried again."""

    def left(self, config: ClusterConfig) -> None:
        """There was no verdict: the cluster could not be reached, or had other troubles."""


class OpenGate:
    """Lets everybody in."""

    def enter(self, config: ClusterConfig, *, patience: float) -> None:
        pass

    def accepted(self, config: ClusterConfig) -> None:
        pass

    def rejected(self, config: ClusterConfig, error: LoginRejected) -> None:
        pass

    def left(self, config: ClusterConfig) -> None:
        pass
