"""The bell: one class after the other logs in within a minute from one address, and everybody starts a machine.

The simulator and the students are in this process; the portal's web server, with two processes, and its worker are
real ones. All of them share the machine, so the times are worst where others use it too.
"""

import http.client
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import requests
from axes.models import AccessAttempt
from django.conf import settings
from django.db import connection, connections
from django_tasks_db.models import DBTaskResult

import pvesim
from accounts.hashers import CappedArgon2PasswordHasher
from accounts.models import User
from clusters.models import Cluster
from tests.bench import database, report
from tests.bench.simulator import cpu_of, cpu_of_server, family, parent_of, proportional
from tests.waits import TIMEOUT
from vms import inventory
from vms.models import Assignment, Operation, VirtualMachine

ROOT = Path(__file__).resolve().parent.parent.parent
STUDENTS, WITHIN, PROCESSES = 1000, 60, 2  # WITHIN in seconds, for so many students; fewer come as dense
P95, MEMORY = 2.0, 400  # seconds; MiB of all processes of the web server
CONNECTIONS = 90  # PostgreSQL lets in 100 by default, a few of them only administrators
TYPO = 10  # one student of so many types a wrong password first
PASSWORD = "correct horse battery"  # of people who exist for a minute
QUICK = pvesim.Durations(start=2.0)


@dataclass
class Seen:
    """What students saw, and what the processes took meanwhile. Times in seconds."""

    logins: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)  # MiB
    connections: list[int] = field(default_factory=list)
    cpu: float = 0.0  # of the web server
    worker_cpu: float = 0.0
    own_cpu: float = 0.0  # of this process: the students and the simulator
    database_cpu: float = 0.0  # of PostgreSQL


@dataclass
class Page:
    status: int
    text: str


class Student:
    """A browser that measures. It takes little CPU for itself: other students' browsers run elsewhere."""

    def __init__(self, port: int, seen: Seen) -> None:
        self._seen = seen
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._cookies = SimpleCookie()

    def attend(self, name: str, *, mistypes: bool) -> None:
        self._ask("GET", "/accounts/login/")
        if mistypes:
            self._log_in(name, "correct hrose battery")
        begun = time.monotonic()
        page = self._log_in(name, PASSWORD)
        self._seen.logins.append(time.monotonic() - begun)
        start = re.search(r'action="(/vms/\d+/start/)"', page.text)
        if not start:
            self._seen.faults.append(f"{name} was answered {page.status} and sees no machine to start")
            return
        page = self._ask("POST", start[1])
        for _ in range(3):
            poll = re.search(r'id="machines"[^>]* hx-get="([^"]+)"', page.text)
            time.sleep(2)
            if poll:
                self._ask("GET", poll[1].replace("&amp;", "&"), {"HX-Request": "true"})

    def _log_in(self, name: str, password: str) -> Page:
        """And the list, to which the answer leads."""
        return self._ask("POST", "/accounts/login/", username=name, password=password)

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, **form: str) -> Page:
        """The page, or the one to which the answer leads."""
        if method == "POST":
            form["csrfmiddlewaretoken"] = self._cookies["csrftoken"].value
        begun = time.monotonic()
        page, to = self._exchange(method, path, headers or {}, urlencode(form))
        if to:
            page, _ = self._exchange("GET", to, {}, "")
        self._seen.requests.append(time.monotonic() - begun)
        if page.status >= 400:
            self._seen.faults.append(f"{method} {path} was answered {page.status}")
        return page

    def _exchange(self, method: str, path: str, headers: dict[str, str], form: str) -> tuple[Page, str]:
        """The answer, and where it leads to."""
        sent = {"Accept-Encoding": "gzip", **headers}
        if self._cookies:
            sent["Cookie"] = "; ".join(f"{name}={cookie.value}" for name, cookie in self._cookies.items())
        if form:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, form or None, sent)
        answer = self._connection.getresponse()
        page = Page(answer.status, answer.read().decode())
        for cookie in answer.headers.get_all("Set-Cookie", ()):
            self._cookies.load(cookie)
        return page, answer.headers.get("Location", "") if answer.status == HTTPStatus.FOUND else ""


def run() -> None:
    count = int(os.environ.get("BENCH_STUDENTS") or STUDENTS)
    seen = Seen()
    environment = database.environment() | {"DJANGO_SETTINGS_MODULE": "tests.bench.bell_settings"}
    with ExitStack() as running:
        simulator = running.enter_context(pvesim.Simulator())
        school(simulator, count)
        port = free_port()
        server = ["-m", "labportal.serve", "--no-worker", "--processes", str(PROCESSES), "--port", str(port)]
        quiet = ["--no-access-log", "--log-level", "warning"]
        web = running.enter_context(program([*server, *quiet], environment))
        worker = running.enter_context(program(["manage.py", "worker"], environment))
        await_health(port)
        with watched(web.pid, worker.pid, seen):
            ring(port, count, seen)
        settled = settle()
    tell(seen, count, settled)
    connections.close_all()


