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
from classes import enrolling, running
from classes.models import LabClass, Membership
from clusters.models import Cluster
from pvesim.tasks import Steps, Task
from tests.bench import database, report
from tests.bench.bell import await_port, free_port, program
from tests.bench.pages import queries
from vms import inventory
from vms.models import Batch, ClusterGrant, Operation, VirtualMachine

FEW, MANY = 4, 100
NODES = tuple(f"pve{number}" for number in range(1, 5))
QUICK = pvesim.Durations(start=1.0)
MOST_LONGER = 5.0  # seconds, by which some starts take longer than others
GOAL, EVERY, PATIENCE = 2.0, 1.0, 180.0  # seconds
CSRF = "k" * 32
ROW = re.compile(r"<tr><td>(?:<a [^>]*>)?([^<]+)(?:</a>)?</td><td><span class=\"badge (\w+)\"")
TABS = ("", "live/", "machines/", "machines/share/", "people/", "invite/", "co-owners/", "settings/")


@dataclass
class Watched:
    """What the browser was told. Times as of the simulator's clock."""

    done_at: dict[str, float] = field(default_factory=dict)
    shown: list[tuple[float, int]] = field(default_factory=list)  # when, and how many are done
    answers: list[float] = field(default_factory=list)  # seconds

    def note(self, fragment: str, *, at: float) -> None:
        done = [name for name, tone in ROW.findall(fragment) if tone == "running"]
        self.shown.append((at, len(done)))
        for name in done:
            self.done_at.setdefault(name, at)


def run() -> None:
    with ExitStack() as opened:
        simulator = opened.enter_context(pvesim.Simulator())
        lab = build(simulator)
        teacher, lab_class = school(lab)
        compare_queries(teacher, lab_class)
        Batch.objects.all().delete()
        Operation.objects.all().delete()
        address = opened.enter_context(portal())
        watched = start_all(address, teacher, lab_class)
    tell(watched, ended(lab))
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
    lab.tasks.twists.append(longer)
    return lab


def school(lab: pvesim.Cluster) -> tuple[User, LabClass]:
    """A teacher with a class of no machines, and a cluster of which he was granted all."""
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
    return teacher, running.create(LabClass(name="A hundred"), owner=teacher, grants=[grant])


def fill(lab_class: LabClass, count: int) -> None:
    """So many machines and students, all of whom have one."""
    missing = count - lab_class.class_machines.count()
    free = running.adoptable(lab_class).values_list("pk", flat=True)[:missing]
    running.adopt(lab_class, list(free), by=lab_class.owner)
    people = [User.objects.create_user(f"bench-{count}-{number:03}") for number in range(missing)]
    enrolling.put_on_list(lab_class, people, at_once=True)


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
def portal() -> Iterator[str]:
    """The address of a web server that has a worker beside it."""
    environment, port = database.environment(), free_port()
    server = ["-m", "labportal.serve", "--no-worker", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with program(server, environment), program(["manage.py", "worker"], environment):
        await_port(port)
        yield f"http://127.0.0.1:{port}"


def start_all(address: str, teacher: User, lab_class: LabClass) -> Watched:
    """Press the button, and then ask as the page does until it says that all is finished."""
    watched = Watched()
    with browser(teacher) as session:
        ask = f"{address}/sets/{lab_class.machine_set_id}/ask/"
        page = session.post(ask, data={"action": "start", "whose": "stopped"}, timeout=60)
        page.raise_for_status()
        deadline = time.monotonic() + PATIENCE
        while (poll := re.search(r'id="batch" hx-get="([^"]+)" hx-trigger="every 1s"', page.text)) is not None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"The page says after {PATIENCE} s: {watched.shown[-1:]}")
            page = await_news(session, address + html.unescape(poll[1]), watched)
    return watched


def await_news(session: requests.Session, poll: str, watched: Watched) -> requests.Response:
    """As htmx does: an answer without a text changes nothing, and any other one begins a new second."""
    while True:
        time.sleep(EVERY)
        begun = time.monotonic()
        answer = session.get(poll, headers={"HX-Request": "true"}, timeout=60)
        answer.raise_for_status()
        watched.answers.append(time.monotonic() - begun)
        if answer.status_code != 204:
            watched.note(answer.text, at=time.time())
            return answer


@contextmanager
def browser(person: User) -> Iterator[requests.Session]:
    client = Client()
    client.force_login(person, backend="accounts.lockout.RecheckingBackend")
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-CSRFToken"] = CSRF
        session.cookies.update({"sessionid": client.cookies["sessionid"].value, "csrftoken": CSRF})
        yield session


def ended(lab: pvesim.Cluster) -> dict[str, float]:
    """When each machine had really been started: its name, and the time."""
    names = {str(guest.vmid): guest.name for guest in lab.guests}
    return {names[task.id]: task.endtime for task in lab.tasks if task.type == "qmstart" and task.endtime}


def behind(watched: Watched, truth: dict[str, float]) -> list[float]:
    """For each start, the seconds for which the number on the page was smaller than it really was."""
    lags, shown = [], iter(watched.shown)
    at, done = next(shown)
    for number, moment in enumerate(sorted(truth.values()), 1):
        while done < number:
            at, done = next(shown)
        lags.append(max(0.0, at - moment))
    return lags


def tell(watched: Watched, truth: dict[str, float]) -> None:
    report.count("machines that were really started", len(truth), MANY)
    report.count("machines of which the page says so", len(watched.done_at), MANY)
    if set(watched.done_at) != set(truth):
        return
    span = max(truth.values()) - min(truth.values())
    report.tell("from the first end of a start to the last", f"{span:.1f} s, at a load of {os.getloadavg()[0]:.1f}")
    report.tell("answers to the page, median, slowest", f"{statistics.median(watched.answers):.2f} s, {max(watched.answers):.2f} s")
    for name, lags in (
        ("the page's number", behind(watched, truth)),
        ("a machine's line", [watched.done_at[one] - moment for one, moment in truth.items()]),
    ):
        report.tell(f"  {name} behind the truth, median", f"{statistics.median(lags):.2f} s")
        report.goal(f"{name} behind the truth, most", max(lags), GOAL, unit=" s")
