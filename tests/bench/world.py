"""Simulated clusters in a process of their own, so that what they cost is not counted as ours.

`python -m tests.bench.world CLUSTERS GUESTS` prints how to reach each of them, and then obeys lines on its input.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from pvesim import Cluster, Simulator, server
from tests.waits import TIMEOUT, read_line_with

LIST = "^/cluster/resources$"
NODES = ("pve1", "pve2", "pve3")
FIRST = 1000


@dataclass(frozen=True)
class Place:
    """How to reach a simulated cluster."""

    name: str
    host: str
    port: int
    token_id: str
    token_secret: str
    ca_pem: str


class World:
    """The other process, seen from here."""

    def __init__(self, *, clusters: int, guests: int) -> None:
        command = [sys.executable, "-m", "tests.bench.world", str(clusters), str(guests)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.places = [Place(**place) for place in self._answer()]

    def ask(self, *words: object) -> Any:
        if self._process.stdin is None:
            raise RuntimeError("The simulator has no input.")
        print(*words, file=self._process.stdin, flush=True)
        return self._answer()

    def stop(self) -> None:
        self._process.communicate(timeout=TIMEOUT)

    def _answer(self) -> Any:
        return json.loads(read_line_with(self._process, "", 300))


def build(simulator: Simulator, name: str, guests: int) -> dict[str, Any]:
    lab = simulator.add_cluster(name, nodes=NODES, statd_interval=0.0)
    lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
    token = lab.add_token("portal@pve", "labs", privsep=False)
    lab.add_pool("labs")
    for number in range(guests):
        lab.add_guest(
            FIRST + number,
            f"vm-{number:05}",
            node=NODES[number % len(NODES)],
            kind="lxc" if number % 10 == 9 else "qemu",
            status="running" if number % 2 else "stopped",
            pool="labs",
            tags=("lab", f"course-{number % 25}"),
        )
    place = Place(name, lab.host, lab.port, token.full_id, token.secret, lab.ca_pem)
    return vars(place)


class Obedience:
    """What the process does for a line."""

    def __init__(self, clusters: dict[str, Cluster]) -> None:
        self._clusters = clusters
        self._round = 0

    def churn(self, percent: str) -> int:
        """So many in a hundred guests of each cluster get another name; all others of them get older."""
        self._round += 1
        for lab in self._clusters.values():
            guests = lab.guests
            count = max(1, round(len(guests) * float(percent) / 100))
            for number in range(count):
                guest = guests[(self._round * count + number) % len(guests)]
                guest.name = f"{guest.name.partition('.')[0]}.{self._round}"
        return self._round

    def tag(self, name: str) -> int:
        """The first guest of each cluster, with this tag alone. A new name would be doubted first."""
        for lab in self._clusters.values():
            lab.guests[0].tags = (name,)
        return len(self._clusters)

    def hang(self, count: str) -> int:
        """The first so many clusters answer no list any more; the others do."""
        for number, lab in enumerate(self._clusters.values()):
            lab.faults.clear()
            if number < int(count):
                lab.faults.hang(LIST)
        return int(count)

    def calls(self) -> dict[str, int]:
        """The requests of each cluster since the last time."""
        found = {name: lab.count() for name, lab in self._clusters.items()}
        for lab in self._clusters.values():
            lab.clear_requests()
        return found


def main() -> None:
    count, guests = map(int, sys.argv[1:])
    server.IDLE = 60.0  # a round takes longer than the few seconds for which an idle connection is kept
    with Simulator() as simulator:
        print(json.dumps([build(simulator, f"lab-{number:02}", guests) for number in range(count)]), flush=True)
        obedience = Obedience(simulator.clusters)
        for line in sys.stdin:
            verb, *words = line.split()
            print(json.dumps(getattr(obedience, verb)(*words)), flush=True)


if __name__ == "__main__":
    main()
