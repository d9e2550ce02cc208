"""Consoles: what the way through the portal costs beside the direct one, for typing, for pictures and in memory.

Direct is the portal's own gateway to the simulated cluster, over TLS. Both ways take turns in one run.
"""

import asyncio
import itertools
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests
import uvloop
from django.test import Client
from websockets.asyncio.client import ClientConnection, connect

from accounts.models import User
from clusters import proxmox
from clusters.models import Cluster, ClusterHealth
from labportal.serve import MEMORY, UVICORN
from tests.bench import database, displays, report
from vms import inventory
from vms.models import Assignment, VirtualMachine

ROOT = Path(__file__).resolve().parent.parent.parent
CONSOLES = 30
ROUNDS, ECHOES = 8, 60
PICTURE, PICTURES = 64 * 1024, 1024  # 64 MiB
STALLED = 200 * 1024 * 1024
TURNS, TYPING, PAUSE = 5, 1.5, 0.05  # the last two in seconds
MIB = 1 << 20


class Way(Protocol):
    async def send(self, data: bytes) -> None: ...

    async def exactly(self, count: int) -> bytes: ...


class Page:
    """A browser's side."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket, self._rest = websocket, b""

    async def send(self, data: bytes) -> None:
        await self.websocket.send(data)

    async def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._rest += await self.websocket.recv(decode=False)
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    async def greet(self) -> None:
        await self.exactly(12)
        await self.send(displays.VERSION)
        await self.exactly(2)
        await self.send(b"\x01")
        await self.exactly(4)
        await self.send(b"\x01")
        await self.exactly(29)


@dataclass
class Portal:
    """One process of the product's server."""

    port: int
    pid: int

    def resident(self) -> float:
        """MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * 4096 / MIB

    def permit(self, client: Client, pk: int) -> str:
        answer = client.post(f"/vms/{pk}/console/grant/", {"mode": "control"})
        return f"ws://127.0.0.1:{self.port}{answer.json()['socket']}"

    @asynccontextmanager
    async def page(self, url: str, client: Client) -> AsyncIterator[Page]:
        headers = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
        origin: Any = f"http://127.0.0.1:{self.port}"
        ways = {"origin": origin, "additional_headers": headers, "compression": None, "proxy": None}
        async with connect(url, **ways) as websocket:
            page = Page(websocket)
            await page.greet()
            yield page


def run() -> None:
    with displays.begun(CONSOLES) as place:
        people = enter(place)
        with served() as portal:  # a third process beside display and page: on two cores they share
            uvloop.run(measure(portal, people))


@contextmanager
def served() -> Iterator[Portal]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        quiet = ["--no-access-log", "--log-level", "critical", "--fd", str(number)]
        process = subprocess.Popen(
            [sys.executable, *UVICORN, *quiet], cwd=ROOT, env=database.environment() | MEMORY, pass_fds=[number]
        )
        try:
            port = listener.getsockname()[1]
            with requests.Session() as session:
                session.trust_env = False
                session.get(f"http://127.0.0.1:{port}/healthz", timeout=30)
            yield Portal(port, process.pid)
        finally:
            process.terminate()
            process.wait(20)


def enter(place: dict[str, Any]) -> list[tuple[Client, VirtualMachine]]:
    """The cluster's row, and a person with a login for each machine."""
    place.pop("guests")
    Cluster.objects.all().delete()
    Cluster.objects.create(cluster_id="bench", name="Bench", user="portal@pve", **place)
    inventory.sync(Cluster.objects.get().config)
    ClusterHealth.succeeded("bench")
    people = []
    for machine in VirtualMachine.objects.select_related("cluster").order_by("vmid"):
        user = User.objects.create(username=f"console-{machine.vmid}")
        Assignment.objects.create(vm=machine, user=user)
        client = Client()
        client.force_login(user)
        people.append((client, machine))
    return people


async def measure(portal: Portal, people: list[tuple[Client, VirtualMachine]]) -> None:
    client, machine = people[0]
    way = await asyncio.to_thread(direct_way, machine)
    url = await asyncio.to_thread(portal.permit, client, machine.pk)
    async with proxmox.open_vnc(way) as direct, portal.page(url, client) as page:
        await direct.send(b"\x01")
        await direct.exactly(29)
        await added_round_trip(direct, page)
        await throughput(direct, page)
    await stalled(portal, *people[1])
    await many(portal, people)


