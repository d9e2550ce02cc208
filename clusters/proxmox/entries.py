"""The addresses of a cluster, and which of them to try first."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from clusters.config import ClusterConfig, split_address, validate_host
from clusters.proxmox import transport
from clusters.proxmox.certificates import context, pins
from clusters.proxmox.errors import NameNotFound
from clusters.proxmox.sockets import Deadline

MAX_ENTRIES = 32
FIRST_BACK_OFF = 5.0
LONGEST_BACK_OFF = 300.0
MAX_REMEMBERED = 1000


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Troubles:
    """Where connecting failed lately, in this process: each failure in a row doubles the time of being avoided."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._avoided: dict[Address, tuple[float, float]] = {}

    def failed(self, address: Address) -> None:
        with self._lock:
            _, pause = self._avoided.get(address, (0.0, FIRST_BACK_OFF / 2))
            pause = min(2 * pause, LONGEST_BACK_OFF)
            if len(self._avoided) >= MAX_REMEMBERED:
                self._avoided.clear()
            self._avoided[address] = time.monotonic() + pause, pause

    def answered(self, address: Address) -> None:
        with self._lock:
            self._avoided.pop(address, None)

    def clear(self) -> None:
        with self._lock:
            self._avoided.clear()

    def avoids(self, address: Address) -> bool:
        return time.monotonic() < self._avoided.get(address, (0.0, 0.0))[0]


troubles = Troubles()


class Entry:
    """One address, and the connections to it."""

    is_first = False

    def __init__(self, address: Address, pool: transport.Pool) -> None:
        self.address, self.pool = address, pool


class Entries:
    """Those of one session. `current` is the one that is asked, or was last.

    Raises `NameNotFound` and `CertificateRejected` when host or trust of the configuration cannot be used.
    """

    def __init__(self, config: ClusterConfig, deadline: Deadline) -> None:
        # Before a URL is made of it, which might read it otherwise.
        try:
            validate_host(config.host)
        except ValidationError:
            raise NameNotFound from None
        trusted = context(config, deadline)
        agreed = pins(config) if config.fingerprint else frozenset()
        first, *others = [
            Entry(address, transport.Pool(address.host, address.port, context=trusted, pins=agreed))
            for address in addresses(config)
        ]
        first.is_first = True
        self._all = [first, *others]
        self.current = first

    def in_turn(self) -> Iterator[tuple[Entry, int]]:
        """Each entry with how many attempts are left after it. The first has the last one, if there are several."""
        order = sorted(self._all, key=lambda entry: troubles.avoids(entry.address))
        order += self._all[:1] if len(order) > 1 else []
        for number, entry in enumerate(order, start=1):
            self.current = entry
            yield entry, len(order) - number

    def close(self) -> None:
        for entry in self._all:
            entry.pool.close()

    def drop_idle(self) -> None:
        for entry in self._all:
            entry.pool.drop_idle()


def addresses(config: ClusterConfig) -> tuple[Address, ...]:
    """The configured host, then the others; those that cannot be read are left out."""
    first = Address(config.host, config.port)
    others = (parse(text, port=config.port) for text in config.addresses)
    return tuple(dict.fromkeys([first, *filter(None, others)]))[:MAX_ENTRIES]


def parse(text: str, *, port: int) -> Address | None:
    found = split_address(text)
    return Address(found[0], found[1] or port) if found else None
