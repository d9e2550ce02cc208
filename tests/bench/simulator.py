"""CPU of the simulator beside that of a client, for the largest answer there is: `python -m tests.bench.simulator`.

The simulator runs as a process of its own, 10,000 guests on 32 nodes. The client is the gateway of the portal, which
reads, checks and normalises what it gets; beside it stands one that only fetches and parses JSON.
"""

import argparse
import gzip
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from accounts.encrypted_fields import Secret  # noqa: E402
from clusters import proxmox  # noqa: E402
from clusters.config import ClusterConfig  # noqa: E402
from tests.waits import read_until, stop_process  # noqa: E402

PATH = "/api2/json/cluster/resources"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Seconds of CPU which a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_server(pid: int) -> float:
    """Seconds of CPU of a server: of itself, of its processes, and of those that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / TICKS
    return ended + sum(cpu_of(one) for one in family(pid))


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def proportional(pid: int) -> int:
    """KiB; what processes share is shared among them."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)


class Running:
    """`python -m pvesim`, and what it printed about itself."""

    def __init__(self, guests: int, nodes: int, folder: str) -> None:
        self.ca_file = f"{folder}/pvesim-bench-{os.getpid()}.pem"
        command = [
            sys.executable,
            "-m",
            "pvesim",
            f"--guests={guests}",
            f"--nodes={nodes}",
            f"--ca-file={self.ca_file}",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = read_until(self.process, "stop     Ctrl-C").splitlines()
        self.url = urlsplit(lines[1].split()[1])
        self.token = next(line.split()[1] for line in lines if line.startswith("token"))

    def stop(self) -> None:
        stop_process(self.process)
        Path(self.ca_file).unlink()


def compare(name: str, server: Running, fetch: Callable[[], object], rounds: int, pause: float) -> None:
    fetch()
    server_began, client_began = cpu_of(server.process.pid), time.process_time()
    for _ in range(rounds):
        time.sleep(pause)
        fetch()
    client = (time.process_time() - client_began) / rounds * 1000
    simulator = (cpu_of(server.process.pid) - server_began) / rounds * 1000
    print(f"CPU {name:34} simulator {simulator:7.1f} ms   client {client:7.1f} ms   per call", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guests", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    server = Running(options.guests, options.nodes, folder="/tmp")  # noqa: S108 - removed at the end
    try:
        print(f"{options.guests} guests on {options.nodes} nodes, {server.url.netloc}{PATH}")
        measure(server, options.rounds)
    finally:
        server.stop()


def measure(server: Running, rounds: int) -> None:
    context = ssl.create_default_context(cafile=server.ca_file)
    headers = {"Authorization": f"PVEAPIToken={server.token}", "Accept-Encoding": "gzip"}

    def parse() -> int:
        connection = http.client.HTTPSConnection(server.url.hostname or "", server.url.port, context=context)
        connection.request("GET", PATH, headers=headers)
        rows = json.loads(gzip.decompress(connection.getresponse().read()))["data"]
        connection.close()
        return len(rows)

    full_id, _, secret = server.token.partition("=")
    config = ClusterConfig(
        cluster_id="bench",
        name="Bench",
        host=server.url.hostname or "",
        port=server.url.port or 0,
        user="admin@pve",
        token_id=full_id,
        token_secret=Secret(secret),
        ca_certificate=Path(server.ca_file).read_text(encoding="ascii"),
    )

    def sync() -> None:
        with proxmox.connect(config) as pve:
            pve.resources()

    compare("one call after the other, JSON only", server, parse, rounds, 0.0)
    compare("one call after the other, gateway", server, sync, rounds, 0.0)
    compare("a new tick before each, gateway", server, sync, max(1, rounds // 5), 10.0)


if __name__ == "__main__":
    main()
