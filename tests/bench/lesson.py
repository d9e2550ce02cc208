"""A lesson of a hundred: what its pages ask the database, and how far the progress of starting all is behind.

The simulator and the teacher's browser are in this process; the portal's web server and its worker are real ones.
The page is behind from the moment at which a start ended on the cluster until an answer to the browser said so. The
second that the browser waits between two questions counts.
"""

import html
import os
import random
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import requests
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client

import pvesim
from accounts.models import User
from classes import lifecycle
from classes.enrolment import class_machines, membership
from classes.models import LabClass, Membership
from clusters.models import Cluster
from pvesim.tasks import Steps, Task
from tests.bench import database, report
from tests.bench.bell import await_port, free_port, program
from tests.bench.pages import queries
from tests.bench.simulator import cpu_of
from vms import inventory
from vms.models import Batch, ClusterGrant, Operation, VirtualMachine

FEW, MANY = 4, 100
NODES = tuple(f"pve{number}" for number in range(1, 5))
QUICK = pvesim.Durations(start=1.0)
ROUNDS = 3
MOST_LONGER = 4.0  # seconds, by which some starts take longer than others
GOAL, EVERY, PATIENCE = 2.0, 1.0, 60.0  # seconds
CPU_GOAL = 25.0  # milliseconds
CSRF = "k" * 32
ROW = re.compile(r'<tr><th scope="row">(?:<a [^>]*>)?([^<]+)(?:</a>)?</th><td><span class="badge (\w+)"')
TABS = ("", "live/", "machines/", "machines/share/", "people/", "invite/", "co-owners/", "settings/")


@dataclass
class Watched:
    """What the browser was told: when it first read that a machine had started. The clock is the simulator's."""

    done_at: dict[str, float] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)  # seconds
    took: float = 0.0

    def read(self, fragment: str, *, at: float) -> None:
        for name, tone in ROW.findall(fragment):
            if tone == "running":
                self.done_at.setdefault(name, at)


def run() -> None:
    with ExitStack() as opened:
        simulator = opened.enter_context(pvesim.Simulator())
        lab = build(simulator)
        teacher, lab_class = school(lab)
        compare_queries(teacher, lab_class)
        stop_all(lab)  # before a worker is there, who would take up what was asked for
        address, worker = opened.enter_context(portal())
        rounds = []
        for number in range(ROUNDS):
            begun, used = time.time(), cpu_of(worker)
            watched = start_all(address, teacher, lab_class)
            rounds.append(Round(watched, ended(lab, since=begun), cpu_of(worker) - used))
            rounds[-1].tell(number + 1)
            stop_all(lab)
    judge(rounds)
    connections.close_all()


# The class


def build(simulator: pvesim.Simulator) -> pvesim.Cluster:
    chance = random.Random(int(os.environ.get("BENCH_SEED") or 1))  # noqa: S311 - to be the same again

    def longer(task: Task, steps: Steps) -> Steps:
        yield chance.uniform(0, MOST_LONGER)
        yield from steps

    lab = simulator.add_cluster("school", nodes=NODES, statd_interval=0.0, durations=QUICK)
    lab.add_user("portal@pve", password="only-for-this-run", acl={"/": "Administrator"})
    for number in range(MANY):
        lab.add_guest(1000 + number, name=f"vm-{number:03}", node=NODES[number % len(NODES)])
    lab.tasks.wrappers.append(longer)
    return lab


def school(lab: pvesim.Cluster) -> tuple[User, LabClass]:
    """A teacher with a class of no machines, and a grant for a whole cluster."""
    for old in (Membership, LabClass, Batch, Operation, VirtualMachine, Cluster):
        old.objects.all().delete()
    token = lab.add_token("portal@pve", "labs", privsep=False)
    row = Cluster.objects.create(
        cluster_id="school", name="School", host=lab.host, port=lab.port, user="portal@pve",
        token_id=token.full_id, token_secret=token.secret, ca_certificate=lab.ca_pem, is_default=True,
    )  # fmt: skip
    inventory.sync(row.config)
    teacher = User.objects.create_user("bench-teacher")
    teacher.groups.add(Group.objects.get(name="Teacher"))
    grant = ClusterGrant.objects.create(user=teacher, cluster=row)
    return teacher, lifecycle.create(LabClass(name="A hundred"), owner=teacher, grants=[grant])


def fill(lab_class: LabClass, count: int) -> None:
    """So many machines and students, all of whom have one."""
    missing = count - lab_class.class_machines.count()
    free = class_machines.available(lab_class).values_list("pk", flat=True)[:missing]
    class_machines.add(lab_class, list(free), by=lab_class.owner)
    people = [User.objects.create_user(f"bench-{count}-{number:03}") for number in range(missing)]
    membership.add_people(lab_class, people, at_once=True)


# Its pages


