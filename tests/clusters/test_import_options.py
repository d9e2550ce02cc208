"""bin/manage import_clusters: the plan, and what each option adds to creating what is new."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.conf import settings as project
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection

from clusters import importing
from clusters.importing import Options
from clusters.models import SECRETS, Adoption, Cluster, DeletedCluster
from tests.clusters.config_files import (
    CORE,
    FINGERPRINT,
    MARKER,
    OTHER_KEY,
    PEM,
    entry,
    fixed_key,
    raw_rows,
    sealed,
)
from tests.own_database import run_in_threads
from tests.waits import TIMEOUT, read_line_with

__all__ = ["fixed_key"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*entries: Any) -> Path:
        (tmp_path / "clusters.json").write_text(json.dumps(entries))
        return tmp_path / "clusters.json"

    return write


def run(*words: object) -> str:
    """What the command says; a refusal and an exit code are the last line."""
    out = StringIO()
    try:
        call_command("import_clusters", *words, stdout=out, stderr=out)
    except CommandError as error:
        out.write(f"refused {error.returncode}: {error}")
    except SystemExit as end:
        out.write(f"exit {end.code}")
    return out.getvalue()


@pytest.fixture
def here(write: Callable[..., Path]) -> Cluster:
    run(write(entry("here", name="Here", is_default=True)))
    return Cluster.objects.get(cluster_id="here")


# The plan.


@pytest.fixture
def everything(here: Cluster, write: Callable[..., Path]) -> Path:
    """A file with an entry for every verdict."""
    Cluster.objects.create(cluster_id="moved", name="Moved", host="a.test", user="portal@pve", password=MARKER)
    DeletedCluster.objects.remember(["gone"], by="lena")
    moved = entry("moved", name="Moved", host="b.test", ca_certificate=PEM, password="other")
    return write(entry("new"), entry("here", name="Here"), moved, entry("gone"), entry("bad", port=0))


@pytest.mark.parametrize(
    "line",
    [
        "new      new", "same     here", "differs  moved (left alone)", "host: a.test → b.test",
        "ca_certificate: none → a certificate", "password: *** → another one", "deleted  gone", "by lena; --restore",
        "invalid  entry 5 (bad)  port should be a number",
    ],
)  # fmt: skip
def test_a_dry_run_prints_the_plan(everything, line):
    assert line in run(everything, "--dry-run")


def test_a_dry_run_changes_nothing(everything):
    before = raw_rows()
    run(everything, "--dry-run", "--partial", "--update", "--update-secrets", "--restore")
    assert raw_rows() == before


def test_a_dry_run_shows_no_secret(everything):
    assert CORE not in run(everything, "--dry-run", "--update")


def test_a_dry_run_ends_as_the_import_would(everything):
    assert "refused 1: " in run(everything, "--dry-run")
    assert run(everything, "--dry-run", "--partial").endswith("exit 3")


def test_a_dry_run_counts_what_would_be(everything):
    text = run(everything, "--dry-run", "--partial")
    assert "Would be: 1 created, 0 updated, 3 skipped, 1 left out. Nothing was changed." in text


def test_without_migrations_there_is_nothing_to_compare_with(write, monkeypatch):
    monkeypatch.setattr("django.db.migrations.executor.MigrationExecutor.migration_plan", lambda *args: ["one"])
    assert "Run: bin/manage migrate" in run(write(entry("new")), "--dry-run")


# --partial


def test_in_part_the_valid_entries_come_in_and_the_others_are_named(write):
    text = run(write(entry("new"), entry("bad", port=0, host="")), "--partial")
    assert "entry 2 (bad): port: should be" in text
    assert [cluster.cluster_id for cluster in Cluster.objects.all()] == ["new"]


def test_in_part_an_entry_with_two_faults_is_left_out_once(write):
    text = run(write(entry("new"), entry("bad", port=0, host="")), "--partial")
    assert "1 created, 0 updated, 0 skipped, 1 left out" in text
    assert text.endswith("exit 3")


def test_in_part_a_good_file_ends_well(write):
    assert "exit" not in run(write(entry("new")), "--partial")


def test_in_part_a_file_that_is_no_list_is_refused(write):
    (path := write()).write_text("{}")
    assert "refused 1: " in run(path, "--partial")


# --update


def test_an_update_takes_the_name_over_and_says_so(here, write):
    text = run(write(entry("here", name="New name")), "--update")
    assert "name: Here → New name" in text
    assert "0 created, 1 updated" in text
    assert Cluster.objects.get().name == "New name"


def test_an_update_is_in_the_trail_as_one_change(here, write):
    run(write(entry("here", name="New name")), "--update")
    log = LogEntry.objects.get_for_object(here).filter(action=LogEntry.Action.UPDATE).get()
    assert log.changes["name"] == ["Here", "New name"]


def test_an_update_of_the_same_changes_nothing(here, write):
    path = write(entry("here", name="New name"))
    run(path, "--update")
    before = raw_rows()
    assert "0 updated, 1 skipped" in run(path, "--update")
    assert raw_rows() == before


def test_an_update_leaves_the_stored_ciphertext_as_it_is(here, write):
    before = raw_rows("clusters")["clusters"][0]
    run(write(entry("here", name="New name")), "--update")
    after = raw_rows("clusters")["clusters"][0]
    ciphertext = next(value for value in before if str(value).startswith("gAAAA"))
    assert ciphertext in after


GUARDED = [
    {"host": "b.test"}, {"port": 443}, {"user": "b@pve"}, {"verify_ssl": True}, {"ca_certificate": PEM},
    {"fingerprint": FINGERPRINT}, {"password": "other"}, {"token_id": "p@pve!t1", "token_secret": "t0ken"},
    {"addresses": ["b.test"]}, {"read_token_id": "p@pve!t1", "read_token_secret": "t0ken"},
]  # fmt: skip


@pytest.mark.parametrize("fields", GUARDED, ids=lambda fields: next(iter(fields)))
def test_where_a_credential_goes_is_not_updated_without_the_credential(here, write, fields):
    before = raw_rows()
    assert "--update-secrets applies all of them" in run(write(entry("here", name="N", **fields)), "--update")
    assert raw_rows() == before


@pytest.mark.parametrize("fields", GUARDED, ids=lambda fields: next(iter(fields)))
def test_where_a_credential_goes_is_updated_together_with_it(here, write, fields):
    run(write(entry("here", name="Here", **fields)), "--update", "--update-secrets")
    found = Cluster.objects.get()
    for name, value in fields.items():
        stored = found.addresses.splitlines() if name == "addresses" else getattr(found, name)
        assert (stored.reveal() if name in SECRETS else stored) == value


def test_in_part_an_update_leaves_out_what_needs_its_credential(here, write):
    text = run(write(entry("here", name="Here", host="b.test"), entry("new")), "--update", "--partial")
    assert text.endswith("exit 3")
    assert Cluster.objects.get(cluster_id="here").host == "pve.test"
    assert Cluster.objects.filter(cluster_id="new").exists()


def test_credentials_are_updated_with_an_update_only(here, write):
    assert "refused 2: --update-secrets needs --update." in run(write(entry("here")), "--update-secrets")


def test_an_updated_credential_is_a_new_version(here, write):
    run(write(entry("here", name="Here", password="other")), "--update", "--update-secrets")
    assert Cluster.objects.get().credential_version == here.credential_version + 1


def test_a_file_without_the_token_removes_none(here, write):
    run(write(entry("here", name="Here", token_id="p@pve!t1", token_secret="t0ken")), "--update", "--update-secrets")
    run(write(entry("here", name="Here")), "--update", "--update-secrets")
    found = Cluster.objects.get()
    assert (found.token_id, found.token_secret.reveal()) == ("p@pve!t1", "t0ken")


def test_an_update_that_switches_the_default_off_says_that_there_is_none(here, write):
    assert "there will be no default" in run(write(entry("here", name="Here", is_active=False)), "--update")
    assert (Cluster.objects.default(), Cluster.objects.get().is_active) == (None, False)


def test_an_update_never_moves_the_default(here, write):
    text = run(write(entry("here", name="Here"), entry("new", is_default=True)), "--update")
    assert "here stays the default; the file's (new) does not replace it." in text
    assert Cluster.objects.default().cluster_id == "here"


def test_without_a_default_a_present_cluster_does_not_become_it(here, write):
    Cluster.objects.update(is_default=False)
    text = run(write(entry("here", name="Here", is_default=True)), "--update")
    assert "There is no default cluster; the file's (here) does not replace it." in text
    assert Cluster.objects.default() is None


# Tombstones.


def test_a_deletion_is_told_with_the_day_and_who(here, write):
    here.delete()
    DeletedCluster.objects.remember(["here"], by="admin")
    grave = DeletedCluster.objects.get()
    assert f"deleted {grave.deleted_at:%Y-%m-%d} by admin; --restore" in run(write(entry("here")))


def test_a_deletion_by_nobody_known_is_told_with_its_day(here, write):
    here.delete()
    grave = DeletedCluster.objects.get()
    assert f"deleted {grave.deleted_at:%Y-%m-%d}; --restore" in run(write(entry("here")))


def test_a_restored_cluster_has_no_tombstone(here, write):
    here.delete()
    run(write(entry("here")), "--restore")
    assert not DeletedCluster.objects.exists()


# What this portal alone cannot use.


def test_an_id_that_differs_in_capitals_from_a_present_one_is_refused(here, write):
    assert "HERE: id: is already in the portal as here" in run(write(entry("HERE")))
    assert Cluster.objects.count() == 1


def test_what_was_sealed_with_another_key_is_refused(write, fixed_key):
    text = run(write(entry("new"), entry("foreign", password=sealed(MARKER, OTHER_KEY))))
    assert "foreign: password: was not encrypted with a key of FIELD_ENCRYPTION_KEY" in text
    assert not Cluster.objects.exists()


def test_what_was_sealed_with_another_key_replaces_no_good_password(here, write, fixed_key):
    before = raw_rows()
    run(write(entry("here", password=sealed(MARKER, OTHER_KEY))), "--update", "--update-secrets", "--partial")
    assert raw_rows() == before


def test_a_file_of_which_nothing_is_usable_initialises_nothing(write, fixed_key):
    run(write(entry("foreign", password=sealed(MARKER, OTHER_KEY))), "--partial")
    assert not Adoption.objects.exists()


def test_what_was_sealed_here_comes_in(write, fixed_key):
    run(write(entry("new", password=sealed(MARKER))))
    assert Cluster.objects.get().password.reveal() == MARKER


def test_an_import_into_an_empty_database_leaves_the_known_word_of_its_key(write):
    run(write(entry("new")))
    assert Adoption.objects.get().canary.reveal() == Adoption.CANARY


# What comes next.


def test_plaintext_in_the_file_is_followed_by_how_to_remove_it(write):
    assert f"bin/manage export_clusters --sealed --output {(path := write(entry('new')))}" in run(path)


def test_a_sealed_file_needs_no_next_step(write, fixed_key):
    assert "Next:" not in run(write(entry("new", password=sealed(MARKER))))


# In processes of their own: exit codes, and an end in the middle.


def environment() -> dict[str, str]:
    """The database is the one that `own_database` made."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{config['NAME']}"
    else:
        url = f"postgres://{config['USER']}:{config['PASSWORD']}@/{config['NAME']}?host={config['HOST']}"
        url += f"&port={config['PORT']}" if config["PORT"] else ""
    keys = {"SECRET_KEY": project.SECRET_KEY, "FIELD_ENCRYPTION_KEY": project.FIELD_ENCRYPTION_KEY[0]}
    return os.environ | keys | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "labportal.settings"}


