"""bin/manage import_clusters: new entries in, everything else left alone, all or nothing."""

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.conf import settings as project
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import signals

from clusters import importing
from clusters.importing import ClusterReason
from clusters.models import Adoption, Cluster, DeletedCluster
from tests.own_database import run_in_threads

pytestmark = pytest.mark.django_db

PASSWORD = "p4ssw0rd-of-the-file"


def entry(cluster_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": cluster_id, "host": "pve.test", "user": "portal@pve", "password": PASSWORD, **fields}


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Callable[..., Path]:
    """Write the file that the command finds by itself."""
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")

    def write(*entries: dict[str, Any]) -> Path:
        (tmp_path / "clusters.json").write_text(json.dumps(entries))
        return tmp_path / "clusters.json"

    return write


def run(*words: object) -> str:
    out = StringIO()
    call_command("import_clusters", *words, stdout=out, stderr=out)
    return out.getvalue()


def ids() -> list[str]:
    return list(Cluster.objects.order_by("cluster_id").values_list("cluster_id", flat=True))


# New entries come in.


def test_every_entry_becomes_a_cluster(write):
    write(entry("alpha"), entry("beta"), entry("gamma"))
    assert "3 created, 0 updated, 0 skipped" in run()
    assert ids() == ["alpha", "beta", "gamma"]


def test_a_second_import_creates_nothing(write):
    write(entry("alpha"), entry("beta"))
    run()
    assert "0 created, 0 updated, 2 skipped" in run()
    assert ids() == ["alpha", "beta"]


def test_an_entry_comes_in_whole(write):
    write(entry("alpha", name="A", port="443", verify_ssl=True, token_id="p@pve!t1", token_secret="t0ken"))
    run()
    cluster = Cluster.objects.get()
    assert (cluster.name, cluster.port, cluster.verify_ssl, cluster.token_id) == ("A", 443, True, "p@pve!t1")
    assert (cluster.password.reveal(), cluster.token_secret.reveal()) == (PASSWORD, "t0ken")


def test_an_inactive_entry_stays_inactive(write):
    write(entry("alpha", is_active=False))
    run()
    assert not Cluster.objects.get().is_active


def test_a_file_can_be_named(tmp_path):
    (tmp_path / "other.json").write_text(json.dumps({"clusters": [entry("alpha")]}))
    run(tmp_path / "other.json")
    assert ids() == ["alpha"]


@pytest.mark.parametrize("place", ["clusters.json", "app/clusters.json"])
def test_the_legacy_portals_paths_are_searched(tmp_path, settings, place):
    settings.CLUSTER_CONFIG_FILE, settings.BASE_DIR = "nothing.json", tmp_path
    (tmp_path / "app").mkdir()
    (tmp_path / place).write_text(json.dumps([entry("alpha")]))
    run()
    assert ids() == ["alpha"]


def test_the_file_is_kept(write):
    before = (path := write(entry("alpha"))).read_bytes()
    assert f"{path} was kept" in run()
    assert path.read_bytes() == before


def test_an_import_initialises_the_database(write):
    write(entry("alpha"))
    run()
    assert Adoption.objects.exists()


def test_a_file_without_clusters_initialises_nothing(write):
    write()
    assert "0 created" in run()
    assert not Adoption.objects.exists()


# What is there stays.


def test_an_existing_cluster_is_untouched_though_the_file_differs(write):
    write(entry("alpha"))
    run()
    before = Cluster.objects.values().get() | {"password": sealed()}
    write(entry("alpha", name="Other", host="other.test", port=1, password="other", is_active=False))
    assert "0 created, 0 updated, 1 skipped" in run()
    assert Cluster.objects.values().get() | {"password": sealed()} == before | {"token_secret": None}


def sealed() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM clusters")
        return cursor.fetchone()[0]


def test_a_deleted_cluster_stays_deleted(write):
    write(entry("alpha"), entry("beta"))
    run()
    Cluster.objects.get(cluster_id="alpha").delete()
    text = run()
    assert "deleted  alpha" in text
    assert "--restore" in text
    assert ids() == ["beta"]


def test_restore_brings_a_deleted_cluster_back(write):
    write(entry("alpha"))
    run()
    Cluster.objects.get().delete()
    assert "1 created" in run("--restore")
    assert ids() == ["alpha"]
    assert not DeletedCluster.objects.exists()


def test_restore_leaves_an_existing_cluster_alone(write):
    write(entry("alpha"))
    run()
    write(entry("alpha", host="other.test"))
    run("--restore")
    assert Cluster.objects.get().host == "pve.test"


# Defaults.


def test_the_default_of_the_file_becomes_the_default(write):
    write(entry("alpha"), entry("beta", is_default=True))
    run()
    assert Cluster.objects.default().cluster_id == "beta"


def test_the_default_of_the_database_wins_and_it_is_said(write):
    write(entry("alpha", is_default=True))
    run()
    write(entry("beta", is_default=True))
    assert "alpha stays the default" in run()
    assert Cluster.objects.default().cluster_id == "alpha"


def test_two_defaults_are_none_and_it_is_said(write):
    write(entry("alpha", is_default=True), entry("beta", is_default=True))
    assert "Several entries are marked as the default (alpha, beta)" in run()
    assert Cluster.objects.default() is None


def test_an_inactive_default_is_none_and_it_is_said(write):
    write(entry("alpha", is_default=True, is_active=False))
    assert "alpha is marked as the default but is not active" in run()
    assert Cluster.objects.default() is None


# All or nothing.


def test_one_bad_entry_keeps_all_out(write):
    write(entry("alpha"), entry("beta", port=0), entry("gamma"))
    with pytest.raises(CommandError, match="Nothing was imported"):
        run()
    assert ids() == []
    assert not Adoption.objects.exists()


def test_an_error_half_way_keeps_all_out(write):
    def give_up(sender: object, instance: Cluster, **kwargs: object) -> None:
        assert instance.cluster_id != "gamma"

    signals.post_save.connect(give_up, sender=Cluster)
    write(entry("alpha"), entry("beta"), entry("gamma"))
    try:
        with pytest.raises(AssertionError):
            run()
    finally:
        signals.post_save.disconnect(give_up, sender=Cluster)
    assert ids() == []


def test_a_missing_file_is_named(write, tmp_path):
    with pytest.raises(CommandError, match=f"There is no file {re.escape(str(tmp_path))}"):
        run(tmp_path / "nothing.json")


@pytest.mark.parametrize("content", ["", "{", '[{"id": ', "null"], ids=repr)
def test_a_broken_file_imports_nothing_and_is_named(write, content):
    (path := write()).write_text(content)
    with pytest.raises(CommandError, match=re.escape(str(path))):
        run()
    assert ids() == []


# The trail, and what is said.


def test_the_trail_names_the_command_and_who_ran_it(write):
    write(entry("alpha"))
    run()
    log = LogEntry.objects.get_for_model(Cluster).get()
    assert (log.actor, log.actor_email) == (None, f"cli:{getpass.getuser()}")


def test_what_is_said_holds_no_password(write):
    write(entry("alpha"), entry("beta"))
    assert PASSWORD not in run() + run()


def test_where_the_password_would_show_it_is_found(write):
    write(entry(PASSWORD))
    assert PASSWORD in run()


# At once.


def import_at_once(*files: Path) -> list[int]:
    """How many clusters each import created, in order."""
    created: list[int] = []
    jobs = [lambda file=file: created.append(len(importing.import_file(file).of(ClusterReason.NEW))) for file in files]
    assert run_in_threads(*jobs) == []
    return sorted(created)


def file_of(folder: Path, *cluster_ids: str) -> Path:
    path = folder / f"{'-'.join(cluster_ids)[:40]}.json"
    path.write_text(json.dumps([entry(cluster_id) for cluster_id in cluster_ids]))
    return path


def test_imports_of_one_file_at_once_create_each_cluster_once(own_database, tmp_path):
    names = [f"c{number:02}" for number in range(30)]
    assert import_at_once(*[file_of(tmp_path, *names)] * 3) == [0, 0, 30]
    assert ids() == names


@pytest.mark.parametrize("is_initialised", [True, False], ids=["initialised", "not initialised"])
def test_imports_of_overlapping_files_at_once_do_not_stop_each_other(own_database, tmp_path, is_initialised):
    if is_initialised:
        importing.import_file(file_of(tmp_path, "first"))
    names = [f"c{number:02}" for number in range(30)]
    assert import_at_once(file_of(tmp_path, *names), file_of(tmp_path, *reversed(names))) == [0, 30]
    assert ids() == [*names, "first"][: 30 + is_initialised]


# A database that was never migrated, in a process of its own.


@pytest.fixture
def first_run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'lab_portal.db'}",
        "SECRET_KEY": project.SECRET_KEY,
        "FIELD_ENCRYPTION_KEY": project.FIELD_ENCRYPTION_KEY[0],
        "DJANGO_SETTINGS_MODULE": "labportal.settings",
    }

    def manage(*words: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, str(project.BASE_DIR / "manage.py"), *map(str, words)]
        return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)

    return manage


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("lab_portal.db*")))


