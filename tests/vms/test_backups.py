"""A backup put back on a new machine: with the key everything is there, without it the check says so."""

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from cryptography.fernet import Fernet
from django.db import connection

import pvesim
from tests.labs import clock, sim, simulated
from tests.own_database import ON_POSTGRES, default_connection, server, sqlite_only

__all__ = ["clock", "sim"]

ROOT = Path(__file__).resolve().parent.parent.parent
FILL = """
from accounts.models import User; from clusters.models import Cluster; from vms.models import *
from django.contrib.sessions.backends.db import SessionStore
User.objects.create_user("ana", password="a-long-secret-1")
cluster = Cluster.objects.create(cluster_id="building-a", name="Building A", host="{host}", port={port},
    user="portal@pve", password="{password}", fingerprint="{pin}", is_default=True)
vm = VirtualMachine.objects.create(cluster=cluster, vmid=101, name="net-01", node="pve1", status="stopped")
Assignment.objects.create(vm=vm, user=User.objects.get())
SessionStore().create()
from datetime import timedelta; from django.utils import timezone; from accounts import tokens
from accounts.models import IdempotentCall
token, _text = tokens.create(User.objects.get(), name="robot", expires_at=timezone.now() + timedelta(days=1))
IdempotentCall.objects.create(token=token, key="k")
"""
LOOK = """
from vms.models import Assignment; from django.contrib.sessions.models import Session
from accounts.models import ApiToken, IdempotentCall
held = Assignment.objects.get()
print(held.user.check_password("a-long-secret-1"), held.vm, Session.objects.count() +
    ApiToken.objects.count() + IdempotentCall.objects.count())
"""


@dataclass
class Machine:
    """A computer of the school: a folder, a database, keys."""

    folder: Path
    database: str
    key: str

    def manage(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        own = {
            "DJANGO_SETTINGS_MODULE": "labportal.settings", "DATABASE_URL": self.database,
            "FIELD_ENCRYPTION_KEY": self.key, "SECRET_KEY": secrets.token_urlsafe(50), "PATH": os.environ["PATH"],
            "CLUSTER_CONFIG_FILE": str(self.folder / "none.json"), "CLUSTER_ALLOWED_NETWORKS": "loopback",
        }  # fmt: skip
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=own, input=text, text=True, capture_output=True, check=False, timeout=120
        )

    def is_empty(self) -> bool:
        """Whether nobody has put anything into its database: there is no table."""
        name = urlsplit(self.database).path
        name = name.rsplit("/", 1)[1] if ON_POSTGRES else name.removeprefix("/")
        with default_connection(NAME=name, OPTIONS={"pool": False} if ON_POSTGRES else {}):
            return connection.introspection.table_names() == []


@contextmanager
def a_database(folder: Path, blocker: Any, template: str = "") -> Iterator[str]:
    """The URL of a database of its own: empty, or a copy of the template."""
    name = f"backup_{secrets.token_hex(4)}"
    if not ON_POSTGRES:
        if template:
            shutil.copy(template, folder / f"{name}.db")
        yield f"sqlite:///{folder}/{name}.db"
        return
    url = urlsplit(os.environ["DATABASE_URL"])
    with blocker.unblock():
        server(f"CREATE DATABASE {name}" + f" TEMPLATE {template}" * bool(template))
    yield urlunsplit(url._replace(path=f"{url.path.rsplit('/', 1)[0]}/{name}"))
    with blocker.unblock():
        server(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def old(
    tmp_path_factory: pytest.TempPathFactory, sim: pvesim.Simulator, django_db_blocker: Any, migrated_template: str
) -> Iterator[Machine]:
    """In use: a cluster, a person, a machine that she holds, a session."""
    pve, folder = simulated(sim), tmp_path_factory.mktemp("old")
    with a_database(folder, django_db_blocker, migrated_template) as url:
        machine = Machine(folder, url, Fernet.generate_key().decode())
        filled = FILL.format(host=pve.host, port=pve.port, password="unused", pin=pve.fingerprint())
        assert machine.manage("shell", text=filled).stderr == ""
        yield machine
    sim.remove_cluster(pve.name)


@pytest.fixture(scope="module")
def backup(old: Machine) -> Path:
    done = old.manage("backup", "backup.tar.gz")
    assert done.returncode == 0, done.stderr
    return old.folder / "backup.tar.gz"


@pytest.fixture
def new(old: Machine, tmp_path: Path, django_db_blocker: Any) -> Iterator[Machine]:
    """Another computer with the key of the old one."""
    with django_db_blocker.unblock(), a_database(tmp_path, django_db_blocker) as url:
        yield Machine(tmp_path, url, old.key)


def test_with_the_key_everything_is_there_but_sessions_and_tokens(new: Machine, backup: Path):
    done = new.manage("restore", str(backup))
    assert done.returncode == 0, done.stderr
    assert new.manage("shell", text=LOOK).stdout.splitlines()[-1] == "True net-01 (building-a/101) 0"
    assert "Proxmox VE" in new.manage("clusters", "test", "building-a").stdout  # logs in with the stored password
    held = "from vms import automation; print(automation.is_held())"
    assert new.manage("shell", text=held).stdout.splitlines()[-1] == "True"


def test_without_the_key_the_check_says_so(new: Machine, backup: Path):
    new.key = Fernet.generate_key().decode()
    done = new.manage("restore", "--unverified", str(backup))
    assert (done.returncode, "FIELD_ENCRYPTION_KEY is not the key of this database" in done.stderr) == (1, True)
    assert "clusters.E002" in new.manage("check", "--database=default").stderr


def test_without_the_key_nobody_knows_whether_the_backup_was_changed(new: Machine, backup: Path):
    new.key = Fernet.generate_key().decode()
    done = new.manage("restore", str(backup))
    assert (done.returncode, "was made with another key, or was changed" in done.stderr) == (1, True)
    assert new.is_empty()


def test_a_backup_made_with_an_older_key_is_genuine(new: Machine, backup: Path):
    new.key = f"{Fernet.generate_key().decode()},{new.key}"
    assert new.manage("restore", str(backup)).returncode == 0


def unpack(backup: Path, folder: Path) -> None:
    """Without extractall(): its `filter` is missing in Python 3.11.2, and missed by 3.12."""
    folder.mkdir()
    with tarfile.open(backup) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content
            (folder / member.name).write_bytes(content.read())


def repacked(folder: Path, backup: Path, change: Callable[[Path], None]) -> Path:
    """A manipulated backup, with a checksum that fits."""
    unpack(backup, folder / "in")
    change(folder / "in")
    manifest = json.loads((folder / "in" / "manifest.json").read_text())
    manifest["sha256"] = hashlib.sha256((folder / "in" / "database").read_bytes()).hexdigest()
    (folder / "in" / "manifest.json").write_text(json.dumps(manifest))
    with tarfile.open(folder / "other.tar.gz", "w:gz") as archive:
        for name in ("manifest.json", "database"):
            archive.add(folder / "in" / name, name)
    return folder / "other.tar.gz"


def test_a_backup_that_somebody_changed_is_refused(new: Machine, backup: Path, tmp_path: Path):
    def change(folder: Path) -> None:
        dump = folder / "database"
        dump.write_bytes(dump.read_bytes() + b"more")

    done = new.manage("restore", str(repacked(tmp_path, backup, change)))
    assert (done.returncode, "was changed since" in done.stderr) == (1, True)


def test_the_same_backup_packed_again_is_genuine(new: Machine, backup: Path, tmp_path: Path):
    assert new.manage("restore", str(repacked(tmp_path, backup, lambda folder: None))).returncode == 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_backup_that_was_cut_off_changes_nothing(new: Machine, backup: Path, tmp_path: Path, share: float):
    whole = backup.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: int(len(whole) * share)])
    done = new.manage("restore", str(tmp_path / "cut.tar.gz"))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert new.is_empty()