def process(*words: object, code: str = "") -> subprocess.Popen[bytes]:
    program = ["-c", code] if code else [str(project.BASE_DIR / "manage.py"), "import_clusters"]
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        env=environment(), cwd=project.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "words", "code"),
    [
        ([entry("new")], [], 0), ([], [], 0), ([entry("new"), entry("bad", port=0)], [], 1),
        ([entry("new")], ["--update-secrets"], 2), ([entry("new")], ["--no-such-option"], 2),
        ([entry("new"), entry("bad", port=0)], ["--partial"], 3),
    ],
    ids=["done", "nothing to do", "refused", "wrong usage", "unknown option", "in part"],
)  # fmt: skip
@pytest.mark.usefixtures("own_database")
def test_the_exit_code_tells_what_happened(write, capsys, entries, words, code):
    """As manage.py runs it. What becomes of it in a process of its own, the next one shows."""
    arguments = ["manage.py", "import_clusters", str(write(*entries)), *words]
    try:
        load_command_class("clusters", "import_clusters").run_from_argv(arguments)
        ended_with = 0
    except SystemExit as end:
        ended_with = end.code
    out, err = capsys.readouterr()
    assert ended_with == code, err
    assert "Traceback" not in err
    assert CORE not in out + err


def test_an_absent_file_ends_with_one(own_database, tmp_path):
    done = process(tmp_path / "nothing.json")
    assert b"There is no file" in done.communicate(timeout=TIMEOUT)[1]
    assert done.returncode == 1


