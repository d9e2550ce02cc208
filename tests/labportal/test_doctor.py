"""`bin/manage doctor`: a line for everything, with the next step."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
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
    ClusterSync.objects.update_or_create(
        cluster=alpha, defaults={"due_at": timezone.now(), "synced_at": timezone.now()}
    )
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
    assert "bin/manage clusters test alpha" in lines(capsys)["clusters"]


def test_no_active_cluster_is_told(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    alpha.deactivate()
    assert "none is active" in lines(capsys)["clusters"]


def test_a_worker_that_stopped_is_told(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    ClusterSync.objects.update_or_create(cluster=alpha, defaults={"due_at": timezone.now() - timedelta(minutes=3)})
    assert lines(capsys)["worker"].startswith("FAIL")


def test_a_worker_that_never_ran_is_told(alpha: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no cluster was ever synced" in lines(capsys)["worker"]


def use(monkeypatch: pytest.MonkeyPatch, settings: Any, *keys: str) -> None:
    """As a restart with another FIELD_ENCRYPTION_KEY does."""
    settings.FIELD_ENCRYPTION_KEY = list(keys)
    monkeypatch.setattr("encrypted_model_fields.fields.CRYPTER", MultiFernet([Fernet(key) for key in keys]))


def test_the_wrong_key_fails(alpha: Cluster, monkeypatch: pytest.MonkeyPatch, settings: Any, capsys: Any) -> None:
    use(monkeypatch, settings, Fernet.generate_key().decode())
    assert "FAIL  keys" in lines(capsys)["keys"]
    assert "not the key of this database" in lines(capsys)["keys"]


def test_an_old_key_that_is_needed_comes_with_the_command(
    alpha: Cluster, monkeypatch: pytest.MonkeyPatch, settings: Any, capsys: Any
) -> None:
    use(monkeypatch, settings, Fernet.generate_key().decode(), *settings.FIELD_ENCRYPTION_KEY)
    found = lines(capsys)["keys"]
    assert found.startswith("WARN")
    assert "bin/manage rotate_encryption_key" in found


def test_an_old_key_that_is_not_needed_is_told(
    alpha: Cluster, monkeypatch: pytest.MonkeyPatch, settings: Any, capsys: Any
) -> None:
    use(monkeypatch, settings, *settings.FIELD_ENCRYPTION_KEY, Fernet.generate_key().decode())
    found = lines(capsys)["keys"]
    assert found.startswith("ok")
    assert "no longer needed" in found


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(("mode", "verdict"), [(0o600, "ok"), (0o644, "WARN")])
def test_a_file_that_others_can_read_comes_with_the_command(
    tmp_path: Path, settings: Any, capsys: Any, mode: int, verdict: str
) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "key").chmod(mode)
    settings.BASE_DIR, settings.KEY_FILES = tmp_path, [str(tmp_path / "key")]
    found = lines(capsys)["files"]
    assert found.split()[0] == verdict
    assert (f"chmod 600 {tmp_path / 'key'}" in found) is (verdict == "WARN")


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(("content", "warned"), [(f'[{{"password": "{SECRET}"}}]', True), ("[]", False)])
def test_passwords_in_the_clear_come_with_the_command(
    tmp_path: Path, settings: Any, capsys: Any, content: str, warned: bool
) -> None:
    (tmp_path / "clusters.json").write_text(content)
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")
    capsys.readouterr()
    call_command("doctor")
    printed = capsys.readouterr().out
    assert ("export_clusters --sealed" in printed) is warned
    assert SECRET not in printed


def test_clusters_from_elsewhere_are_told(db: None, capsys: Any) -> None:
    capsys.readouterr()
    call_command("doctor")
    assert "read from defaults: no cluster was ever saved" in capsys.readouterr().out


def test_a_setting_that_cannot_work_comes_with_the_value_to_write(alpha: Cluster, settings: Any, capsys: Any) -> None:
    settings.ALLOWED_HOSTS = ["https://labs.example.org:8443"]
    found = lines(capsys)["checks"]
    assert found.startswith("FAIL")
    assert "Write ALLOWED_HOSTS=labs.example.org:" in found


def test_warnings_alone_are_no_failure(alpha: Cluster, capsys: Any) -> None:
    capsys.readouterr()
    call_command("doctor")
    assert "WARN" in capsys.readouterr().out


def test_a_failure_is_told_by_the_exit_code(alpha: Cluster, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    use(monkeypatch, settings, Fernet.generate_key().decode())
    with pytest.raises(SystemExit) as ended:
        call_command("doctor")
    assert ended.value.code == 1


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
    assert "bin/manage migrate" in printed
    assert "Traceback" not in printed
