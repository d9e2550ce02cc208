"""What pages cost: queries, bytes, and CPU beside the least that a page can cost.

Queries are all that a request makes, those of session and person included.
"""

import gzip
import itertools
import re
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext, setup_test_environment, teardown_test_environment
from django.urls import path
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth
from labportal.urls import urlpatterns as product
from tests.bench import report
from vms.models import Assignment, ClusterSync, VirtualMachine
from vms.pages import kept_html, row_version

MACHINES, ROUNDS, WEIGHT = 50, 9, 60 * 1024
WORLDS = ((1, 200), (1, 20_000), (20, 200), (20, 20_000))  # clusters, machines of all of them
PAGE = "/vms/?cluster="
LISTS = {
    "clusters/cluster": 8, "vms/virtualmachine": 8, "vms/operation": 8, "vms/assignment": 8,
    "accounts/user": 9,  # with the groups of each, and whether there are sources of sign-in to filter by
    "vms/alert": 8, "auditlog/logentry": 8,
}  # fmt: skip

constants: list[bytes] = []
numbers = itertools.count()


def empty(request: HttpRequest) -> HttpResponse:
    """A page that asks who is there and has nothing to tell."""
    return HttpResponse(loader.render_to_string("plain.html", {"user": request.user}, request))


def floor(request: HttpRequest) -> HttpResponse:
    """The same bytes as the list's, for somebody who is logged in, with nothing looked up and nothing rendered."""
    if not request.user.is_authenticated:
        raise RuntimeError("Nobody is logged in.")
    return HttpResponse(b"".join(constants))


urlpatterns = [path("bench-empty/", empty), path("bench-floor/", floor), *product]


def run() -> None:
    seen, polls = [], []
    for clusters, machines in WORLDS:
        student = world(clusters, machines)
        seen.append(queries(lambda student=student: student.get(PAGE)))
        polls.append(poll(student))
        report.goal(f"queries of {MACHINES} machines, {clusters} cluster(s), {machines}", seen[-1], 5)
        report.goal("queries of a poll that changes nothing", polls[-1], 3)
        cpu(student, f"{clusters}/{machines}")
    report.count("different numbers of queries of the page", len(set(seen)), 1)
    report.count("different numbers of queries of the poll", len(set(polls)), 1)
    weight(student)
    lists()


