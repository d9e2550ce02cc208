"""The state of a cluster: its nodes, guests, accounts and tasks."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

from pvesim.accounts import Accounts
from pvesim.acl import AccessList
from pvesim.console.consoles import Consoles
from pvesim.guests import Guest
from pvesim.mixins import AccountMixin, ConsoleMixin, GuestMixin
from pvesim.nodes import Node
from pvesim.ordering import Ordering
from pvesim.outages import OutageMixin, Ports
from pvesim.power import Durations, Power
from pvesim.releases import NEWEST, release_named
from pvesim.request_log import Request, RequestLog
from pvesim.response_cache import ResponseCache
from pvesim.statd import Statd
from pvesim.storage import DEFAULT_STORAGES, Storage
from pvesim.tasks import Tasks
from pvesim.tickets import Tickets, new_key
from pvesim.timeline import Timeline
from pvesim.tls import Authority

HOST = "127.0.0.1"
# What the resolver of the nodes says of a name that it does not know.
NAME_UNKNOWN = "Name or service not known"


class Options(TypedDict, total=False):
    """How a cluster differs from an ordinary one. `release` is what it passes for: 7.4, 8.4 or 9.2.

    Intervals and delays are seconds of simulated time. `shuffled`: keys and rows come in another order at each call, as
    on a real server; without it, they are always the same.
    """

    standalone: bool
    first_port: int
    statd_interval: float
    unauthorized_delay: float
    agent_delay: float
    console_delay: float
    durations: Durations | None
    release: str
    shuffled: bool


class ClusterState(AccountMixin, GuestMixin, ConsoleMixin, OutageMixin):
    def __init__(
        self,
        name: str,
        nodes: Sequence[str],
        *,
        ports: Ports,
        timeline: Timeline,
        seed: int,
        standalone: bool = False,
        first_port: int = 0,
        statd_interval: float = 10.0,
        unauthorized_delay: float = 0.0,
        agent_delay: float = 0.0,
        console_delay: float = 0.0,
        durations: Durations | None = None,
        release: str = NEWEST,
        shuffled: bool = True,
    ) -> None:
        if standalone and len(nodes) != 1:
            raise ValueError("a standalone cluster has exactly one node")
        self.name = name
        self.standalone = standalone
        self.unauthorized_delay = unauthorized_delay
        self.agent_delay = agent_delay
        self.console_delay = console_delay
        self.durations = durations or Durations()
        self.release = release_named(release)
        self.timeline = timeline
        self.began = timeline.now()
        self.rng = random.Random(f"{seed}:{name}")  # noqa: S311 - every run is to be the same
        self.ordering = Ordering(random.Random(f"{seed}:{name}:order"), shuffled=shuffled)  # noqa: S311 - the same
        self.authority = Authority(str(uuid.UUID(int=self.rng.getrandbits(128), version=4)))
        self.nodes = {
            node: Node(node, number, self.authority, port=first_port + number - 1 if first_port else 0)
            for number, node in enumerate(nodes, start=1)
        }
        self.access = AccessList(self.release.major)
        self.accounts = Accounts(self.access, self.rng)
        self.tickets = Tickets(new_key(f"{seed}:{name}"))
        self.tasks = Tasks(timeline, self.rng)
        self.statd = Statd(timeline, statd_interval)
        self.resolver_error = NAME_UNKNOWN
        self.keyboard = ""  # of its options; empty: not set
        self.storages: tuple[Storage, ...] = DEFAULT_STORAGES
        # By VNet, its zone; bridges of the nodes are in `localnetwork`.
        self.vnets: dict[str, str] = {}
        self.bridges = {"vmbr0"}
        self.options: dict[str, str] = {}
        self._allocated: Counter[tuple[str, str]] = Counter()  # by storage and node, bytes
        self._allocated_at = -1
        self.consoles = Consoles(name, self, self.tasks)
        self.request_log = RequestLog()
        self.response_cache = ResponseCache()
        self._ports = ports

    # --- where it is ---

    @property
    def host(self) -> str:
        return HOST

    @property
    def ports(self) -> dict[str, int]:
        return {node.name: node.port for node in self.nodes.values()}

    @property
    def port(self) -> int:
        return next(iter(self.nodes.values())).port

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def urls(self) -> dict[str, str]:
        return {name: f"https://{self.host}:{port}" for name, port in self.ports.items()}

    @property
    def ca_pem(self) -> str:
        return self.authority.certificate.pem

    def fingerprint(self, node: str | None = None) -> str:
        return self.nodes[node or next(iter(self.nodes))].certificate.fingerprint

    def renew_certificate(self, node: str) -> None:
        self.nodes[node].renew_certificate()

    def power(self, guest: Guest) -> Power:
        return Power(guest, self.durations, self.tasks, self.bridges)

    def storage(self, name: str) -> Storage | None:
        return next((storage for storage in self.storages if storage.name == name), None)

    def network_path(self, bridge: str) -> str:
        """Where SDN.Use is asked for before a card is put on a bridge or a VNet."""
        return f"/sdn/zones/{self.vnets.get(bridge, 'localnetwork')}/{bridge}"

    def used(self, storage: Storage, node: str) -> int:
        """Bytes, as this node sees it."""
        if self._allocated_at != self.timeline.generation:
            self._allocated_at, self._allocated = self.timeline.generation, Counter()
            for guest in self.statd.guests.values():
                self._allocated[guest.storage, guest.node] += guest.allocated
        return storage.used + sum(
            size
            for (name, where), size in self._allocated.items()
            if name == storage.name and storage.is_reached_from(node, where)
        )

    # --- what was asked ---

    @property
    def requests(self) -> list[Request]:
        return self.request_log.all()

    def count(self, method: str | None = None, path_regex: str = "") -> int:
        return self.request_log.count(method, path_regex)

    def clear_requests(self) -> None:
        self.request_log.clear()
