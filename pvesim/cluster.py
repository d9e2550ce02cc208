"""A cluster: its nodes, guests, accounts and tasks, and the handles by which tests move them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Sequence
from typing import Protocol

from pvesim.accounts import Accounts, Token, User
from pvesim.acl import AccessList, Grants
from pvesim.faults import Faults
from pvesim.guests import GIB, Agent, Guest, Kind, Status
from pvesim.journal import Journal, Request
from pvesim.nodes import Node
from pvesim.power import Durations, Power
from pvesim.statd import Statd
from pvesim.storage import DEFAULT_STORAGES, Storage
from pvesim.tasks import Tasks
from pvesim.tickets import Tickets, new_key
from pvesim.timeline import Timeline
from pvesim.tls import Authority

HOST = "127.0.0.1"


class Ports(Protocol):
    """Opens and closes the ports of nodes."""

    def open(self, cluster: Cluster, node: Node) -> None: ...

    def close(self, node: Node) -> None: ...


class Cluster:
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
        durations: Durations | None = None,
    ) -> None:
        if standalone and len(nodes) != 1:
            raise ValueError("a standalone cluster has exactly one node")
        self.name = name
        self.standalone = standalone
        self.unauthorized_delay = unauthorized_delay
        self.agent_delay = agent_delay
        self.durations = durations or Durations()
        self.timeline = timeline
        self.began = timeline.now()
        self.rng = random.Random(f"{seed}:{name}")  # noqa: S311 - every run is to be the same
        self.authority = Authority(str(uuid.UUID(int=self.rng.getrandbits(128), version=4)))
        self.nodes = {
            node: Node(node, number, self.authority, port=first_port + number - 1 if first_port else 0)
            for number, node in enumerate(nodes, start=1)
        }
        self.access = AccessList()
        self.accounts = Accounts(self.access, self.rng)
        self.tickets = Tickets(new_key(f"{seed}:{name}"))
        self.tasks = Tasks(timeline, self.rng)
        self.statd = Statd(timeline, statd_interval)
        self.storages: tuple[Storage, ...] = DEFAULT_STORAGES
        self.faults = Faults()
        self.journal = Journal()
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

    # --- whether it is there ---

    def start(self) -> None:
        for name in self.nodes:
            self.start_node(name)

    def stop(self) -> None:
        for name in self.nodes:
            self.stop_node(name)

    def start_node(self, name: str) -> None:
        node = self.nodes[name]
        with self.timeline.lock:
            self.timeline.settle()
            node.online = True
            self.statd.silent_nodes.pop(name, None)
        self._ports.open(self, node)

    def stop_node(self, name: str, reason: str = "No route to host", patience: float = 0.0) -> None:
        """Close the node's port; the others answer 595 with this reason, after this many seconds."""
        self.lose_node(name, reason, patience)
        self._ports.close(self.nodes[name])

    def lose_node(self, name: str, reason: str = "No route to host", patience: float = 0.0) -> None:
        """The other nodes do not reach this one any more; its own port stays open."""
        node = self.nodes[name]
        with self.timeline.lock:
            self.timeline.settle()
            node.online = False
            node.unreachable, node.patience = reason, patience
            self.statd.silence(name)

    def is_quorate(self, asked: Node) -> bool:
        """Whether the asked node sees a majority."""
        online = sum(node.online for node in self.nodes.values()) if asked.online else 1
        return online * 2 > len(self.nodes)

    def sees(self, asked: Node, other: Node) -> bool:
        return asked is other or (asked.online and other.online)

    # --- who may do what ---

    def add_user(
        self, userid: str, password: str, *, enabled: bool = True, expire: int = 0, acl: Grants | None = None
    ) -> User:
        with self.timeline.lock:
            return self.accounts.add_user(userid, password=password, enabled=enabled, expire=expire, acl=acl)

    def add_token(
        self,
        userid: str,
        tokenid: str,
        *,
        privsep: bool = True,
        expire: int = 0,
        secret: str | None = None,
        acl: Grants | None = None,
    ) -> Token:
        with self.timeline.lock:
            return self.accounts.add_token(userid, tokenid, privsep=privsep, expire=expire, secret=secret, acl=acl)

    def user(self, userid: str) -> User:
        return self.accounts.users[userid]

    def token(self, full_id: str) -> Token:
        return self.accounts.tokens[full_id]

    def remove_user(self, userid: str) -> None:
        with self.timeline.lock:
            self.accounts.remove_user(userid)

    def remove_token(self, full_id: str) -> None:
        with self.timeline.lock:
            self.accounts.remove_token(full_id)

    def add_role(self, name: str, privileges: Iterable[str]) -> None:
        self.access.roles[name] = frozenset(privileges)

    def grant(self, path: str, holder: str, role: str, propagate: bool = True) -> None:
        with self.timeline.lock:
            self.access.grant(path, holder, role, propagate)

    def revoke(self, path: str, holder: str, role: str | None = None) -> None:
        with self.timeline.lock:
            self.access.revoke(path, holder, role)

    def add_pool(self, name: str, comment: str = "", vmids: Iterable[int] = ()) -> None:
        with self.timeline.lock:
            self.access.pools.add(name, comment)
            for vmid in vmids:
                self.access.pools.put(vmid, name)

    def put_in_pool(self, vmid: int, name: str | None) -> None:
        with self.timeline.lock:
            self.access.pools.put(vmid, name)

    # --- guests ---

    def add_guest(
        self,
        vmid: int,
        name: str | None = None,
        node: str | None = None,
        kind: Kind = "qemu",
        status: Status = "stopped",
        *,
        pool: str | None = None,
        tags: Sequence[str] = (),
        template: bool = False,
        acpi: bool = True,
        agent: Agent = "off",
        lock: str | None = None,
        description: str = "",
        maxcpu: int = 1,
        maxmem: int = GIB,
        maxdisk: int = 8 * GIB,
        addresses: Sequence[str] = (),
    ) -> Guest:
        with self.timeline.lock:
            node = node or next(iter(self.nodes))
            if node not in self.nodes or vmid in self.statd.guests:
                raise ValueError(f"no node '{node}', or guest {vmid} exists already")
            guest = Guest(
                self.timeline,
                vmid,
                name or f"vm-{vmid}",
                node,
                kind,
                status,
                tags=tuple(tags),
                template=template,
                acpi=acpi,
                agent=agent,
                lock=lock,
                description=description,
                maxcpu=maxcpu,
                maxmem=maxmem,
                maxdisk=maxdisk,
                addresses=tuple(addresses),
            )
            self.enlist(guest, pool)
            self.statd.publish([guest])
            return guest

    def enlist(self, guest: Guest, pool: str | None = None) -> None:
        self.statd.guests[guest.vmid] = guest
        if pool:
            self.access.pools.put(guest.vmid, pool)

    def remove_guest(self, vmid: int) -> None:
        """A removed guest takes its permissions and its place in a pool with it."""
        with self.timeline.lock:
            del self.statd.guests[vmid]
            self.statd.forget(vmid)
            self.access.forget_path(f"/vms/{vmid}")
            self.access.pools.put(vmid, None)

    def guest(self, vmid: int) -> Guest:
        self.timeline.settle()
        return self.statd.guests[vmid]

    @property
    def guests(self) -> list[Guest]:
        with self.timeline.lock:
            self.timeline.settle()
            return [self.statd.guests[vmid] for vmid in sorted(self.statd.guests)]

    def power(self, guest: Guest) -> Power:
        return Power(guest, self.durations, self.tasks)

    # --- what was asked ---

    @property
    def requests(self) -> list[Request]:
        return self.journal.all()

    def count(self, method: str | None = None, path_regex: str = "") -> int:
        return self.journal.count(method, path_regex)

    def clear_requests(self) -> None:
        self.journal.clear()