def world(clusters: int, machines: int) -> Client:
    """A student who has machines on as many of the clusters as can be."""
    Assignment.objects.all().delete()
    VirtualMachine.objects.all().delete()
    Cluster.objects.all().delete()
    now = timezone.now()
    for number in range(clusters):
        row = Cluster.objects.create(
            cluster_id=f"c-{number:02}", name=f"Cluster {number:02}", host="192.0.2.1", user="u@pve", password="x"
        )
        ClusterHealth.succeeded(row.cluster_id)
        ClusterSync.objects.update_or_create(cluster=row, defaults={"synced_at": now})
        VirtualMachine.objects.bulk_create([machine(row, n) for n in range(machines // clusters)], batch_size=2000)
    person, _new = User.objects.get_or_create(username=f"student-{clusters}-{machines}")
    numbers = range(MACHINES // clusters + 1)
    mine = VirtualMachine.objects.filter(vmid__in=[100 + n for n in numbers]).order_by("vmid", "cluster")[:MACHINES]
    Assignment.objects.bulk_create([Assignment(vm=one, user=person) for one in mine])
    return logged_in(person)


def machine(row: Cluster, number: int) -> VirtualMachine:
    status, now = "running" if number % 2 else "stopped", timezone.now()
    return VirtualMachine(
        cluster=row, vmid=100 + number, name=f"vm-{number:05}", node="pve1", status=status, addresses=["192.0.2.7"],
        booted_at=now - timedelta(hours=1), details_at=now, details_due_at=now + timedelta(hours=6),
    )  # fmt: skip


def logged_in(person: User) -> Client:
    """A browser that has looked at a page before: the process knows the session, as after the first request."""
    client = Client()
    client.force_login(person)
    answer = client.get(PAGE)
    if answer.status_code != 200:
        raise RuntimeError(f"The list answered {answer.status_code}.")
    return client


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def poll(client: Client) -> int:
    found = re.search(r'id="machines"[^>]* hx-get="([^"]+)"', client.get(PAGE).content.decode())
    if not found:
        raise RuntimeError("The list asks for nothing.")
    address = found[1].replace("&amp;", "&")
    client.get(address, headers={"hx-request": "true"})  # the first poll of a page makes its cards
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address, headers={"hx-request": "true"})
    if answer.status_code != 204:
        raise RuntimeError(f"The poll answered {answer.status_code}.")
    return len(captured)


@contextmanager
def bare_pages(page: bytes) -> Iterator[None]:
    constants[:] = [page]
    with override_settings(ROOT_URLCONF=__name__):
        yield


@contextmanager
def without_instruments() -> Iterator[None]:
    """What tests add to templates, so that they can look at contexts, costs more than the page."""
    teardown_test_environment()
    try:
        yield
    finally:
        setup_test_environment()


def cpu(client: Client, where: str) -> None:
    """All of them in the same rounds, each measured over several requests."""
    wanted: dict[str, Callable[[], object]] = {
        "the list": lambda: client.get(PAGE),
        "with nothing kept": lambda: afresh(client),
        "with one of them new": lambda: renamed(client),
        "empty page": lambda: client.get("/bench-empty/"),
        "same bytes as constants": lambda: client.get("/bench-floor/"),
    }
    times: dict[str, list[float]] = {name: [] for name in wanted}
    with bare_pages(client.get(PAGE).content), without_instruments():
        for _ in range(ROUNDS + 1):
            for name, ask in wanted.items():
                times[name].append(report.cpu_ms(lambda ask=ask: [ask() for _ in range(3)]) / 3)
    report.tell(f"CPU of the page, {where}", report.spread(times["the list"][1:]))
    for name, goal in (("the list", 7.0), ("with nothing kept", 18.0), ("with one of them new", 8.0)):
        ratios = [mine / its for mine, its in zip(times[name][1:], times["empty page"][1:], strict=True)]
        report.goal(f"  {name} / empty page", statistics.median(ratios), goal, best=min(ratios))
    ratio = statistics.median(
        mine / its for mine, its in zip(times["the list"], times["same bytes as constants"], strict=True)
    )
    report.tell("  beside the same bytes as constants", f"{ratio:8.1f} times")


def afresh(client: Client) -> None:
    kept_html.forget()
    row_version.forget()
    client.get(PAGE)


def renamed(client: Client) -> None:
    """The UPDATE costs little beside the page."""
    first = Assignment.objects.order_by("pk").values("vm")[:1]
    VirtualMachine.objects.filter(pk__in=first).update(name=f"renamed-{next(numbers)}")
    client.get(PAGE)


def weight(client: Client) -> None:
    """All that a browser without a cache fetches for the page, as it is sent: compressed."""
    page = client.get(PAGE).content
    text = page.decode()
    addresses = set(re.findall(r'(?:src|href|data-running)="([^"#]+\.(?:css|js|svg|png|ico|woff2?))"', text))
    hosts = re.findall(r'(?:src|href|action|url)="(\w*:?//[^"]+)"', text)
    size = len(gzip.compress(page, 6))
    report.tell("HTML, compressed", f"{size / 1024:8.1f} KiB  ({len(page) / 1024:.0f} KiB before)")
    for address in sorted(addresses):
        file = finders.find(address.removeprefix("/").removeprefix(settings.STATIC_URL.strip("/") + "/"))
        part = len(gzip.compress(Path(str(file)).read_bytes(), 6))
        report.tell(f"  {address.rpartition('/')[2]}", f"{part / 1024:8.1f} KiB")
        size += part
    report.goal("all that the page needs, compressed", size / 1024, WEIGHT / 1024, unit=" KiB")
    report.count("addresses on other hosts", len(hosts), 0)


def lists() -> None:
    """The largest world is still there."""
    admin = logged_in(User.objects.create_superuser("bench-admin"))
    report.goal("queries of the list for staff", queries(lambda: admin.get(PAGE)), 8)
    for name, most in LISTS.items():
        address = f"/admin/{name}/"
        if admin.get(address).status_code != 200:
            raise RuntimeError(f"{address} does not answer.")
        report.goal(f"queries of the admin's list {name}", queries(lambda address=address: admin.get(address)), most)
