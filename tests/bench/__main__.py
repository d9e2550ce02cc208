"""Benchmarks as ratios measured in one run: `bin/bench`. A ratio survives a slow machine, a time does not.

Prints `RATIO name value (what is compared)`, and counts, which are exact.
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext, setup_test_environment  # noqa: E402

from accounts.models import User  # noqa: E402
from clusters import proxmox  # noqa: E402
from clusters.models import Cluster, ClusterHealth  # noqa: E402
from pvesim import Simulator  # noqa: E402
from vms import inventory, registry  # noqa: E402
from vms.models import Assignment, VirtualMachine  # noqa: E402

ROUNDS = 7
MACHINES = 1000


def median_ms(act: Callable[[], object], *, times: int = 1) -> float:
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(times):
            act()
        taken.append((time.process_time() - begun) * 1000 / times)
    return statistics.median(taken)


def ratio(name: str, value: float, meaning: str) -> None:
    print(f"RATIO {name:28} {value:6.2f}  ({meaning})", flush=True)


def queries(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        act()
    return len(captured)


def bench_registry() -> None:
    plain = median_ms(lambda: list(Cluster.objects.all()), times=50)
    ratio("registry resolve", median_ms(registry.clusters, times=50) / plain, "against one plain query of all rows")

    def memoised() -> None:
        with registry.resolved_once():
            for _ in range(100):
                registry.clusters()

    ratio("100 resolves in a request", median_ms(memoised, times=5) / plain, "against one plain query of all rows")


def bench_sync(simulator: Simulator) -> None:
    lab = simulator.clusters["lab"]
    config = Cluster.objects.get(cluster_id="lab").config

    def fetch() -> None:
        with proxmox.connect(config) as pve:
            pve.resources()

    inventory.sync(config)
    lab.clear_requests()
    inventory.sync(config)
    calls = lab.count(path_regex="/cluster/resources")
    print(f"COUNT calls for a sync             {calls}  (of {len(lab.requests)} requests, {MACHINES} machines)")
    steady = median_ms(lambda: inventory.sync(config))
    ratio("steady sync", steady / median_ms(fetch), f"against fetching the answer alone, {MACHINES} machines")


def bench_page() -> None:
    few, many = _person("few", 5), _person("many", 50)
    page = lambda client: client.get("/vms/?cluster=")  # noqa: E731
    ratio("list of 50 machines", median_ms(lambda: page(many)) / median_ms(lambda: page(few)), "against a list of 5")
    print(
        f"COUNT queries for a list           {queries(lambda: page(few))} for 5, {queries(lambda: page(many))} for 50"
    )


def _person(name: str, count: int) -> Client:
    user = User.objects.create(username=name)
    free = VirtualMachine.objects.filter(assignments=None)[:count]
    Assignment.objects.bulk_create([Assignment(vm=machine, user=user) for machine in free])
    client = Client()
    client.force_login(user)
    return client


def main() -> None:
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    try:
        with Simulator() as simulator:
            lab = simulator.add_cluster("lab", nodes=("pve1", "pve2"), statd_interval=0.0)
            lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
            token = lab.add_token("portal@pve", "labs", privsep=False)
            for number in range(MACHINES):
                lab.add_guest(1000 + number, name=f"vm-{number}", node=f"pve{number % 2 + 1}", status="stopped")
            Cluster.objects.create(
                cluster_id="lab", name="Lab", host=lab.host, port=lab.port, user="portal@pve",
                token_id=token.full_id, token_secret=token.secret, ca_certificate=lab.ca_pem,
            )  # fmt: skip
            bench_registry()
            bench_sync(simulator)
            ClusterHealth.succeeded("lab")
            bench_page()
    finally:
        connection.creation.destroy_test_db(":memory:", verbosity=0)


main()
