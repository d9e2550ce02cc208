"""Keeping 20 clusters of 1,000 machines up to date, beside the floor of writing everything, in turns in one run."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.utils import timezone

from clusters.config import ClusterConfig
from clusters.models import Cluster
from clusters.proxmox import sockets
from labportal.serve import MEMORY
from tests.bench import database, report
from tests.bench.floor import Floor
from tests.bench.simulator import cpu_of
from tests.bench.world import FIRST, World
from tests.waits import TIMEOUT
from vms import inventory
from vms.inventory import last_read
from vms.models import ClusterSync, VirtualMachine

CLUSTERS, GUESTS, ROUNDS = 20, 1000, 7
INTERVAL = 3  # seconds
# Of so many reads one is whole, and the others look only at what differs.
TURNS = last_read.FULL_READ_EVERY / INTERVAL
SAMPLES = 4
PEAKS = 3  # measured processes: a peak depends on how many clusters answer at the same moment
# The many: each smaller, and each read more seldom.
MANY, FEWER, SELDOM = 100, 200, 5  # clusters, guests of each, seconds


def run() -> None:
    world = World(clusters=CLUSTERS, guests=GUESTS)
    try:
        configs = database.enter(world)
        measure_cpu(world, configs)
        measure_memory(configs)
        measure_freshness(world, CLUSTERS, interval=INTERVAL)
    finally:
        world.stop()
    many = World(clusters=MANY, guests=FEWER)
    try:
        database.enter(many)
        measure_freshness(many, MANY, interval=SELDOM)
    finally:
        many.stop()


def sync_all(configs: list[ClusterConfig]) -> None:
    for config in configs:
        outcome = inventory.sync(config)
        if outcome.problem:
            raise RuntimeError(f"{config.cluster_id}: {outcome.problem}")


def sync_whole(configs: list[ClusterConfig]) -> None:
    for config in configs:
        last_read.forget(config.cluster_id)
    sync_all(configs)


def measure_cpu(world: World, configs: list[ClusterConfig]) -> None:
    floor = Floor(world.places)
    with counted_handshakes() as handshakes:
        sync_all(configs)
        floor.sync()
        world.ask("calls")
        parts, wholes, floors = [], [], []
        for _ in range(ROUNDS):
            world.ask("churn", 1)
            parts.append(report.cpu_ms(lambda: sync_all(configs)))
            calls = world.ask("calls")
            floors.append(report.cpu_ms(floor.sync))
            world.ask("churn", 1)
            wholes.append(report.cpu_ms(lambda: sync_whole(configs)))
            world.ask("calls")
    ours = [(part * (TURNS - 1) + whole) / TURNS for part, whole in zip(parts, wholes, strict=True)]
    ratios = [mine / least for mine, least in zip(ours, floors, strict=True)]
    report.tell(f"CPU of reading {CLUSTERS} x {GUESTS}", report.spread(ours))
    report.tell("of it: looking only at what differs", report.spread(parts))
    report.tell("of it: looking at everything, once a minute", report.spread(wholes))
    report.tell("CPU of the floor: fetch, parse, upsert all", report.spread(floors))
    report.tell("sync CPU at an interval of 3 s", f"{statistics.median(ours) / INTERVAL / 10:8.1f} % of a core")
    name = f"sync CPU / floor, 1 % churn, {connection.vendor}"
    report.goal(name, statistics.median(ratios), 0.6, best=min(ratios))
    report.count("API calls a sync and cluster", max(calls.values()), 1)
    report.count("API calls a sync and cluster, at least", min(calls.values()), 1)
    report.count("TLS handshakes a cluster and process", handshakes[0] / CLUSTERS, 1)


@contextmanager
def counted_handshakes() -> Iterator[list[int]]:
    """Of the gateway's connections, those of the floor not among them."""
    made, shake = [0], sockets._Socket.do_handshake

    def counted(self: Any, block: bool = False) -> None:
        made[0] += 1
        shake(self, block)

    sockets._Socket.do_handshake = counted  # type: ignore[method-assign]
    try:
        yield made
    finally:
        sockets._Socket.do_handshake = shake  # type: ignore[method-assign]


# Memory


def measure_memory(configs: list[ClusterConfig]) -> None:
    few, many = (statistics.median(peak_kib(count) for _ in range(PEAKS)) for count in (2, len(configs)))
    report.tell("peak of a process with 2 clusters, with all", f"{few / 1024:.0f} MiB, {many / 1024:.0f} MiB")
    report.goal("memory a guest", (many - few) / (GUESTS * (len(configs) - 2)), 2, unit=" KiB")


def peak_kib(clusters: int) -> int:
    """Of a process that reads so many clusters, a few times, with the threads of a worker, as `bin/serve` starts it."""
    command = [sys.executable, "-m", "tests.bench.peak", str(clusters)]
    environment = {**MEMORY, **database.environment()}
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=300)
    return int(found.stdout)


# Freshness


def measure_freshness(world: World, clusters: int, *, interval: int) -> None:
    """With the real worker as a process of its own. The interval is in seconds."""
    for row in Cluster.objects.all():
        ClusterSync.objects.update_or_create(cluster=row, defaults={"interval": interval, "due_at": timezone.now()})
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        env=database.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        tag_and_wait(world, "warm-up", clusters, patience=60)
        if worker.poll() is not None:
            raise RuntimeError(f"The worker ended: {worker.communicate(timeout=TIMEOUT)[1][-2000:]}")
        used, begun = cpu_of(worker.pid), time.monotonic()
        taken = sorted(took for number in range(SAMPLES) for took in tag_and_wait(world, f"fresh-{number}", clusters))
        share = (cpu_of(worker.pid) - used) / (time.monotonic() - begun) * 100
    finally:
        worker.terminate()
        worker.communicate(timeout=TIMEOUT)
    report.tell(f"CPU of the worker with {clusters} clusters", f"{share:8.1f} % of a core")
    report.tell(f"change to committed row, {clusters} clusters", f"{statistics.median(taken):8.1f} s of {len(taken)}")
    p95 = taken[int(len(taken) * 0.95) - 1]
    name = f"change to committed row, {clusters} clusters, p95"
    report.goal(f"{name}, interval {interval} s", p95, interval + 1, unit=" s")


def tag_and_wait(world: World, name: str, clusters: int, *, patience: float = 15) -> list[float]:
    """Seconds until each cluster's row has the new tag."""
    begun, taken = time.monotonic(), []
    world.ask("tag", name)
    while len(taken) < clusters and time.monotonic() - begun < patience:
        there = VirtualMachine.objects.filter(vmid=FIRST, tags=name).count()
        taken += [time.monotonic() - begun] * (there - len(taken))
        time.sleep(0.02)
    time.sleep(len(name) % 3 * 0.7)  # another moment of the interval next time
    return taken + [patience] * (clusters - len(taken))
