"""`manage.py doctor`: a line for everything, with the next step."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from clusters.models import Cluster, ClusterHealth
from vms.models import ClusterSync

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "c4nary-of-the-doctor"


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the doctor says, by subject; the last line of each."""
    capsys.readouterr()
    with suppress(SystemExit):
        call_command("doctor")
    printed = capsys.readouterr().out
    assert SECRET not in printed
    return {line.split()[1]: line for line in printed.splitlines() if line}


@pytest.fixture
def alpha(db: None) -> Cluster:
    return Cluster.objects.create(
        cluster_id="alpha", name="Alpha", host="a.test", user="p@pve", password=SECRET, verify_ssl=True
    )


def test_a_sound_installation_is_said_to_be_sound(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    ClusterHealth.succeeded("alpha")
    ClusterSync.objects.create(cluster=alpha, due_at=timezone.now())
    found = lines(capsys)
    sound = ("database", "migrations", "keys", "clusters", "worker")
    assert {name: found[name].split()[0] for name in sound} == dict.fromkeys(sound, "ok")


def test_an_unreadable_credential_fails(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters SET password = 'gAAAAAbroken'")
    assert lines(capsys)["keys"].startswith("FAIL")


def test_a_silent_cluster_is_told_with_its_problem(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    ClusterHealth.failed("alpha", "It is unplugged.")
    assert "alpha: It is unplugged." in lines(capsys)["clusters"]


def test_a_cluster_that_was_never_asked_comes_with_the_command(
    alpha: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "manage.py clusters test alpha" in lines(capsys)["clusters"]


def test_no_active_cluster_is_told(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    alpha.deactivate()
    assert "none is active" in lines(capsys)["clusters"]


def test_a_worker_that_stopped_is_told(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    ClusterSync.objects.create(cluster=alpha, due_at=timezone.now() - timedelta(minutes=3))
    assert lines(capsys)["worker"].startswith("FAIL")


def test_a_worker_that_never_ran_is_told(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was ever read" in lines(capsys)["worker"]


def doctor(database: str) -> tuple[int, str]:
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "labportal.settings", "DATABASE_URL": database,
        "CLUSTER_CONFIG_FILE": "/nonexistent/clusters.json",
    }  # fmt: skip
    command = [sys.executable, "manage.py", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_without_a_database_everything_else_is_still_told(tmp_path: Path) -> None:
    code, printed = doctor(f"sqlite:///{tmp_path}/no/such/folder/lab.db")
    assert code == 1
    assert "FAIL  database" in printed
    assert "files" in printed
    assert "Traceback" not in printed


def test_missing_migrations_come_with_the_command(tmp_path: Path) -> None:
    code, printed = doctor(f"sqlite:///{tmp_path}/lab.db")
    assert code == 1
    assert "manage.py migrate" in printed
    assert "Traceback" not in printed
