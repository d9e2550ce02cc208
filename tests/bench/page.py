"""The list of machines: what 50 of them cost beside 5, and how many queries."""

import statistics
from collections.abc import Callable

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from clusters.models import ClusterHealth
from tests.bench import database, report
from tests.bench.world import World
from vms import inventory
from vms.models import Assignment, VirtualMachine

ROUNDS = 7


def run() -> None:
    world = World(clusters=1, guests=1000)
    try:
        for config in database.enter(world):
            inventory.sync(config)
            ClusterHealth.succeeded(config.cluster_id)
    finally:
        world.stop()
    few, many = person("few", 5), person("many", 50)
    page: Callable[[Client], object] = lambda client: client.get("/vms/?cluster=")  # noqa: E731
    page(few), page(many)
    ratios = [report.cpu_ms(lambda: page(many)) / report.cpu_ms(lambda: page(few)) for _ in range(ROUNDS)]
    report.goal("list of 50 machines / of 5", statistics.median(ratios), 3.0, best=min(ratios))
    report.count("queries more for 50 than for 5", queries(lambda: page(many)) - queries(lambda: page(few)), 0)


def queries(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def person(name: str, count: int) -> Client:
    user = User.objects.create(username=name)
    free = VirtualMachine.objects.filter(assignments=None)[:count]
    Assignment.objects.bulk_create([Assignment(vm=machine, user=user) for machine in free])
    client = Client()
    client.force_login(user)
    return client