def test_missing_migrations_are_applied_first(first_run, tmp_path):
    done = first_run("import_clusters", file_of(tmp_path, "alpha"))
    assert done.returncode == 0, done.stderr
    assert b"Applying missing migrations." in done.stdout
    assert b"1 created" in done.stdout


@pytest.fixture
def next_run(first_run: Any, migrated_file: Path, tmp_path: Path) -> Any:
    """The same once the database is migrated."""
    shutil.copy(migrated_file, tmp_path / "lab_portal.db")
    return first_run


def test_an_import_leaves_no_password_in_files_output_or_dump(next_run, tmp_path):
    path = file_of(tmp_path, "alpha", "marker-that-is-found")
    done = next_run("import_clusters", path)
    dump = next_run("dumpdata", "--natural-foreign")
    for haystack in (all_bytes(tmp_path), done.stdout + done.stderr, dump.stdout + dump.stderr):
        assert b"marker-that-is-found" in haystack
        assert PASSWORD.encode() not in haystack


def test_a_bad_file_says_so_without_a_traceback_and_without_a_password(next_run, tmp_path):
    (tmp_path / "bad.json").write_text(json.dumps([entry("alpha", host=PASSWORD + " x", pasword=PASSWORD)]))
    done = next_run("import_clusters", tmp_path / "bad.json")
    assert done.returncode == 1
    assert b"did you mean" in done.stderr
    assert b"Traceback" not in done.stderr
    assert PASSWORD.encode() not in done.stdout + done.stderr + all_bytes(tmp_path)


# As JSON


def test_the_plan_is_printed_as_json_with_an_outcome_for_each_entry_and_without_secrets(write):
    write(entry("alpha"), entry("beta"))
    run()
    write(entry("alpha"), entry("gamma"))
    text = run("--dry-run", "--json")
    plan = json.loads(text)
    assert [(row["cluster_id"], row["outcome"], row["reason"]) for row in plan["rows"]] == [
        ("alpha", "skipped", "same"),
        ("gamma", "created", "new"),
    ]
    assert (plan["in_words"], plan["may_be_carried_out"]) == ("1 will be created, 1 has nothing to change", True)
    assert PASSWORD not in text
    assert ids() == ["alpha", "beta"]


def test_an_import_that_is_printed_as_json_imports(write):
    write(entry("alpha"))
    assert json.loads(run("--json"))["counts"]["created"] == 1
    assert ids() == ["alpha"]


def test_a_refused_plan_is_printed_as_json_and_ends_with_an_error(write):
    write(entry("alpha"), entry("beta", port=0))
    with pytest.raises(CommandError, match="Nothing was imported"):
        run("--json")
    assert ids() == []