def school(simulator: pvesim.Simulator, count: int) -> None:
    """A machine for each student, on eight nodes."""
    nodes = tuple(f"pve{number}" for number in range(1, 9))
    lab = simulator.add_cluster("school", nodes=nodes, statd_interval=0.0, durations=QUICK)
    lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
    token = lab.add_token("portal@pve", "labs", privsep=False)
    for number in range(count):
        lab.add_guest(1000 + number, name=f"vm-{number:03}", node=nodes[number % len(nodes)])
    for old in (Assignment, Operation, VirtualMachine, Cluster):
        old.objects.all().delete()
    row = Cluster.objects.create(
        cluster_id="school", name="School", host=lab.host, port=lab.port, user="portal@pve",
        token_id=token.full_id, token_secret=token.secret, ca_certificate=lab.ca_pem, is_default=True,
    )  # fmt: skip
    inventory.sync(row.config)
    hasher = CappedArgon2PasswordHasher()
    kept = hasher.encode(PASSWORD, hasher.salt())
    people = User.objects.bulk_create([User(username=f"pupil-{number:03}", password=kept) for number in range(count)])
    machines = VirtualMachine.objects.order_by("vmid")
    Assignment.objects.bulk_create(
        [Assignment(vm=machine, user=person) for machine, person in zip(machines, people, strict=True)]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does it in each database that is older than a minute


@contextmanager
def program(arguments: list[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=dict(environment)) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def await_port(port: int) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("The web server did not start.")


def await_health(port: int) -> None:
    """Until the processes have started, as on any other morning: each takes new connections, and a worker is there."""
    await_port(port)
    address, ends = f"http://127.0.0.1:{port}/healthz", time.monotonic() + 60
    while time.monotonic() < ends:
        with requests.Session() as session:
            session.trust_env = False
            answers = {session.get(address, headers={"Connection": "close"}, timeout=60).status_code for _ in range(10)}
        if answers == {200}:
            return
        time.sleep(0.2)
    raise RuntimeError("The portal did not start.")


def ring(port: int, count: int, seen: Seen) -> None:
    """They come at random moments, nobody waits for anybody else."""
    chance = random.Random(int(os.environ.get("BENCH_SEED") or 1))  # noqa: S311 - moments, not secrets
    within = WITHIN * count / STUDENTS
    begun = time.monotonic()
    moments = sorted((chance.uniform(0, within), number) for number in range(count))
    threads = []
    for moment, number in moments:
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        thread = threading.Thread(target=attend, args=(port, number, seen))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(TIMEOUT)


def attend(port: int, number: int, seen: Seen) -> None:
    try:
        Student(port, seen).attend(f"pupil-{number:03}", mistypes=number % TYPO == 0)
    except (OSError, http.client.HTTPException) as error:
        seen.faults.append(f"pupil-{number:03} got no answer: {type(error).__name__}")


@contextmanager
def watched(pid: int, worker: int, seen: Seen) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        try:
            while not over.wait(0.5):
                seen.memory.append(sum(proportional(one) for one in family(pid)) / 1024)
                seen.connections.append(clients())
        finally:
            connections.close_all()

    thread = threading.Thread(target=look)
    thread.start()
    begun, database_begun = time.process_time(), database_cpu()
    try:
        yield
    finally:
        seen.database_cpu = database_cpu() - database_begun
        seen.cpu, seen.worker_cpu = sum(cpu_of(one) for one in family(pid)), cpu_of(worker)
        seen.own_cpu = time.process_time() - begun
        over.set()
        thread.join(TIMEOUT)


def clients() -> int:
    """Connections to the database, this process's own not counted. SQLite has none."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def database_cpu() -> float:
    """Seconds of CPU of the PostgreSQL server and of all its processes, if it is on this machine. SQLite has none."""
    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = int(cursor.fetchone()[0])
    return cpu_of_server(parent_of(own))


def settle() -> float:
    """Seconds until every machine has been started."""
    begun = time.monotonic()
    while Operation.objects.open().exists() and time.monotonic() - begun < 180:
        time.sleep(0.5)
    return time.monotonic() - begun


def failed_by_a_lock() -> int:
    return int(DBTaskResult.objects.filter(traceback__contains="database is locked").count())


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else max(values, default=0.0)


def tell(seen: Seen, count: int, settled: float) -> None:
    report.tell("students, web processes, processors", f"{count}, {PROCESSES}, {os.cpu_count()}")
    report.tell("load of the machine at the end", f"{os.getloadavg()[0]:.1f}")
    for fault, times in Counter(seen.faults).most_common(10):
        report.tell("  fault", f"{fault} ({times})")
    cpu = {"web server": seen.cpu, "worker": seen.worker_cpu, "students and simulator": seen.own_cpu}
    if connection.vendor == "postgresql":
        cpu["PostgreSQL"] = seen.database_cpu
    for whose, seconds in cpu.items():
        report.tell(f"CPU for each: {whose}", f"{seconds / count * 1000:.0f} ms")
    locked = AccessAttempt.objects.filter(failures_since_start__gte=settings.AXES_FAILURE_LIMIT).count()
    states = Counter(Operation.objects.values_list("action", "state"))
    report.count("students who are logged in and pressed Start", states.total(), count)
    report.count("answers that were none, or errors", len(seen.faults), 0)
    report.count("names that are locked", locked, 0)
    report.count("jobs that failed because the database was locked", failed_by_a_lock(), 0)
    report.goal("a login with the list after it, p95", p95(seen.logins), P95, unit=" s")
    report.tell("  median, slowest", f"{statistics.median(seen.logins):.2f} s, {max(seen.logins):.2f} s")
    report.goal("any request, p95", p95(seen.requests), P95, unit=" s")
    report.goal("memory of the web server, peak", max(seen.memory, default=0.0), MEMORY, unit=" MiB")
    if connection.vendor == "postgresql":
        report.goal("connections to PostgreSQL, peak", max(seen.connections, default=0), CONNECTIONS)
    report.count("machines that started", states[Operation.Action.START, Operation.State.DONE], count)
    report.tell("  the last one, after the last student", f"{settled:.1f} s")
