"""Run clients that others wrote against the simulator, and say which work: `bin/clients` installs them and does.

What a client cannot do with a genuine server either is told, too, and is no failure.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from pvesim import Cluster, Durations, Simulator
from pvesim.seed import seed
from tests.waits import PDEATHSIG, TIMEOUT, stop_process

HERE = Path(__file__).parent
PASSWORD = "pw of both"
GROUPS = {"proxmox_nodes", "proxmox_all_qemu", "proxmox_all_lxc", "proxmox_pool_labs", "proxmox_pool_staff"}


@dataclass(frozen=True)
class Outcome:
    """`works`, or why not. `also_there`: a genuine server meets the same end, so that it has to."""

    name: str
    problem: str = ""
    also_there: bool = False

    @property
    def is_right(self) -> bool:
        return bool(self.problem) == self.also_there

    def __str__(self) -> str:
        word = "works   " if not self.problem else "as there" if self.also_there else "FAILS   "
        return f"{word}  {self.name}{'' if not self.problem else f': {self.problem}'}"


@dataclass(frozen=True)
class Bench:
    """The programs' folder, a folder for what they need, and how they reach the cluster."""

    programs: Path
    folder: Path
    cluster: Cluster
    environment: Mapping[str, str]

    def run(self, program: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [*PDEATHSIG, str(self.programs / program), *arguments]
        environment = {**self.environment, **more}
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=10 * TIMEOUT
        )


@contextmanager
def bench(programs: Path, folder: Path) -> Iterator[Bench]:
    with Simulator() as simulator:
        cluster = simulator.add_cluster("lab-a", nodes=("pve1", "pve2"), statd_interval=1.0, durations=Durations())
        seed(cluster, PASSWORD)
        cluster.add_group("students", ["student@pve"])
        ca_file = folder / "ca.pem"
        ca_file.write_text(cluster.ca_pem)
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
        trusting = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(ca_file))
        yield Bench(programs, folder, cluster, environment | trusting)


# --- prometheus-pve-exporter ---

EXPORTER = """
token: {{user: admin@pve, token_name: portal, token_value: {secret}, verify_ssl: true}}
password: {{user: admin@pve, password: {password}, verify_ssl: true}}
student: {{user: student@pve, password: {password}, verify_ssl: true}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def exporter(bench: Bench) -> Iterator[Outcome]:
    config, port = bench.folder / "exporter.yml", free_port()
    config.write_text(EXPORTER.format(secret=bench.cluster.token("admin@pve!portal").secret, password=PASSWORD))
    command = [str(bench.programs / "exporter/bin/pve_exporter"), "--config.file", str(config)]
    command += ["--web.listen-address", f"127.0.0.1:{port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*PDEATHSIG, *command], env=dict(bench.environment), **quiet) as program:  # type: ignore[call-overload]
        try:
            for module in ("token", "password", "student"):
                yield Outcome(f"exporter, {module}", _scraped(bench, port, module), module == "student")
        finally:
            stop_process(program)


def _scraped(bench: Bench, port: int, module: str) -> str:
    url = f"http://127.0.0.1:{port}/pve?target=127.0.0.1:{bench.cluster.port}&module={module}&cluster=1&node=1"
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            with urlopen(url, timeout=TIMEOUT) as answer:
                metrics = answer.read().decode()
            wanted = (
                'pve_up{id="qemu/101"} 1.0',
                'pve_not_backed_up_total{id="cluster/lab-a"} 11.0',
                "pve_version_info",
            )
            return "".join(f"no {one} " for one in wanted if one not in metrics)
        except OSError as problem:
            if getattr(problem, "code", None) or time.monotonic() > deadline:
                return str(problem)
            time.sleep(0.2)


# --- pvecontrol ---

PVECONTROL = """
clusters:
  - {{name: lab, host: "127.0.0.1:{port}", user: admin@pve, token_name: portal, token_value: {secret}, ssl_verify: true,
      timeout: 30}}
