"""A simulated cluster of four nodes with a template on each, in a process of its own: what it costs is not ours.

`python -m tests.bench.making_world` prints how to reach it, and its requests for each line that it reads.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pvesim
from tests.waits import TIMEOUT, read_line_with

NODES = ("pve1", "pve2", "pve3", "pve4")
TEMPLATE, POOL = 9001, "made"
DURATIONS = pvesim.Durations(clone=4.0, start=2.0, snapshot=1.0)


class World:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.place: dict[str, Any] = self._answer()

    def requests(self) -> list[list[Any]]:
        if self._process.stdin is None:
            raise RuntimeError("The simulator has no input.")
        print("requests", file=self._process.stdin, flush=True)
        found: list[list[Any]] = self._answer()
        return found

    def _answer(self) -> Any:
        return json.loads(read_line_with(self._process, "", 60))


@contextmanager
def made_world() -> Iterator[World]:
    command = [sys.executable, "-m", "tests.bench.making_world"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield World(process)
        finally:
            process.communicate(timeout=TIMEOUT)


def main() -> None:
    with pvesim.Simulator() as simulator:
        lab = simulator.add_cluster("lab", nodes=NODES, statd_interval=0.0, durations=DURATIONS)
        lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
        token = lab.add_token("portal@pve", "labs", privsep=False)
        lab.add_pool(POOL)
        for number, node in enumerate(NODES):
            options: dict[str, str | int] = {"ide2": f"data:vm-{TEMPLATE + number}-cloudinit,media=cdrom"}
            lab.add_guest(TEMPLATE + number, node=node, template=True, agent="alive", options=options)
        place = {"host": lab.host, "port": lab.port, "ca_certificate": lab.ca_pem}
        print(json.dumps(place | {"token_id": token.full_id, "token_secret": token.secret}), flush=True)
        for _line in sys.stdin:
            print(json.dumps([[one.method, one.path, one.at] for one in lab.requests]), flush=True)


if __name__ == "__main__":
    main()
