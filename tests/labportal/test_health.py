"""What a probe is told, and what everybody else is told while there is no database."""

import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import User
from clusters.models import Cluster, ClusterHealth
from labportal import health
from tests.labportal.portal_process import get, portal, silence, within
from tests.labs import Lab, ago
from tests.own_database import default_connection, postgres_only, run_in_threads, second_connection, sqlite_only
from tests.vms.database_states import NOWHERE, no_table, not_initialised
from tests.waits import TIMEOUT, wait_until
from vms import registry
from vms.models import ClusterSync, WorkerBeat

HEALTH, READY = "/healthz", "/readyz"
PAGES = ["/", "/portal", "/vms/", "/vms/?cluster=building-a", "/vms/1/start/", "/accounts/login/", "/api/clusters",
         "/admin/", "/admin/clusters/", "/admin/vms/operation/"]  # fmt: skip
ONLY = health.PATIENCE
LOST = "The portal is temporarily unavailable"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows of another's fallback; what does not hang is waited for, however busy the machine is."""
    monkeypatch.setattr(registry, "_first_seen", {})
    monkeypatch.setattr(health, "PATIENCE", TIMEOUT)


def ask(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get(HEALTH)
    return answer.status_code, answer.json()


# A probe


@pytest.fixture
def worker() -> WorkerBeat:
    return WorkerBeat.objects.create(name="w1")


@pytest.mark.usefixtures("own_database")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_probe_itself_is_an_answer(client: Client, monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(health, "_look", fail)
    status, told = ask(client)
    assert (status, told["ok"]) == (503, False)
    assert "log" in told["reason"]
    wait_until(lambda: not [thread for thread in threading.enumerate() if "_fulfil" in thread.name])


@pytest.mark.django_db
def test_all_is_well(client: Client, building_a: Lab, worker: WorkerBeat):
    status, told = ask(client)
    assert status == 200
    assert told.pop("worker") <= 5
    assert told.pop("oldest_sync") <= 5
    assert told == {"ok": True, "clusters_source": "database", "reason": "", "clusters": 1, "clusters_down": 0}


@pytest.mark.django_db
def test_a_portal_without_a_worker_is_unhealthy(client: Client, building_a: Lab):
    status, told = ask(client)
    assert (status, told["worker"]) == (503, None)
    assert "no worker" in told["reason"]


@pytest.mark.django_db
def test_a_worker_that_died_is_none(client: Client, building_a: Lab):
    WorkerBeat.objects.create(name="dead", seen_at=ago(seconds=61))
    status, told = ask(client)
    assert (status, told["worker"]) == (503, 61)


@pytest.mark.django_db
def test_without_an_active_cluster_nobody_has_to_work(client: Client, building_a: Lab):
    building_a.row.deactivate()
    assert ask(client)[0] == 200


@pytest.mark.django_db
def test_a_cluster_that_is_down_is_its_own_trouble(client: Client, building_a: Lab, worker: WorkerBeat):
    ClusterHealth.failed("building-a", "down")
    ClusterSync.objects.update(synced_at=ago(days=1))
    Cluster.objects.update(updated_at=ago(days=2))
    status, told = ask(client)
    assert (status, told["clusters_down"], told["oldest_sync"]) == (200, 1, None)


@pytest.mark.django_db
@pytest.mark.usefixtures("building_a", "worker")
@pytest.mark.parametrize(("age", "changed", "status"), [(301, 999, 503), (290, 999, 200), (301, 10, 200)])
def test_machines_of_a_cluster_that_answers_are_up_to_date(client: Client, age: int, changed: int, status: int):
    ClusterSync.objects.update(synced_at=ago(seconds=age))
    Cluster.objects.update(updated_at=ago(seconds=changed))
    found, told = ask(client)
    assert (found, told["oldest_sync"]) == (status, age)


@pytest.mark.django_db
def test_health_asks_no_cluster_and_names_none(client: Client, building_a: Lab):
    text = client.get(HEALTH).content.decode()
    assert "building" not in text.lower()
    assert "127.0.0.1" not in text
    assert building_a.pve.count() == 0


@pytest.mark.django_db
def test_health_is_not_kept_by_caches(client: Client, building_a: Lab):
    assert "no-store" in client.get(HEALTH).headers["Cache-Control"]


@pytest.mark.django_db
def test_health_is_not_changed_by_asking(client: Client):
    assert client.post(HEALTH).status_code == 405


@pytest.mark.usefixtures("own_database")
def test_a_database_without_clusters_works_and_the_source_is_told(client: Client):
    with not_initialised():
        status, told = ask(client)
    assert (status, told["ok"], told["clusters_source"]) == (200, True, "defaults")
    assert "import_clusters" in told["reason"]


@pytest.mark.usefixtures("own_database")
def test_a_database_without_tables_is_unhealthy(client: Client):
    with no_table():
        status, told = ask(client)
    assert (status, told["ok"]) == (503, False)
    assert "migrate" in told["reason"]


@pytest.mark.usefixtures("own_database")
def test_a_database_that_is_away_is_unhealthy_and_the_source_is_told(client: Client):
    with default_connection(**NOWHERE):
        status, told = ask(client)
    assert (status, told["ok"], told["clusters_source"]) == (503, False, "defaults")
    assert told["reason"] == "the database cannot be reached"
    assert told["since"]


@pytest.mark.usefixtures("own_database")
def test_a_broken_database_is_unhealthy(client: Client):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE clusters RENAME COLUMN ca_certificate TO authority")
    status, told = ask(client)
    assert (status, told["ok"], told["clusters_source"]) == (503, False, None)
    assert told["reason"] in {"OperationalError", "ProgrammingError"}


def test_a_probe_that_gives_up_after_three_seconds_is_answered_before():
    assert (ONLY < 3, settings.DATABASE_TIMEOUT < 3) == (True, True)


@pytest.mark.usefixtures("own_database")
def test_health_comes_back_with_the_database(client: Client):
    Cluster.objects.create(cluster_id="a", name="A", host="pve.test", user="u@pve", password="x")
    WorkerBeat.objects.create(name="w1")
    with default_connection(**NOWHERE):
        assert ask(client)[0] == 503
    assert ask(client)[0] == 200


@postgres_only
@pytest.mark.usefixtures("own_database")
def test_a_database_that_hangs_is_unhealthy_in_time_and_comes_back(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "PATIENCE", ONLY)
    with second_connection() as other:
        other.execute("LOCK TABLE clusters IN ACCESS EXCLUSIVE MODE")
        with within(TIMEOUT):
            assert ask(client) == (503, health.SILENT)
        other.rollback()
    assert until(lambda: ask(client)[0] == 200)


@postgres_only
@pytest.mark.usefixtures("own_database")
def test_probes_of_a_database_that_hangs_are_one_probe(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "PATIENCE", ONLY)
    with second_connection() as other:
        other.execute("LOCK TABLE clusters IN ACCESS EXCLUSIVE MODE")
        assert run_in_threads(*[lambda: ask(Client())] * 8) == []
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation' AND datname = current_database()"
        assert other.execute(waiting).fetchone()[0] == 1
        other.rollback()
    assert until(lambda: ask(client)[0] == 200)


def until(condition: Callable[[], bool]) -> bool:
    return any(condition() for _ in range(20))


# A load balancer


def readiness(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get(READY)
    return answer.status_code, answer.json()


@pytest.mark.django_db
def test_without_a_worker_pages_can_be_made(client: Client, building_a: Lab):
    assert (ask(client)[0], readiness(client)) == (503, (200, {"ok": True, "reason": ""}))


@pytest.mark.usefixtures("own_database")
def test_a_new_portal_can_make_pages(client: Client):
    assert readiness(client)[0] == 200


@pytest.mark.usefixtures("own_database")
def test_without_a_database_a_load_balancer_goes_elsewhere(client: Client):
    with default_connection(**NOWHERE):
        assert readiness(client) == (503, {"ok": False, "reason": "the database cannot be reached"})
    assert readiness(client)[0] == 200


@pytest.mark.usefixtures("own_database")
def test_without_tables_a_load_balancer_goes_elsewhere(client: Client):
    with no_table():
        assert readiness(client)[0] == 503


@pytest.mark.django_db
def test_readiness_asks_no_cluster_is_not_kept_and_changes_nothing(client: Client, building_a: Lab):
    answer = client.get(READY)
    assert "no-store" in answer.headers["Cache-Control"]
    assert building_a.pve.count() == 0
    assert client.post(READY).status_code == 405


# A person


@pytest.fixture
def person(own_database: Any, admin: User) -> Client:
    """Logged in; what breaks becomes a page."""
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    return client


@pytest.mark.parametrize("page", PAGES)
def test_without_a_database_every_page_is_503(person: Client, page: str):
    with default_connection(**NOWHERE), within(TIMEOUT):
        answer = person.get(page)
    assert (answer.status_code, LOST in answer.content.decode()) == (503, True)
    assert answer.headers["Retry-After"] == "10"


ANYBODYS = [*PAGES, "/accounts/login/?next=/vms/", "/join/", "/no/such/page"]


@pytest.mark.usefixtures("own_database")
@pytest.mark.parametrize("page", ANYBODYS)
def test_that_goes_for_who_is_not_logged_in(page: str):
    with default_connection(**NOWHERE):
        answer = Client(raise_request_exception=False).get(page)
    assert (answer.status_code, LOST in answer.content.decode()) == (503, True)


def garbage(file: Path) -> None:
    file.write_bytes(secrets.token_bytes(8192))


def half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def locked(file: Path) -> None:
    file.parent.chmod(0)


RUINS = [garbage, half, folder, locked]


@pytest.fixture(params=RUINS, ids=lambda ruin: str(ruin.__name__))
def ruined(request: pytest.FixtureRequest, own_database: dict[str, Any], tmp_path: Path) -> Iterator[None]:
    """A file of SQLite that is there and cannot be used."""
    if request.param is locked and os.geteuid() == 0:
        pytest.skip("allowed: no folder is closed to root")
    connection.close()
    (tmp_path / "closed").mkdir()
    file = shutil.copy(own_database["NAME"], tmp_path / "closed" / "lab.db")
    request.param(file)
    with default_connection(NAME=str(file)):
        yield
    (tmp_path / "closed").chmod(0o700)


@sqlite_only
@pytest.mark.usefixtures("ruined")
def test_with_a_file_that_cannot_be_used_every_page_is_503():
    client = Client(raise_request_exception=False)
    told = {page: client.get(page) for page in ANYBODYS}
    assert {page: answer.status_code for page, answer in told.items()} == dict.fromkeys(ANYBODYS, 503)
    assert all(LOST in answer.content.decode() for answer in told.values())


@sqlite_only
@pytest.mark.usefixtures("ruined")
def test_with_a_file_that_cannot_be_used_no_probe_is_content(client: Client):
    assert (client.get(HEALTH).status_code, client.get(READY).status_code) == (503, 503)


@pytest.mark.parametrize("page", ["/vms/1/start/", "/vms/switch-cluster/", "/vms/import-clusters/",
                                  "/api/switch-cluster", "/accounts/login/", "/admin/login/"])  # fmt: skip
def test_without_a_database_nothing_can_be_sent(person: Client, page: str):
    with default_connection(**NOWHERE):
        assert person.post(page, {"username": "admin", "password": "x"}).status_code == 503


@pytest.mark.usefixtures("own_database")
def test_without_a_database_nobody_can_log_in():
    with default_connection(**NOWHERE):
        answer = Client(raise_request_exception=False).post("/accounts/login/", {"username": "a", "password": "b"})
    assert answer.status_code == 503


def test_pages_come_back_with_the_database(person: Client):
    with default_connection(**NOWHERE):
        assert person.get("/vms/").status_code == 503
    assert person.get("/vms/").status_code == 200


# A server


@pytest.fixture(scope="module", params=["sqlite", "refused", "silent"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Its database is a file in a folder that is not there, a closed port, or somebody who says nothing."""
    with silence() as port:
        urls = {
            "sqlite": "sqlite:////nonexistent/lab_portal.db",
            "refused": "postgres://u:p@127.0.0.1:1/portal",
            "silent": f"postgres://u:p@127.0.0.1:{port}/portal",
        }
        with portal(urls[request.param]) as address:
            get(f"{address}/static/portal/portal.css")  # until it is up
            yield address


def test_a_server_without_a_database_answers_503_in_time(server: str):
    with within(TIMEOUT):
        answer = get(f"{server}/vms/", cookies={"sessionid": "x" * 32})
    assert (answer.status_code, LOST in answer.text) == (503, True)
    assert get(f"{server}/accounts/login/").status_code == 503


def test_a_server_without_a_database_tells_a_probe_in_time(server: str):
    with within(TIMEOUT):
        answer = get(f"{server}{HEALTH}")
    assert (answer.status_code, answer.json()["clusters_source"]) == (503, "defaults")
