"""The peak of a process that reads so many clusters with the threads of a worker: `python -m tests.bench.peak 20`."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django

django.setup()

from django.db import connections  # noqa: E402

from clusters.config import ClusterConfig  # noqa: E402
from clusters.models import Cluster  # noqa: E402
from vms import inventory  # noqa: E402
from vms.worker.process import THREADS  # noqa: E402

TIMES = 3


def main(count: int) -> None:
    configs = [row.config for row in Cluster.objects.order_by("cluster_id")[:count]]
    with ThreadPoolExecutor(THREADS["clusters"]) as pool:
        for _ in range(TIMES):
            list(pool.map(read, configs))
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])


def read(config: ClusterConfig) -> None:
    try:
        inventory.sync(config)
    finally:
        connections.close_all()


if __name__ == "__main__":
    main(int(sys.argv[1]))
