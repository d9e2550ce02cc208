"""Keys while the portal runs: one row under another key, a start with the wrong one, and a change of keys."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters import checks, proxmox
from clusters.models import Cluster
from tests.labs import Lab, building_a, building_b, clock, sim
from tests.marker_secret import MarkerSecret
from tests.processes import ROOT, environment, manage
from tests.waits import TIMEOUT, read_line_with
from vms import registry

__all__ = ["building_a", "building_b", "clock", "sim"]

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
SECRET = MarkerSecret()


def use(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    monkeypatch.setattr("encrypted_model_fields.fields.CRYPTER", MultiFernet([Fernet(key) for key in keys]))


def ciphertext(cluster_id: str, column: str = "password") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM clusters WHERE cluster_id = %s", [cluster_id])  # noqa: S608
        return str(cursor.fetchone()[0])


# One row under another key


@pytest.fixture
def strange(building_a: Lab, building_b: Lab) -> Lab:
    """Building b: its token was sealed with a key that this process does not have."""
    with connection.cursor() as cursor:
        sealed = Fernet(OTHER).encrypt(b"whatever").decode()
        cursor.execute("UPDATE clusters SET token_secret = %s WHERE cluster_id = %s", [sealed, "building-b"])
    building_b.pve.clear_requests()
    return building_b


@pytest.mark.django_db
def test_a_cluster_under_another_key_is_still_listed(strange: Lab):
    assert [config.cluster_id for config in registry.clusters()] == ["building-a", "building-b"]


@pytest.mark.django_db
def test_a_cluster_under_another_key_does_not_disturb_the_others(strange: Lab, building_a: Lab):
    assert proxmox.diagnose(registry.get("building-a")).nodes


@pytest.mark.django_db
def test_a_cluster_under_another_key_says_so_and_is_sent_nothing(strange: Lab):
    with pytest.raises(proxmox.CredentialUnreadable, match="FIELD_ENCRYPTION_KEY"):
        proxmox.diagnose(registry.get("building-b"))
    assert strange.pve.count() == 0


@pytest.mark.django_db
def test_testing_all_connections_tells_which_one_is_unreadable(strange: Lab, client: Client, lab_admin: User):
    client.force_login(lab_admin)
    chosen = list(Cluster.objects.values_list("pk", flat=True))
    data = {"action": "try_connection", "_selected_action": chosen}
    answer = client.post(reverse("admin:clusters_cluster_changelist"), data)
    said = {str(message).split(":")[0]: str(message) for message in get_messages(answer.wsgi_request)}
    assert "cannot be decrypted" in said["Building B"]
    assert "Proxmox VE" in said["Building A"]


@pytest.mark.django_db
def test_saving_its_name_in_the_admin_leaves_the_ciphertext_to_the_byte(strange: Lab, client: Client, lab_admin: User):
    client.force_login(lab_admin)
    row, before = strange.row, ciphertext("building-b", "token_secret")
    data = {
        "name": "Another name", "host": row.host, "port": row.port, "user": row.user, "token_id": row.token_id,
        "fingerprint": row.fingerprint, "is_active": "on",
    }  # fmt: skip
    assert client.post(reverse("admin:clusters_cluster_change", args=[row.pk]), data).status_code == 302
    assert Cluster.objects.get(cluster_id="building-b").name == "Another name"
    assert ciphertext("building-b", "token_secret") == before


# A start


@pytest.fixture
def sealed_with_old(own_database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of its own, as a portal with the old key left it."""
    use(monkeypatch, OLD)
    for name in ("alpha", "beta"):
        values = {"host": "pve.test", "user": "portal@pve", "verify_ssl": True, "password": SECRET.text}
        Cluster.objects.create(cluster_id=name, **values)
    connection.close()


def checks_of_serve() -> list[str]:
    """What bin/serve looks at before it starts."""
    found = re.search(r"manage\.py (check .*?) 2>", (ROOT / "bin" / "serve").read_text())
    assert found
    return found[1].split()


@pytest.mark.parametrize("key", [OLD, f"{NEW},{OLD}"], ids=["old", "new, old"])
def test_serve_starts_with_a_key_that_reads(sealed_with_old: None, key: str):
    done = manage(*checks_of_serve(), keys=key)
    assert done.returncode == 0, done.stderr


def test_serve_does_not_start_with_another_key(sealed_with_old: None):
    done = manage(*checks_of_serve(), keys=NEW)
    assert done.returncode != 0
    assert "FIELD_ENCRYPTION_KEY is not the key of this database" in done.stderr
    assert "After restoring a backup" in done.stderr


@pytest.mark.parametrize("command", [["check", "--database", "default"], ["worker"], ["doctor"]], ids=" ".join)
def test_a_refusal_shows_neither_key_nor_secret(sealed_with_old: None, command: list[str]):
    done = manage(*command, keys=NEW)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert SECRET.found_in(said) == []
    assert not [part for part in (OLD, NEW, "gAAAA") if part in said]