"""
COMMANDS = {
    "status": "Online: 2",
    "node list": "pve2",
    "vm list": "lab-101",
    "storage list": "data",
    "user list": "admin@pve!portal",
    "acl list": "PVEVMUser",
    "group list": "students",
    "task list": "qmstart",
    "report": "lab-101",
    "sanitycheck": "HA Group checked",
}


def pvecontrol(bench: Bench) -> Iterator[Outcome]:
    config = bench.folder / "pvecontrol.yaml"
    secret = bench.cluster.token("admin@pve!portal").secret
    config.write_text(PVECONTROL.format(port=bench.cluster.port, secret=secret))
    for command, wanted in COMMANDS.items():
        program = "pvecontrol/bin/pvecontrol"
        done = bench.run(program, "--config", str(config), "-c", "lab", *command.split())
        yield Outcome(f"pvecontrol {command}", _missing(done, wanted))


def _missing(done: "subprocess.CompletedProcess[str]", wanted: str) -> str:
    """pvecontrol's check of sanity ends with 1 when it finds anything to say."""
    if "Traceback" in done.stderr:
        return done.stderr.strip().splitlines()[-1]
    return "" if wanted in done.stdout else f"no {wanted!r} in {done.stdout[-300:]!r} {done.stderr[-300:]!r}"


# --- Ansible's community.proxmox ---


def ansible(bench: Bench) -> Iterator[Outcome]:
    secret = bench.cluster.token("admin@pve!portal").secret
    place = {"PROXMOX_URL": bench.cluster.url, "PROXMOX_HOST": "127.0.0.1", "PROXMOX_PORT": str(bench.cluster.port)}
    place |= {"PROXMOX_VALIDATE_CERTS": "true", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"}
    token = {"PROXMOX_USER": "admin@pve", "PROXMOX_TOKEN_ID": "portal", "PROXMOX_TOKEN_SECRET": secret}
    yield Outcome("ansible inventory, token", _inventory(bench, GROUPS, **place, **token))
    for user, wanted in (("admin@pve", GROUPS), ("student@pve", {"proxmox_nodes", "proxmox_all_qemu"})):
        login = {"PROXMOX_USER": user, "PROXMOX_PASSWORD": PASSWORD}
        yield Outcome(f"ansible inventory, {user}", _inventory(bench, wanted, **place, **login))
    yield from _played(bench, **place, **token)


def _inventory(bench: Bench, wanted: set[str], **environment: str) -> str:
    source = str(HERE / "inventory.proxmox.yml")
    done = bench.run("ansible/bin/ansible-inventory", "-i", source, "--list", **environment)
    if done.returncode or not done.stdout.startswith("{"):
        return (done.stderr or done.stdout).strip()[-300:]
    groups = json.loads(done.stdout)
    if done.stderr.strip():
        return done.stderr.strip()[-300:]
    return "".join(f"no {group} " for group in sorted(wanted - groups.keys()))


def _played(bench: Bench, **environment: str) -> Iterator[Outcome]:
    environment |= {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json", "ANSIBLE_PYTHON_INTERPRETER": "auto_silent"}
    interpreter = str(bench.programs / "ansible/bin/python")
    playbook = str(HERE / "playbook.yml")
    done = bench.run(
        "ansible/bin/ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={interpreter}", playbook,
        **environment,
    )  # fmt: skip
    start = done.stdout.find("{")
    if start < 0:
        yield Outcome("ansible playbook", done.stderr.strip()[-300:])
        return
    for task in json.loads(done.stdout[start:])["plays"][0]["tasks"]:
        for result in task["hosts"].values():
            yield Outcome(
                f"ansible {task['task']['name']}", str(result.get("msg", result)) if result.get("failed") else ""
            )


def main() -> int:
    programs, folder = Path(sys.argv[1]), Path(sys.argv[2])
    outcomes = []
    with bench(programs, folder) as ready:
        for client in (ansible, exporter, pvecontrol):
            for outcome in client(ready):
                print(outcome, flush=True)
                outcomes.append(outcome)
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    print(f"{len(outcomes) - len(wrong)} as with a genuine server, {len(wrong)} not")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
