"""Kill -9 of web and worker processes at random moments, while students press buttons.

The simulator is in this process; the portal's server and two workers are real ones. Then everything is compared:
what was answered, the rows, and what arrived at the simulator.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from django.db import connection, connections
from django.test import Client

import pvesim
from accounts.models import User
from clusters.models import Cluster
from tests.bench import report
from tests.waits import PDEATHSIG, TIMEOUT, wait_until
from vms import inventory
from vms.models import Assignment, Operation, VirtualMachine

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = ["-m", "uvicorn", "labportal.asgi:application", "--no-access-log", "--log-level", "critical"]
WORKER = ["manage.py", "worker", "--threads", "6"]
QUICK = pvesim.Durations(start=0.4, stop=0.2, shutdown=0.4, reset=0.1, suspend=0.1, resume=0.1, restart=0.3)
ACTIONS = ("start", "stop", "shutdown", "reboot", "reset")
MACHINES, STUDENTS = 8, 4
CSRF = "k" * 32
MOST = 400  # seconds until everything has settled, on a machine that is busy otherwise


@dataclass
class Program:
    """A process that is killed and begun anew."""

    arguments: list[str]
    environment: Mapping[str, str]
    descriptor: int = -1
    process: "subprocess.Popen[bytes] | None" = None

    def begin(self) -> None:
        self.process = subprocess.Popen(
            [*PDEATHSIG, sys.executable, *self.arguments],
            cwd=ROOT,
            env=dict(self.environment),
            pass_fds=[self.descriptor] if self.descriptor >= 0 else [],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait(60)


@dataclass
class Click:
    """One that the portal answered with a new operation."""

    machine: int
    action: str
    began: float
    ended: float


@dataclass
class Storm:
    """What happened."""

    kills: Counter[str] = field(default_factory=Counter)
    clicks: int = 0
    unanswered: int = 0
    accepted: list[Click] = field(default_factory=list)
    settled_after: float = 0.0
    faults: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    posts: int = 0


def storm(*, rounds: int, seed: int, environment: Mapping[str, str]) -> Storm:
    """On the default database, which is migrated and empty, and which the environment's processes share."""
    happened, chance = Storm(), _chance(seed)
    environment = {**environment, "OPERATION_LEASE": "15", "SYNC_INTERVAL": "3"}
    with ExitStack() as running:
        simulator = running.enter_context(pvesim.Simulator())
        lab = _lab(simulator)
        listener = running.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.set_inheritable(True)
        web = Program([*SERVER, "--fd", str(listener.fileno())], environment, listener.fileno())
        programs = {"web": web, "worker 1": Program(WORKER, environment), "worker 2": Program(WORKER, environment)}
        for program in programs.values():
            program.begin()
            running.callback(program.kill)
        began = time.monotonic()
        with _students(f"http://127.0.0.1:{listener.getsockname()[1]}", seed, happened):
            wait_until(lambda: lab.count("POST"))
            slower = max(1.0, (time.monotonic() - began) / 4)  # than a machine with nothing else to do
            for _ in range(rounds):
                # The time in which a worker starts and does something.
                time.sleep(slower * chance.uniform(0.2, 1.6))
                name = chance.choices(list(programs), weights=[1, 2, 2])[0]
                programs[name].kill()
                programs[name].begin()
                happened.kills[name.split()[0]] += 1
        _settle(happened)
        _compare(happened, lab)
        for program in programs.values():
            program.kill(signal.SIGTERM)
    return happened


def _lab(simulator: pvesim.Simulator) -> pvesim.Cluster:
    lab = simulator.add_cluster("lab", nodes=("pve1", "pve2"), statd_interval=0.0, durations=QUICK)
    lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
    token = lab.add_token("portal@pve", "labs", privsep=False)
    for number in range(MACHINES):
        lab.add_guest(100 + number, name=f"vm-{number}", node=f"pve{number % 2 + 1}")
    row = Cluster.objects.create(
        cluster_id="lab", name="Lab", host=lab.host, port=lab.port, user="portal@pve",
        token_id=token.full_id, token_secret=token.secret, ca_certificate=lab.ca_pem,
    )  # fmt: skip
    inventory.sync(row.config)
    people = [User.objects.create(username=f"student-{number}") for number in range(STUDENTS)]
    for number, machine in enumerate(VirtualMachine.objects.order_by("vmid")):
        Assignment.objects.create(vm=machine, user=people[number % STUDENTS])
    lab.clear_requests()
    return lab