def compare_queries(teacher: User, lab_class: LabClass) -> None:
    client = Client()
    client.force_login(teacher)
    pages = [f"/classes/{lab_class.pk}/{tab}" for tab in TABS]
    counts = []
    for count in (FEW, MANY):
        fill(lab_class, count)
        client.post(f"/sets/{lab_class.machine_set_id}/ask/", {"action": "start", "whose": "all"})
        batch = Batch.objects.latest("requested_at").get_absolute_url()
        client.get(pages[0])
        counts.append([queries(lambda address=address: seen(client, address)) for address in [*pages, batch]])
    for page, few, many in zip([*TABS, "the page of starting all"], *counts, strict=True):
        report.tell(f"queries of {page or 'the lesson'}", f"{few} for {FEW} students, {many} for {MANY}")
    differing = sum(few != many for few, many in zip(*counts, strict=True))
    report.count(f"pages that ask more for {MANY} than for {FEW}", differing, 0)


def seen(client: Client, address: str) -> None:
    answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}.")


# The lesson starts


@contextmanager
def portal() -> Iterator[tuple[str, int]]:
    """The address of a web server, and the process of the worker beside it."""
    environment, port = database.environment(), free_port()
    server = ["-m", "labportal.serve", "--no-worker", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with program(server, environment), program(["manage.py", "worker"], environment) as worker:
        await_port(port)
        yield f"http://127.0.0.1:{port}", worker.pid


def stop_all(lab: pvesim.Cluster) -> None:
    """As if nobody had asked: on the cluster, and in the rows."""
    Batch.objects.all().delete()
    Operation.objects.all().delete()
    for guest in lab.guests:
        guest.status = "stopped"
    VirtualMachine.objects.update(status="stopped")


def start_all(address: str, teacher: User, lab_class: LabClass) -> Watched:
    """Press the button, and then ask as the page does until it says that all is finished."""
    watched, begun = Watched(), time.monotonic()
    with browser(teacher) as session:
        ask = f"{address}/sets/{lab_class.machine_set_id}/ask/"
        page = session.post(ask, data={"action": "start", "whose": "stopped"}, timeout=60)
        page.raise_for_status()
        while (poll := re.search(r'id="batch" hx-get="([^"]+)" hx-trigger="every 1s"', page.text)) is not None:
            page = await_news(session, address + html.unescape(poll[1]), watched)
    watched.took = time.monotonic() - begun
    return watched


def await_news(session: requests.Session, poll: str, watched: Watched) -> requests.Response:
    """As htmx does: an answer without a text changes nothing, and any other one begins a new second."""
    gives_up = time.monotonic() + PATIENCE
    while time.monotonic() < gives_up:
        time.sleep(EVERY)
        begun = time.monotonic()
        answer = session.get(poll, headers={"HX-Request": "true"}, timeout=60)
        answer.raise_for_status()
        watched.answers.append(time.monotonic() - begun)
        if answer.status_code != 204:
            watched.read(answer.text, at=time.time())
            return answer
    raise RuntimeError(f"The page says nothing new for {PATIENCE:g} s; {len(watched.done_at)} have started.")


@contextmanager
def browser(person: User) -> Iterator[requests.Session]:
    client = Client()
    client.force_login(person, backend="accounts.lockout.RecheckingBackend")
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-CSRFToken"] = CSRF
        session.cookies.update({"sessionid": client.cookies["sessionid"].value, "csrftoken": CSRF})
        yield session


def ended(lab: pvesim.Cluster, *, since: float) -> dict[str, float]:
    """When each machine had really been started: its name, and the time."""
    names = {str(guest.vmid): guest.name for guest in lab.guests}
    return {names[task.id]: task.endtime for task in lab.tasks if task.endtime and task.endtime > since}


@dataclass(frozen=True)
class Round:
    """What the page said, and the truth. `cpu` of the worker, in seconds."""

    watched: Watched
    truth: dict[str, float]
    cpu: float

    @property
    def is_whole(self) -> bool:
        return len(self.truth) == MANY and self.truth.keys() == self.watched.done_at.keys()

    def lags(self) -> list[float]:
        """For each machine, the seconds from the end of its start until the page said so."""
        said = self.watched.done_at
        return [said[name] - moment for name, moment in self.truth.items() if name in said]

    def tell(self, number: int) -> None:
        lags, answers = self.lags(), self.watched.answers
        took = f"{self.watched.took:.1f} s at load {os.getloadavg()[0]:.1f}"
        report.tell(f"round {number}: from click to the last end", took)
        report.tell("  CPU of the worker", f"{self.cpu:.1f} s")
        report.tell(
            "  answers to the page, median, slowest", f"{statistics.median(answers):.2f} s, {max(answers):.2f} s"
        )
        report.tell("  behind the truth, median, most", f"{statistics.median(lags):.2f} s, {max(lags):.2f} s")


def judge(rounds: list[Round]) -> None:
    report.count("rounds in which the page named all that started", sum(one.is_whole for one in rounds), ROUNDS)
    each = [one.cpu / MANY * 1000 for one in rounds]
    report.goal("CPU of the worker for an operation", statistics.median(each), CPU_GOAL, best=min(each), unit=" ms")
    most = [max(one.lags()) for one in rounds]
    report.goal("progress behind the truth, most", statistics.median(most), GOAL, best=min(most), unit=" s")
