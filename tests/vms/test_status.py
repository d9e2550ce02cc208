"""The clusters' page: who sees it, what it says in words, and what a refresh costs."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth, LoginState
from tests.labs import Lab, ago, queries, writes
from vms import operations
from vms.models import Alert, AlertMessage, ClusterSync, Node, WorkerBeat
from vms.monitoring import credential_expiry

pytestmark = pytest.mark.django_db

PAGE = "/clusters/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def staff(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def worker() -> WorkerBeat:
    return WorkerBeat.objects.create(name="w1")


def read(client: Client, address: str = PAGE, **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def fact(page: str, label: str) -> str:
    return unescape(re.findall(rf"<dt>{label}</dt><dd>([^<]*)</dd>", page)[0])


def poll(page: str) -> str:
    return unescape(re.findall(r'id="clusters" hx-get="([^"]+)"', page)[0])


# Who


def test_the_page_is_for_staff(client: Client, ana: User, building_a: Lab):
    assert client.get(PAGE).status_code == 302
    client.force_login(ana)
    assert client.get(PAGE).status_code == 403
    assert 'href="/clusters/"' not in read(client, "/vms/")


def test_staff_without_the_permission_may_not_look(client: Client, building_a: Lab):
    client.force_login(User.objects.create_user("guard", is_staff=True))
    assert client.get(PAGE).status_code == 403


def test_an_auditor_looks_and_has_no_button(client: Client, auditor: User, building_a: Lab, worker: WorkerBeat):
    client.force_login(auditor)
    page = read(client)
    assert "Building A" in page
    assert "Sync now" not in page
    assert client.post("/clusters/building-a/sync/").status_code == 403


def test_the_header_leads_there(staff: Client, building_a: Lab):
    assert 'href="/clusters/"' in read(staff, "/vms/")


# What it says


def test_a_cluster_that_answers(staff: Client, building_a: Lab, worker: WorkerBeat):
    ClusterHealth.succeeded("building-a", version="9.2.11")
    ClusterSync.objects.update(quorate=True, milliseconds=42, due_at=timezone.now() + timedelta(seconds=9))
    page = read(staff)
    assert "Responding" in words(page)
    assert "1 worker running." in page
    assert fact(page, "Version") == "Proxmox VE 9.2.11"
    assert (fact(page, "Quorum"), fact(page, "Latency")) == ("yes: most nodes are connected", "42 ms")
    assert fact(page, "Machines") == "1 running, 3 stopped"
    assert fact(page, "Last sync") == "just now"
    assert fact(page, "Circuit breaker") == "closed: the portal syncs as often as it should"
    assert fact(page, "Next try") == "every 15 s"


def test_a_cluster_that_does_not_answer(staff: Client, building_a: Lab, worker: WorkerBeat):
    due = timezone.now() + timedelta(minutes=3)
    ClusterHealth.failed("building-a", "The cluster <b>did not</b> answer.", at=ago(minutes=12))
    ClusterSync.objects.update(failures=5, due_at=due, synced_at=ago(minutes=13))
    page = read(staff)
    assert "Not responding for 12\xa0minutes" in unescape(page)
    assert "The cluster &lt;b&gt;did not&lt;/b&gt; answer." in page
    assert fact(page, "Circuit breaker").startswith("open: 5 failures")
    assert fact(page, "Next try") == f"at {timezone.localtime(due):%H:%M:%S}"


@pytest.mark.parametrize(
    ("ok", "due_in", "expected"),
    [(True, -1, "every 15 s"), (True, -30, "as soon as a worker is free"), (False, -1, "now"), (False, 45, "now")],
)
@pytest.mark.usefixtures("building_a", "worker")
def test_when_it_is_tried_next(staff: Client, ok: bool, due_in: int, expected: str):
    now = timezone.now()
    ClusterHealth.objects.update(ok=ok, failing_since=now)
    ClusterSync.objects.update(asked_at=now, due_at=now + timedelta(seconds=due_in))
    assert fact(read(staff), "Next try") == expected


def test_a_cluster_that_was_never_asked(staff: Client, building_a: Lab, worker: WorkerBeat):
    ClusterHealth.objects.all().delete()
    ClusterSync.objects.all().delete()
    page = read(staff)
    assert "Not synced yet" in page
    assert (fact(page, "Last sync"), fact(page, "Latency")) == ("never", "unknown")


def test_nodes_by_name(staff: Client, building_a: Lab, worker: WorkerBeat):
    Node.objects.all().delete()
    for name, online in (("pve1", True), ("pve2", False)):
        Node.objects.create(cluster=building_a.row, name=name, online=online, since=ago(hours=2))
    assert fact(read(staff), "Nodes").replace("\xa0", " ") == "1 of 2 online: pve1, pve2 (offline for 2 hours)"


def test_operations_under_way_and_waiting(staff: Client, building_a: Lab, worker: WorkerBeat, ana: User):
    operations.request(building_a.assign(101, ana), "start", by=ana)
    assert fact(read(staff), "Operations") == "0 in progress, 1 waiting"


def test_a_rejected_credential(staff: Client, building_a: Lab, worker: WorkerBeat):
    version = Cluster.objects.get().credential_version
    LoginState.objects.update_or_create(cluster=building_a.row, defaults={"rejected_version": version})
    assert "rejected" in fact(read(staff), "Credential")


def test_until_when_the_token_is_good(staff: Client, building_a: Lab, worker: WorkerBeat):
    assert "expiry unknown" in fact(read(staff), "Credential")
    credential_expiry.update_due()
    assert fact(read(staff), "Credential") == "does not expire"


def test_the_title_says_how_many_clusters_respond(staff: Client, building_a: Lab, building_b: Lab):
    ClusterHealth.objects.filter(cluster=building_a.row).update(ok=False, failing_since=ago(minutes=3))
    page = read(staff)
    assert '<h1 id="clusters-title">1 of 2 clusters responding</h1>' in page
    ClusterHealth.objects.update(ok=True, failing_since=None)
    assert "2 of 2 clusters responding" in read(staff, poll(page), **HTMX)


def test_an_alert_says_whether_it_was_sent(staff: Client, building_a: Lab, worker: WorkerBeat):
    alert = Alert.objects.create(
        cluster=building_a.row, kind="sync_stale", text="x", since=ago(hours=1), seen_at=ago(hours=1),
        opened_at=ago(minutes=30),
    )  # fmt: skip
    assert "Machines out of date. Alert raised 30 minutes ago" in words(read(staff)).replace("\xa0", " ")
    message = AlertMessage.objects.create(alert=alert, event="open", channel="mail", state="failed")
    assert "Alert raised 30" in words(read(staff)).replace("\xa0", " ")
    AlertMessage.objects.filter(pk=message.pk).update(state="sent")
    assert "Machines out of date. Alert sent 30 minutes ago" in words(read(staff)).replace("\xa0", " ")


def test_without_a_worker_the_page_says_what_to_start(staff: Client, building_a: Lab):
    assert "bin/manage worker" in read(staff)
    WorkerBeat.objects.create(name="dead", seen_at=ago(minutes=2))
    assert "bin/manage worker" in read(staff)


def test_a_cluster_that_is_switched_off_is_not_there(staff: Client, building_a: Lab, worker: WorkerBeat):
    building_a.row.deactivate()
    assert "No cluster is active." in read(staff)


# Sync now


def test_sync_now_hurries_past_the_breaker_and_says_so(staff: Client, building_a: Lab, worker: WorkerBeat):
    ClusterSync.objects.update(due_at=timezone.now() + timedelta(minutes=5), failures=9)
    answer = staff.post("/clusters/building-a/sync/", follow=True)
    assert "Syncing…" in answer.content.decode()
    assert ClusterSync.objects.get().due_at <= timezone.now()
    assert building_a.pve.count() == 0


def test_the_result_of_sync_now_comes_by_itself(staff: Client, building_a: Lab, worker: WorkerBeat):
    page = staff.post("/clusters/building-a/sync/", follow=True).content.decode()
    assert 'hx-trigger="every 2s"' in page
    attempt = ClusterSync.claim("building-a", timezone.now())
    assert "Syncing…" in read(staff, poll(page).split("&seen")[0], **HTMX)
    building_a.sync()
    ClusterSync.schedule_next("building-a", attempt=attempt)
    changed = read(staff, poll(page), **HTMX)
    assert "The cluster responded just now." in changed
    assert 'hx-trigger="every 5s"' in changed


def test_sync_now_needs_a_post(staff: Client, building_a: Lab):
    assert staff.get("/clusters/building-a/sync/").status_code == 405


def test_an_unknown_cluster_cannot_be_read(staff: Client, building_a: Lab):
    assert staff.post("/clusters/nowhere/sync/").status_code == 404


@pytest.mark.parametrize("at", ["", "x", "-1", "9" * 20, "9" * 13, "9" * 10, "²"])
def test_a_strange_moment_in_the_address_is_ignored(staff: Client, building_a: Lab, at: str):
    assert "responded just now" not in read(staff, f"{PAGE}?asked=building-a&at={at}")


# What it costs


def test_a_refresh_that_would_say_the_same_has_no_content(staff: Client, building_a: Lab, worker: WorkerBeat):
    page = read(staff)
    with queries() as made:
        answer = staff.get(poll(page), headers=HTMX)
    assert (answer.status_code, answer.content, writes(made)) == (204, b"", [])


CHANGES: dict[str, Any] = {
    "an outage": lambda: ClusterHealth.failed("building-a", "down"),
    "no worker": lambda: WorkerBeat.objects.all().delete(),
    "another latency": lambda: ClusterSync.objects.update(milliseconds=777_000),
    "a new name": lambda: Cluster.objects.update(name="Renamed"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_refresh_shows_what_changed(staff: Client, building_a: Lab, worker: WorkerBeat, change: Any):
    page = read(staff)
    change()
    assert "<html" not in read(staff, poll(page), **HTMX)


def test_the_number_of_queries_does_not_grow(staff: Client, building_a: Lab, building_b: Lab, worker: WorkerBeat):
    read(staff)
    with queries() as of_two:
        read(staff)
    building_b.row.deactivate()
    with queries() as of_one:
        read(staff)
    assert len(of_two) == len(of_one)