def test_a_link_in_a_backup_is_not_followed(new: Machine, tmp_path: Path):
    with tarfile.open(tmp_path / "links.tar.gz", "w:gz") as archive:
        for name in ("manifest.json", "database"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
    assert "not a backup" in new.manage("restore", str(tmp_path / "links.tar.gz")).stderr


def test_what_is_in_the_database_is_not_lost_unasked(old: Machine, backup: Path):
    done = old.manage("restore", str(backup))
    assert (done.returncode, "--replace" in done.stderr) == (1, True)


def test_what_is_in_the_database_is_replaced_when_one_says_so(old: Machine, backup: Path):
    old.manage("shell", text="from accounts.models import User; User.objects.create_user('later')")
    assert old.manage("restore", "--replace", str(backup)).returncode == 0
    found = old.manage("shell", text="from accounts.models import User; print(*User.objects.all())")
    assert found.stdout.splitlines()[-1] == "ana"


def test_a_backup_is_its_owners_alone_and_never_overwritten(old: Machine, backup: Path):
    assert backup.stat().st_mode & 0o777 == 0o600
    before = backup.read_bytes()
    assert "already exists" in old.manage("backup", "backup.tar.gz").stderr
    assert backup.read_bytes() == before


def test_a_damaged_backup_changes_nothing(new: Machine, backup: Path, tmp_path: Path):
    unpack(backup, tmp_path / "in")
    (tmp_path / "in" / "database").write_bytes(b"SQLite format 3")
    with tarfile.open(tmp_path / "damaged.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "in", "")
        for name in ("manifest.json", "database"):
            archive.add(tmp_path / "in" / name, name)
    assert "is damaged" in new.manage("restore", str(tmp_path / "damaged.tar.gz")).stderr
    assert new.is_empty()


@pytest.mark.parametrize("content", [None, b"", b"not an archive"])
def test_what_is_no_backup_is_refused(new: Machine, tmp_path: Path, content: bytes | None):
    file = tmp_path / "other.tar.gz"
    if content is not None:
        file.write_bytes(content)
    said = new.manage("restore", str(file)).stderr
    assert ("There is no file" if content is None else "not a backup") in said


@sqlite_only
def test_a_database_in_use_is_not_replaced(old: Machine, backup: Path):
    with closing(sqlite3.connect(old.database.removeprefix("sqlite:///"))) as reader:
        reader.execute("SELECT * FROM clusters").fetchone()
        done = old.manage("restore", "--replace", str(backup))
    assert "Stop the web server and the workers first" in done.stderr


def test_an_older_version_does_not_run_on_a_newer_database(old: Machine):
    recorder = "from django.db.migrations.recorder import MigrationRecorder as R; from django.db import connection; R"
    old.manage("shell", text=f"{recorder}(connection).record_applied('vms', '9999_of_the_future')")
    said = old.manage("check", "--database=default")
    old.manage("shell", text=f"{recorder}(connection).record_unapplied('vms', '9999_of_the_future')")
    assert (said.returncode, "vms.E001" in said.stderr, "9999_of_the_future" in said.stderr) == (1, True, True)