@contextmanager
def _students(url: str, seed: int, happened: Storm) -> Iterator[None]:
    over = threading.Event()
    people = User.objects.filter(username__startswith="student-").order_by("username")
    threads = [
        threading.Thread(
            target=_press, args=(url, (_cookie(person), _machines(person), _chance(seed + n)), happened, over)
        )
        for n, person in enumerate(people)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(TIMEOUT)


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - to be the same again


def _cookie(person: User) -> str:
    client = Client()
    client.force_login(person, backend="accounts.lockout.RecheckingBackend")
    return client.cookies["sessionid"].value


def _machines(person: User) -> list[int]:
    return list(VirtualMachine.objects.filter(assignments__user=person).values_list("pk", flat=True))


def _press(url: str, person: "tuple[str, list[int], random.Random]", happened: Storm, over: threading.Event) -> None:
    """A student at work. Nobody else has these machines, so every answer is about the clicks of this student."""
    cookie, machines, chance = person
    with requests.Session() as browser:
        browser.trust_env = False
        browser.headers["X-CSRFToken"] = CSRF
        while not over.wait(chance.uniform(0.05, 0.4)):
            machine = chance.choice(machines)
            action, began = _wanted(machine, chance), time.time()
            browser.cookies.clear()
            browser.cookies.update({"sessionid": cookie, "csrftoken": CSRF})
            happened.clicks += 1
            try:
                answer = browser.post(f"{url}/vms/{machine}/{action}/", timeout=10, allow_redirects=False)
            except requests.RequestException:
                happened.unanswered += 1
                continue
            if answer.status_code != 302:
                happened.faults.append(f"answered with {answer.status_code}")
            elif "messages" not in answer.cookies:
                happened.accepted.append(Click(machine, action, began, time.time()))


def _wanted(machine: int, chance: random.Random) -> str:
    """Mostly what the page offers for it, and now and then something else."""
    if chance.random() < 0.2:
        return chance.choice(ACTIONS)
    try:
        return "stop" if VirtualMachine.objects.get(pk=machine).status == "running" else "start"
    finally:
        connection.close()


def _settle(happened: Storm) -> None:
    began = time.monotonic()
    while Operation.objects.open().exists() and time.monotonic() - began < MOST:
        time.sleep(0.2)
    happened.settled_after = time.monotonic() - began


def _compare(happened: Storm, lab: pvesim.Cluster) -> None:
    rows = list(Operation.objects.order_by("requested_at"))
    happened.states = Counter(row.state for row in rows)
    happened.faults += [f"{row} is still open" for row in rows if row.is_open]
    for click in happened.accepted:
        mine = [row for row in rows if (row.vm_id, row.action) == (click.machine, click.action)]
        if not any(click.began <= row.requested_at.timestamp() <= click.ended for row in mine):
            happened.faults.append(f"an answered click has no row: {click}")
    posts = [one for one in lab.requests if one.method == "POST"]
    happened.posts = len(posts)
    unmatched = [row for row in rows if row.sent_at]
    for post in posts:
        parts = post.path.split("/")
        vmid, action = int(parts[4]), parts[6]
        fits = [row for row in unmatched if (row.vmid, row.action) == (vmid, action) and _is_of(row, post.at)]
        if fits:
            unmatched.remove(fits[0])
        else:
            happened.faults.append(f"sent without a row, or twice: {action} {vmid}")
    upids = [row.upid for row in rows if row.upid]
    if len(set(upids)) != len(upids):
        happened.faults.append("two operations share a task")
    happened.faults += [f"{row} is done, and was never sent" for row in unmatched if row.upid]


def _is_of(row: Operation, at: float) -> bool:
    """Sent after it was written down, and not later than the gateway's deadline."""
    return row.sent_at is not None and -0.1 <= at - row.sent_at.timestamp() <= 15


def tell(happened: Storm) -> None:
    kills = ", ".join(f"{name} {count}" for name, count in sorted(happened.kills.items()))
    report.tell("kill: rounds", f"{happened.kills.total()} ({kills})")
    report.tell("kill: clicks", f"{happened.clicks}, {happened.unanswered} without an answer")
    states = ", ".join(f"{state} {count}" for state, count in sorted(happened.states.items()))
    report.tell("kill: operations", f"{happened.states.total()} ({states}), {happened.posts} sent")
    report.tell("kill: all settled after", f"{happened.settled_after:.1f} s")
    for fault in happened.faults[:20]:
        report.tell("kill: fault", fault)


def run() -> None:
    from tests.bench.database import environment  # noqa: PLC0415

    seed = int(os.environ.get("BENCH_SEED") or time.time())
    report.tell("kill: seed", str(seed))
    happened = storm(rounds=int(os.environ.get("BENCH_ROUNDS") or 50), seed=seed, environment=environment())
    tell(happened)
    connections.close_all()
    if happened.faults or happened.settled_after >= 120:
        report.missed.append("kill")
