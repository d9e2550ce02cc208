"""Asking which clusters there are: queries, decryptions, and time beside asking the ORM each time."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.encrypted_fields import Secret
from clusters.models import Cluster
from tests.bench import report
from vms import registry

ROUNDS, TIMES = 9, 40


def run() -> None:
    for clusters in (1, 20):
        fill(clusters)
        measure(clusters)


def fill(clusters: int) -> None:
    Cluster.objects.all().delete()
    for number in range(clusters):
        Cluster.objects.create(
            cluster_id=f"c-{number}", name=f"Cluster {number}", host="192.0.2.1", user="portal@pve", password="secret"
        )


def measure(clusters: int) -> None:
    with CaptureQueriesContext(connection) as asked, counted_decryptions() as decrypted:
        a_request()
    report.count(f"queries of a request that asks 100 times, {clusters}", len(asked), 1)
    report.count(f"decryptions of it, {clusters}", decrypted[0], 0)
    first, orm, again, plain = [], [], [], []
    for _ in range(ROUNDS):
        orm.append(microseconds(uncached))
        first.append(microseconds(registry.clusters))
        with registry.resolved_once():
            registry.clusters()
            again.append(microseconds(registry.clusters, times=TIMES * 50))
        plain.append(microseconds(uncached_with_passwords))
    report.tell(f"first use, again, ORM, with passwords ({clusters})", _microseconds(first, again, orm, plain))
    ratios = [mine / theirs for mine, theirs in zip(first, plain, strict=True)]
    report.goal(f"first use / ORM with passwords, {clusters}", statistics.median(ratios), 1.0, best=min(ratios))
    ratios = [mine / theirs for mine, theirs in zip(again, orm, strict=True)]
    report.goal(f"again in a request / uncached ORM, {clusters}", statistics.median(ratios), 0.04, best=min(ratios))


def a_request() -> None:
    with registry.resolved_once():
        for _ in range(100):
            registry.clusters()


def uncached() -> object:
    return list(Cluster.objects.active())


def uncached_with_passwords() -> object:
    """As the legacy portal did it."""
    return [row.config.to_dict() for row in Cluster.objects.active()]


def microseconds(act: Callable[[], object], *, times: int = TIMES) -> float:
    begun = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - begun) / times * 1e6


def _microseconds(*series: list[float]) -> str:
    return ", ".join(f"{statistics.median(values):.1f}" for values in series) + " µs"


@contextmanager
def counted_decryptions() -> Iterator[list[int]]:
    made, reveal = [0], Secret.reveal

    def counted(self: Secret) -> str:
        made[0] += 1
        return reveal(self)

    Secret.reveal = counted  # type: ignore[method-assign]
    try:
        yield made
    finally:
        Secret.reveal = reveal  # type: ignore[method-assign]