def direct_way(machine: VirtualMachine) -> proxmox.ConsoleEndpoint:
    with proxmox.connect(Cluster.objects.get().config) as pve:
        return pve.console_endpoint(machine.node, machine.kind, machine.vmid)


async def added_round_trip(direct: Way, page: Way) -> None:
    added = []
    await echoes(direct), await echoes(page)
    for _ in range(ROUNDS):
        plain, carried = await echoes(direct), await echoes(page)
        added.append(statistics.median(carried) - statistics.median(plain))
    report.goal("round trip added", statistics.median(added), 0.5, unit=" ms", best=min(added))


async def echoes(way: Way) -> list[float]:
    """Milliseconds."""
    return [await echo(way) for _ in range(ECHOES)]


async def echo(way: Way) -> float:
    begun = time.perf_counter()
    await way.send(displays.ask(8, 1))
    await way.exactly(8)
    return (time.perf_counter() - begun) * 1000


async def throughput(direct: Way, page: Way) -> None:
    ratios = []
    await pictures(direct), await pictures(page)
    for _ in range(ROUNDS):
        plain, carried = await pictures(direct), await pictures(page)
        ratios.append(carried / plain)
    mib = PICTURE * PICTURES / MIB
    report.goal("seconds for pictures / direct", statistics.median(ratios), 1 / 0.6, best=min(ratios))
    report.tell("through the portal", f"{mib / carried:.0f} MiB/s, direct {mib / plain:.0f} MiB/s")


async def pictures(way: Way) -> float:
    """Seconds."""
    begun = time.perf_counter()
    await way.send(displays.ask(PICTURE, PICTURES))
    for _ in range(PICTURES):
        await way.exactly(PICTURE)
    return time.perf_counter() - begun


async def stalled(portal: Portal, client: Client, machine: VirtualMachine) -> None:
    """A browser that asks for much and reads nothing."""
    url = await asyncio.to_thread(portal.permit, client, machine.pk)
    async with portal.page(url, client) as page:
        before = portal.resident()
        await page.send(displays.ask(PICTURE, STALLED // PICTURE))
        most = 0.0
        for _ in range(30):
            await asyncio.sleep(0.1)
            most = max(most, portal.resident() - before)
        page.websocket.transport.abort()
    report.goal("memory of a stalled browser", most, 8.0, unit=" MiB")


async def many(portal: Portal, people: list[tuple[Client, VirtualMachine]]) -> None:
    async with AsyncExitStack() as stack:
        pages, directs = [], []
        for client, machine in people:
            way = await asyncio.to_thread(direct_way, machine)
            directs.append(await stack.enter_async_context(proxmox.open_vnc(way)))
            await directs[-1].send(b"\x01")
            await directs[-1].exactly(29)
            url = await asyncio.to_thread(portal.permit, client, machine.pk)
            pages.append(await stack.enter_async_context(portal.page(url, client)))
        plain, carried = [], []
        for _ in range(TURNS):
            plain.append(await together(directs))
            carried.append(await together(pages))
        report.tell(f"resident with {len(pages)} consoles", f"{portal.resident():.0f} MiB")
    report.count("consoles at once in one process", len(pages), CONSOLES)
    slow = [took[int(len(took) * 0.99)] for took in carried]
    report.goal(f"p99 of {len(pages)} who type", statistics.median(slow), 20.0, unit=" ms", best=min(slow))
    report.tell("the same directly", f"{statistics.median(took[int(len(took) * 0.99)] for took in plain):.2f} ms")
    middle = statistics.median(itertools.chain(*carried)), statistics.median(itertools.chain(*plain))
    report.tell("median of them, and directly", "{:.2f} ms, {:.2f} ms".format(*middle))


async def together(ways: Sequence[Way]) -> list[float]:
    """The round trips of all of them, in order."""
    return sorted(itertools.chain(*await asyncio.gather(*map(typing, ways))))


async def typing(page: Way) -> list[float]:
    took, end = [], time.monotonic() + TYPING
    while time.monotonic() < end:
        took.append(await echo(page))
        await asyncio.sleep(PAUSE)
    return took