# Stops after it wrote so many clusters, says so, and waits to be killed.
STOPPING = """
import signal, sys
import django
django.setup()
from django.db.models import signals
from clusters.models import Cluster
left = [int(sys.argv[2])]
def stop(**how):
    left[0] -= 1
    if not left[0]:
        print("half", flush=True)
        signal.pause()
signals.post_save.connect(stop, sender=Cluster)
from django.core.management import call_command
call_command("import_clusters", sys.argv[1])
"""


@pytest.mark.parametrize("written", [1, 5, 10])
def test_an_import_that_is_killed_leaves_nothing_half_done(own_database, write, written):
    path, before = write(*[entry(f"c{number}") for number in range(10)]), raw_rows()
    doomed = process(path, written, code=STOPPING)
    read_line_with(doomed, "half")
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=TIMEOUT)
    assert raw_rows() == before
    assert "10 created" in run(path)


def test_two_processes_at_once_import_each_cluster_once(own_database, write):
    path = write(*[entry(f"c{number}") for number in range(20)])
    both = [process(path), process(path)]
    said = b"".join(one.communicate(timeout=TIMEOUT)[0] for one in both)
    assert [one.returncode for one in both] == [0, 0]
    assert (said.count(b"20 created"), said.count(b"0 created, 0 updated, 20 skipped")) == (1, 1)
    assert Cluster.objects.count() == 20


def test_two_updates_at_once_end_with_one_of_them(own_database, tmp_path, write):
    importing.import_content(json.dumps([entry("here")]).encode(), source="f", options=Options())
    files = [json.dumps([entry("here", name=name, password=name)]).encode() for name in ("one", "two")]
    taken = Options(update=True, update_secrets=True)
    jobs = [lambda file=file: importing.import_content(file, source="f", options=taken) for file in files]
    assert run_in_threads(*jobs) == []
    found = Cluster.objects.get()
    assert found.name == found.password.reveal() in {"one", "two"}
