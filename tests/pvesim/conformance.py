"""Run a client suite for the Proxmox VE API against the simulator, once for each release, and print its last lines.

    .venv/bin/python -m tests.pvesim.conformance SUITE.py [--python PYTHON] [arguments of the suite, like --only REGEX]

The suite is a program that is not shipped: it takes --url, --second-node-url, --admin, --token, --student,
--release and --without, and ends with a line of how many checks passed. It may need packages of its own: --python.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waits import read_until, stop_process

ROOT = Path(__file__).resolve().parent.parent.parent
# The simulator's arguments and the suite's. Before release 9 a user without VM.Monitor hears nothing of an agent.
PROVISIONING = "--class-template 111 --class-pool prov --other-storage data2 --shared-template 112".split()
RUNS = {
    "9.2": ([], ["--release", "9"]),
    "9.2 standalone": (["--standalone", "--nodes", "1"], ["--release", "9"]),
    "8.4": ([], ["--release", "8", "--without", "dead-agent"]),
    "7.4": ([], ["--release", "7", "--without", "dead-agent"]),
}


@contextmanager
def simulator(release: str, options: list[str]) -> Iterator[list[str]]:
    """What the suite has to know of a simulator that runs meanwhile."""
    command = [sys.executable, "-m", "pvesim", "--release", release, "--password", "pw", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield _described(read_until(program, "stop     Ctrl-C"))
        finally:
            stop_process(program)


def _described(said: str) -> list[str]:
    first, *others = re.findall(r"https://\S+", said)
    token = re.findall(r"^token\s+(\S+)", said, re.MULTILINE)[0]
    maker = re.findall(r"^maker\s+(\S+)", said, re.MULTILINE)
    people = ["--admin", "admin@pve:pw", "--student", "student@pve:pw", "--token", token]
    found = ["--url", first, *people, *(["--second-node-url", others[0]] if others else [])]
    return [*found, *(["--class-token", maker[0], *PROVISIONING] if maker else [])]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pvesim.conformance", description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--provisioning", action="store_true", help="the suite makes machines: release 9.2 only")
    options, more = parser.parse_known_args()
    failed = False
    runs = {"9.2": (["--provisioning"], RUNS["9.2"][1])} if options.provisioning else RUNS
    for name, (simulated, told) in runs.items():
        with simulator(name.split()[0], simulated) as where:
            command = [options.python, str(options.suite.resolve()), *where, *told, "--settle", "0", *more]
            done = subprocess.run(
                command, cwd=options.suite.resolve().parent, capture_output=True, text=True, check=False, timeout=1800
            )
        *_, last = done.stdout.splitlines() or done.stderr.splitlines() or ["it said nothing"]
        print(f"{name}: {last}", flush=True)
        for line in done.stdout.splitlines():
            if "FAIL" in line:
                print(f"    {line}")
        failed = failed or bool(done.returncode)
    sys.exit(failed)


if __name__ == "__main__":
    main()
