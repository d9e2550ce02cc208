"""Before the first cluster is saved: staff look at the file's machines and import them; nobody operates anything."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

import pvesim
from accounts.models import User
from clusters.models import Cluster
from tests.labs import queries, simulated, writes
from vms.models import Operation, VirtualMachine
from vms.pages import import_offer

pytestmark = pytest.mark.django_db

LIST = "/vms/"
IMPORT = "/vms/import-clusters/"
PASSWORD = "unused"


@pytest.fixture
def pve(sim: pvesim.Simulator) -> Any:
    """A cluster that no row knows."""
    made = simulated(sim)
    made.add_guest(101, name="net-01", status="running")
    made.add_guest(102, name="<script>alert(1)</script>")
    yield made
    sim.remove_cluster(made.name)


@pytest.fixture
def file(pve: pvesim.Cluster, tmp_path: Path, settings: Any) -> Path:
    """The old portal's clusters.json."""
    path = tmp_path / "clusters.json"
    entry = {"id": "old", "name": "Old Lab", "host": pve.host, "port": pve.port, "user": "portal@pve",
             "password": PASSWORD, "fingerprint": pve.fingerprint()}  # fmt: skip
    path.write_text(json.dumps([entry]))
    path.chmod(0o600)
    settings.CLUSTER_CONFIG_FILE = str(path)
    return path


def log_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def text(client: Client) -> str:
    answer = client.get(LIST)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("staff", ["auditor", "lab_admin", "admin"])
def test_staff_see_the_machines_of_the_file(client: Client, request: pytest.FixtureRequest, file: Path, staff: str):
    page = text(log_in(client, request.getfixturevalue(staff)))
    assert "come from clusters.json, because" in page
    assert all(fact in page for fact in ("Old Lab", "net-01", "running"))


def test_the_machines_are_asked_for_each_time(client: Client, admin: User, file: Path, pve: pvesim.Cluster):
    log_in(client, admin)
    text(client)
    pve.guest(101).name = "renamed"
    assert "renamed" in text(client)


def test_looking_writes_nothing_and_changes_nothing(client: Client, admin: User, file: Path, pve: pvesim.Cluster):
    log_in(client, admin)
    with queries() as seen:
        text(client)
    assert writes(seen) == []
    assert not VirtualMachine.objects.exists()
    assert [r.method for r in pve.requests if r.path != "/access/ticket"] == ["GET"]


def test_nothing_can_be_operated(client: Client, admin: User, file: Path):
    page = text(log_in(client, admin))
    assert 'class="actions"' not in page
    assert page.count("<form") == 2  # the import and the logout


def test_a_name_makes_no_element(client: Client, admin: User, file: Path):
    page = text(log_in(client, admin))
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page


def test_the_password_of_the_file_is_not_shown(client: Client, admin: User, file: Path):
    file.write_text(file.read_text().replace(PASSWORD, "wrong-pass-phrase"))
    page = text(log_in(client, admin))
    assert "rejected the portal" in page
    assert "wrong-pass-phrase" not in page


def test_a_cluster_that_does_not_answer_is_told(client: Client, admin: User, file: Path, pve: pvesim.Cluster):
    pve.stop()
    page = text(log_in(client, admin))
    assert "Old Lab" in page
    assert "refuses connections" in page


