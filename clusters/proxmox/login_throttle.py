"""Who may log in now: so that a rejected credential is not tried again and again, by whatever number of processes."""

from clusters.config import ClusterConfig
from clusters.proxmox.errors import LoginRejected


class LoginThrottle:
    """Asked before each login with a password, and before the first call of each connection by a token.

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

    def rejected(self, config: ClusterConfig, error: LoginRejected) -> None:
        """The cluster did not, and this version of the credential is not to be tried again."""

    def release(self, config: ClusterConfig) -> None:
        """The attempt ended without an answer about the credential: it could not be reached, for instance."""
