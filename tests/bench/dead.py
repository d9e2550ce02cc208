"""Clusters that hang: when the last of the others is committed, with a thread for each as the worker has."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from clusters.config import ClusterConfig
from clusters.models import ClusterHealth
from tests.bench import database, report
from tests.bench.world import World
from vms import inventory
from vms.models import ClusterSync

CLUSTERS, GUESTS, HANGING, ROUNDS = 20, 200, 5, 7
DEADLINE = 2  # seconds


def run() -> None:
    world = World(clusters=CLUSTERS, guests=GUESTS)
    try:
        configs = database.enter(world)
        for config in configs:
            ClusterSync.objects.update_or_create(cluster_id=config.cluster_id, defaults={"deadline": DEADLINE})
        measure(world, configs)
    finally:
        world.stop()


def measure(world: World, configs: list[ClusterConfig]) -> None:
    last_healthy(configs)
    alone, beside, cycles = [], [], []
    for _ in range(ROUNDS):
        world.ask("hang", 0)
        last_healthy(configs)  # opens the connections again that hung
        alone.append(last_healthy(configs)[0])
        world.ask("hang", HANGING)
        last, cycle = last_healthy(configs)
        beside.append(last)
        cycles.append(cycle)
    report.tell("last healthy commit, none hanging", report.spread([seconds * 1000 for seconds in alone]))
    report.tell(f"last healthy commit, {HANGING} of {CLUSTERS} hanging", report.spread([s * 1000 for s in beside]))
    ratios = [with_dead / without for with_dead, without in zip(beside, alone, strict=True)]
    report.goal(f"last healthy commit, {HANGING} hanging / none", statistics.median(ratios), 1.25, best=min(ratios))
    report.goal(
        "a hanging cycle / its deadline", statistics.median(cycles) / DEADLINE, 1.25, best=min(cycles) / DEADLINE
    )
    failing = ClusterHealth.objects.filter(ok=False).count()
    report.count("clusters written down as failing", failing, HANGING)


def last_healthy(configs: list[ClusterConfig]) -> tuple[float, float]:
    """Seconds until the last of those that never hang is committed, and until all have ended."""
    begun = time.monotonic()

    def read(config: ClusterConfig) -> float:
        try:
            inventory.sync(config)
            return time.monotonic() - begun
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(configs)) as pool:
        ended = list(pool.map(read, configs))
    return max(ended[HANGING:]), max(ended)