def test_a_cluster_that_hangs_does_not_hold_up_the_page(
    client: Client, admin: User, file: Path, pve: pvesim.Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(import_offer, "DEADLINE", 0.3)
    pve.faults.hang("^/cluster/resources$")
    assert "did not respond in time" in text(log_in(client, admin))


def test_a_file_that_cannot_be_read_is_told(client: Client, admin: User, file: Path):
    file.write_text("[{")
    assert "clusters.json" in text(log_in(client, admin))


def test_without_any_cluster_the_first_one_can_be_added(client: Client, admin: User):
    page = text(log_in(client, admin))
    assert "There are no clusters yet" in page
    assert reverse("admin:clusters_cluster_add") in page


def test_students_see_nothing_of_it(client: Client, ana: User, file: Path, pve: pvesim.Cluster):
    page = text(log_in(client, ana))
    assert "You have no machines yet" in page
    assert "Old Lab" not in page
    assert pve.count() == 0


@pytest.mark.parametrize("action", ["start", "stop"])
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.usefixtures("file")
def test_an_action_finds_no_machine(client: Client, admin: User, pve: pvesim.Cluster, action: str, method: str):
    assert getattr(log_in(client, admin), method)(f"/vms/101/{action}/").status_code == 404
    assert (Operation.objects.count(), pve.count()) == (0, 0)


@pytest.mark.parametrize(("who", "offered"), [("lab_admin", True), ("admin", True), ("auditor", False)])
def test_the_button_is_offered_to_who_may_add_clusters(
    client: Client, request: pytest.FixtureRequest, file: Path, who: str, offered: bool
):
    assert (f'action="{IMPORT}"' in text(log_in(client, request.getfixturevalue(who)))) == offered


@pytest.mark.parametrize("who", ["lab_admin", "admin"])
def test_the_button_imports_the_file(client: Client, request: pytest.FixtureRequest, file: Path, who: str):
    answer = log_in(client, request.getfixturevalue(who)).post(IMPORT, follow=True)
    assert "1 clusters were imported" in answer.content.decode()
    assert Cluster.objects.get().password.reveal() == PASSWORD
    assert file.exists()


@pytest.mark.parametrize(("who", "status"), [("ana", 403), ("auditor", 403)])
def test_who_may_not_add_clusters_imports_nothing(
    client: Client, request: pytest.FixtureRequest, file: Path, who: str, status: int
):
    assert log_in(client, request.getfixturevalue(who)).post(IMPORT).status_code == status
    assert not Cluster.objects.exists()


def test_who_is_not_logged_in_imports_nothing(client: Client, file: Path):
    assert client.post(IMPORT).url == f"{reverse('login')}?next={IMPORT}"
    assert not Cluster.objects.exists()


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options"])
def test_the_button_is_a_post(client: Client, admin: User, file: Path, method: str):
    assert getattr(log_in(client, admin), method)(IMPORT).status_code == 405
    assert not Cluster.objects.exists()


def test_the_button_needs_a_csrf_token(admin: User, file: Path):
    client = log_in(Client(enforce_csrf_checks=True), admin)
    assert client.post(IMPORT).status_code == 403
    assert not Cluster.objects.exists()


def test_a_broken_file_imports_nothing_and_is_told(client: Client, admin: User, file: Path):
    file.write_text("[{")
    assert "Nothing was imported" in log_in(client, admin).post(IMPORT, follow=True).content.decode()
    assert not Cluster.objects.exists()


def test_a_missing_file_is_told(client: Client, admin: User, file: Path):
    file.unlink()
    assert f"The file {file} does not exist" in log_in(client, admin).post(IMPORT, follow=True).content.decode()


def test_after_the_import_the_page_is_the_list(client: Client, admin: User, file: Path):
    log_in(client, admin).post(IMPORT)
    assert "not from the database" not in text(client)


def test_the_admin_tells_where_clusters_come_from(client: Client, admin: User, file: Path):
    page = log_in(client, admin).get("/admin/").content.decode()
    assert "Clusters do not come from the database but from clusters.json" in page


def test_the_admin_tells_nothing_when_they_come_from_the_database(client: Client, admin: User, file: Path):
    log_in(client, admin).post(IMPORT)
    assert "Clusters do not come from the database" not in client.get("/admin/").content.decode()


def test_a_permission_without_the_group_is_enough(client: Client, ana: User, file: Path):
    ana.user_permissions.add(Permission.objects.get(codename="add_cluster"))
    assert log_in(client, ana).post(IMPORT).status_code == 302
    assert Cluster.objects.exists()
