"""bin/manage export_clusters: the same format without secrets, sealed, or in the clear, and back again."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection

from clusters import exporting
from clusters.config import inspect
from clusters.importing import Options, import_content
from clusters.models import SECRETS, Cluster
from tests.clusters.config_files import CORE, FINGERPRINT, MARKER, PEM, TOKEN_MARKER

pytestmark = pytest.mark.django_db


@pytest.fixture
def alpha() -> Cluster:
    """A cluster with everything that a cluster can have."""
    return Cluster.objects.create(
        cluster_id="alpha", name="Älpha", host="pve.test", port=443, user="portal@pve", password=MARKER,
        token_id="portal@pve!labs", token_secret=f"token-{TOKEN_MARKER}", verify_ssl=True, ca_certificate=PEM,
        fingerprint=FINGERPRINT, is_default=True,
        read_token_id="portal@pve!look", read_token_secret=f"look-{TOKEN_MARKER}",
        addresses="10.0.0.12\npve3.test:443",
    )  # fmt: skip


@pytest.fixture
def beta() -> Cluster:
    """One that is switched off."""
    return Cluster.objects.create(
        cluster_id="beta", name="Beta", host="b.test", user="root@pam", password="β", is_active=False
    )


def run(*words: object) -> str:
    out = StringIO()
    call_command("export_clusters", *words, stdout=out, stderr=out)
    return out.getvalue()


def exported(*words: object) -> list[dict[str, Any]]:
    return json.loads(run(*words))


# Without secrets.


def test_an_export_has_what_the_import_knows_and_no_secret(alpha):
    (found,) = exported()
    assert found == {
        "id": "alpha", "name": "Älpha", "host": "pve.test", "port": 443, "user": "portal@pve",
        "token_id": "portal@pve!labs", "verify_ssl": True, "ca_certificate": PEM, "fingerprint": FINGERPRINT,
        "is_active": True, "is_restricted": False, "is_default": True, "read_token_id": "portal@pve!look",
        "addresses": ["10.0.0.12", "pve3.test:443"],
    }  # fmt: skip


def test_an_export_without_secrets_holds_none_not_even_sealed(alpha):
    text = run()
    assert CORE not in text
    assert "gAAAA" not in text


def test_an_export_tells_what_is_switched_off(alpha, beta):
    assert [(one["id"], one["is_active"]) for one in exported()] == [("alpha", True), ("beta", False)]


def test_a_portal_without_clusters_exports_an_empty_list():
    assert exported("--sealed") == []


def test_an_export_has_no_learned_addresses(alpha):
    Cluster.objects.update(learned_addresses=["10.0.0.99"])
    assert "10.0.0.99" not in run()


# Sealed.


def test_a_sealed_export_holds_the_stored_ciphertext_and_no_plaintext(alpha):
    text = run("--sealed")
    assert json.loads(text)[0]["password"] == {"sealed": Cluster.objects.get().password.encrypted()}
    assert CORE not in text


def test_a_sealed_export_decrypts_nothing(alpha, monkeypatch):
    monkeypatch.setattr("encrypted_model_fields.fields.decrypt_str", lambda text: pytest.fail("decrypted"))
    (found,) = exported("--sealed")
    assert all(found[name]["sealed"].startswith("gAAAA") for name in SECRETS)


def test_a_sealed_export_is_no_plaintext_for_the_check(alpha):
    assert not inspect(run("--sealed").encode(), source="f").has_plaintext


@pytest.mark.parametrize("how", [["--sealed"], ["--plaintext", "--no-input"]], ids=["sealed", "in the clear"])
def test_an_export_comes_back_whole(alpha, beta, how):
    before = [vars_of(cluster) for cluster in Cluster.objects.all()]
    text = run(*how)
    Cluster.objects.all().delete()
    import_content(text.encode(), source="f", options=Options(restore=True))
    assert [vars_of(cluster) for cluster in Cluster.objects.all()] == before


def vars_of(cluster: Cluster) -> dict[str, Any]:
    secrets = {name: getattr(cluster, name) and getattr(cluster, name).reveal() for name in SECRETS}
    return {name: getattr(cluster, name) for name in exporting.FIELDS} | secrets


def test_an_import_of_the_export_finds_everything_the_same(alpha, beta):
    plan = import_content(run("--sealed").encode(), source="f", options=Options(update=True))
    assert [row.reason for row in plan.rows] == ["same", "same"]


# In the clear.


def test_in_the_clear_the_passwords_are_readable(alpha):
    (found,) = exported("--plaintext", "--no-input")
    assert [found[name] for name in SECRETS] == [MARKER, f"token-{TOKEN_MARKER}", f"look-{TOKEN_MARKER}"]


def test_in_the_clear_is_asked_for(alpha, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "plaintext")
    assert CORE in run("--plaintext")


@pytest.mark.parametrize("answer", ["", "y", "yes", "Plaintext"])
def test_without_the_word_nothing_is_written(alpha, tmp_path, monkeypatch, answer):
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    with pytest.raises(CommandError, match="Nothing was written"):
        run("--plaintext", "--output", tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []


def test_both_kinds_of_secrets_are_not_wanted_at_once(alpha):
    with pytest.raises(CommandError, match="not allowed with"):
        run("--sealed", "--plaintext")


def test_in_the_clear_an_unreadable_secret_is_an_error(alpha, monkeypatch):
    monkeypatch.setattr("encrypted_model_fields.fields.CRYPTER", Fernet(Fernet.generate_key()))
    with pytest.raises(CommandError, match="cannot be decrypted with FIELD_ENCRYPTION_KEY"):
        run("--plaintext", "--no-input")


# What could not be read back is not written.


def test_a_cluster_without_a_credential_keeps_the_old_file(alpha, tmp_path):
    Cluster.objects.create(cluster_id="bare", name="Bare", host="pve.test", user="portal@pve")
    (tmp_path / "out.json").write_text("the old one")
    with pytest.raises(CommandError, match=r"\(bare\): password: is missing"):
        run("--sealed", "--output", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == "the old one"


def test_a_password_that_stands_in_the_table_in_the_clear_is_not_written(alpha):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters SET password = %s", [MARKER])
    with pytest.raises(CommandError, match="password") as error:
        run("--sealed")
    assert CORE not in str(error.value)


# The file.


def test_the_file_is_readable_by_its_owner_alone(alpha, tmp_path):
    before = os.umask(0)
    try:
        run("--sealed", "--output", tmp_path / "out.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_not_readable_by_them_afterwards(alpha, tmp_path):
    (tmp_path / "out.json").touch(0o644)
    run("--output", tmp_path / "out.json")
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600


def test_what_was_written_is_said(alpha, beta, tmp_path):
    assert run("--sealed", "--output", tmp_path / "out.json").startswith("2 clusters written to ")


def test_an_interruption_leaves_the_old_file_and_nothing_else(alpha, tmp_path, monkeypatch):
    (tmp_path / "out.json").write_text("the old one")
    monkeypatch.setattr(os, "fsync", lambda descriptor: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("--sealed", "--output", tmp_path / "out.json")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.json", "the old one")]


def test_behind_a_link_the_file_itself_loses_its_passwords(alpha, tmp_path):
    (tmp_path / "real.json").write_text(MARKER)
    (tmp_path / "link.json").symlink_to("real.json")
    run("--sealed", "--output", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert CORE not in (tmp_path / "real.json").read_text()


def test_a_folder_that_is_not_there_is_named(alpha, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        run("--output", tmp_path / "nowhere" / "out.json")


# Another installation, in processes of its own.


@pytest.fixture
def manage(tmp_path: Path, migrated_file: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    shutil.copy(migrated_file, tmp_path / "other.db")

    def manage(*words: object, key: str = project.FIELD_ENCRYPTION_KEY[0], **more: str) -> Any:
        environment = {
            "PATH": "", "SECRET_KEY": project.SECRET_KEY, "FIELD_ENCRYPTION_KEY": key,
            "DATABASE_URL": f"sqlite:///{tmp_path / 'other.db'}", "CLUSTER_CONFIG_FILE": str(tmp_path / "sealed.json"),
        }  # fmt: skip
        command = [sys.executable, str(project.BASE_DIR / "manage.py"), *map(str, words)]
        return subprocess.run(command, env=environment | more, capture_output=True, text=True, timeout=60, check=False)

    return manage


@pytest.fixture
def sealed_file(alpha: Cluster, beta: Cluster, tmp_path: Path) -> Path:
    run("--sealed", "--output", tmp_path / "sealed.json")
    return tmp_path / "sealed.json"


def test_a_sealed_file_comes_into_an_empty_database_of_the_same_key(sealed_file, manage):
    done = manage("import_clusters")
    assert "2 created" in done.stdout, done.stderr
    back = json.loads(manage("export_clusters", "--plaintext", "--no-input").stdout)
    assert [(one["password"], one["is_active"]) for one in back] == [(MARKER, True), ("β", False)]


def test_a_cluster_only_with_a_grant_comes_back_as_one(alpha, beta, tmp_path, manage):
    Cluster.objects.filter(pk=beta.pk).update(is_restricted=True)
    run("--sealed", "--output", tmp_path / "sealed.json")
    manage("import_clusters")
    back = json.loads(manage("export_clusters").stdout)
    assert [(one["id"], one["is_restricted"]) for one in back] == [("alpha", False), ("beta", True)]


def test_a_sealed_file_is_refused_under_another_key(sealed_file, manage):
    done = manage("import_clusters", key=Fernet.generate_key().decode())
    assert done.returncode == 1
    assert "alpha: password: was not encrypted with a key of FIELD_ENCRYPTION_KEY" in done.stderr


def test_without_a_database_the_sealed_file_is_the_source_and_revives_nothing(sealed_file, manage):
    done = manage("clusters", "list", DATABASE_URL="sqlite:////nonexistent/lab_portal.db")
    assert re.match(r"Source: clusters\.json \(the database cannot be reached\): /.*sealed\.json\nalpha", done.stdout)
    assert "beta" not in done.stdout


def test_without_a_database_another_key_is_a_plain_word_and_no_traceback(sealed_file, manage):
    key = Fernet.generate_key().decode()
    done = manage("clusters", "test", "alpha", DATABASE_URL="sqlite:////nonexistent/lab_portal.db", key=key)
    assert done.returncode == 1
    assert "CommandError: Älpha: " in done.stderr
    assert "Traceback" not in done.stderr