# Files


@pytest.fixture
def kept_in(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put the file of this kind into a folder of the test."""

    def put(kind: str) -> Path:
        path = tmp_path / kind
        path.write_text("[]")
        settings.BASE_DIR = tmp_path if kind == ".env" else tmp_path / "elsewhere"
        settings.KEY_FILES = [str(path)] if kind == "key" else []
        settings.CLUSTER_CONFIG_FILE = str(path if kind == "clusters.json" else tmp_path / "none")
        name = str(path if kind == "lab.db" else tmp_path / "none")
        for setting, value in {"ENGINE": "django.db.backends.sqlite3", "NAME": name}.items():
            monkeypatch.setitem(settings.DATABASES["default"], setting, value)
        monkeypatch.chdir(tmp_path / "..")
        return path

    return put


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604], ids=oct)
@pytest.mark.parametrize("kind", [".env", "key", "clusters.json", "lab.db"])
def test_a_file_that_others_can_read_is_named_with_the_remedy(kept_in: Callable[[str], Path], kind: str, mode: int):
    path = kept_in(kind)
    path.chmod(mode)
    [message] = checks.files_are_private(None)
    assert (message.id, message.hint) == ("clusters.W004", f"chmod 600 {path}")


@pytest.mark.parametrize("kind", [".env", "key", "clusters.json", "lab.db"])
def test_a_private_file_is_not_complained_of(kept_in: Callable[[str], Path], kind: str):
    kept_in(kind).chmod(0o600)
    assert checks.files_are_private(None) == []


# A change of keys, with processes that run meanwhile

READER = """
import sys
import django
django.setup()
from django.db import connection
from accounts.encrypted_fields import SecretUnreadable
from clusters.models import Cluster
for line in sys.stdin:
    cluster = Cluster.objects.get(cluster_id="alpha")
    try:
        cluster.password.reveal()
        print("readable", flush=True)
    except SecretUnreadable:
        cluster.save()
        print("unreadable", flush=True)
    connection.close()
"""


class Running:
    """A process that was started with these keys and keeps them."""

    def __init__(self, keys: str) -> None:
        self.program = subprocess.Popen(
            [sys.executable, "-c", READER],
            cwd=ROOT,
            env=environment(keys),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def look(self) -> str:
        assert self.program.stdin
        self.program.stdin.write("look\n")
        self.program.stdin.flush()
        return read_line_with(self.program, "").strip()

    def end(self) -> None:
        self.program.communicate(timeout=TIMEOUT)


@pytest.fixture
def running() -> Any:
    started: list[Running] = []

    def start(*keys: str) -> Running:
        started.append(Running(",".join(keys)))
        return started[-1]

    yield start
    for process in started:
        process.end()


def rotate() -> None:
    done = manage("rotate_encryption_key", keys=f"{NEW},{OLD}")
    assert done.returncode == 0, done.stderr


def test_each_process_reads_as_its_keys_say_and_spoils_nothing(sealed_with_old: None, running: Any):
    """Not restarted: until the change. With both keys: always. With the new one alone: from the change on."""
    not_restarted, restarted, too_early = running(OLD), running(NEW, OLD), running(NEW)
    assert [one.look() for one in (not_restarted, restarted, too_early)] == ["readable", "readable", "unreadable"]
    before = manage("rotate_encryption_key", "--check", keys=f"{NEW},{OLD}")
    rotate()
    after = manage("rotate_encryption_key", "--check", keys=f"{NEW},{OLD}")
    assert not_restarted.look() == "unreadable"  # and saved the row again
    assert [one.look() for one in (restarted, too_early)] == ["readable", "readable"]
    # The exit code tells whether the old key is needed.
    assert (before.returncode, after.returncode) == (1, 0)
    assert "2 key 2" in before.stdout
    assert "2 key 1 (newest)" in after.stdout


def test_a_killed_change_leaves_every_secret_readable_and_none_sealed_twice(
    own_database: Any, capsys: pytest.CaptureFixture[str]
):
    connection.close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.clusters.killed_rotations"],
        cwd=ROOT,
        env=environment(f"{OLD},{NEW}"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rounds = json.loads(done.stdout)
    readable, twice = sum(one["readable"] for one in rounds), sum(one["twice"] for one in rounds)
    with capsys.disabled():
        print(f"\n{len(rounds)} kills: {readable} readable, {twice} encrypted twice")
    assert [one for one in rounds if not one["killed"]] == []
    assert {one["keys"] for one in rounds} == {1}, "half of it was done"
    assert {one["done"] for one in rounds} == {False, True}, "the points lie on both sides of the commit"
    assert (len(rounds), readable, twice) == (50, 50, 0)
