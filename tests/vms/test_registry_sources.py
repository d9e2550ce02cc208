"""Which state of the database leads to which source of clusters."""

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as project
from django.db import OperationalError, connection, transaction

from clusters.models import Adoption, Cluster
from tests.own_database import default_connection, postgres_only, second_connection, sqlite_only
from tests.vms import database_states
from tests.vms.database_states import FALLBACKS, NOWHERE, TROUBLES, Fault, execute
from vms import database_connectivity, registry
from vms.registry import Reason, Source

pytestmark = pytest.mark.usefixtures("own_database")


def entry(cluster_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": cluster_id, "host": "pve.test", "user": "portal@pve", "password": "from-a-file", **fields}


def save(cluster_id: str, **fields: Any) -> Cluster:
    values = {"name": cluster_id, "host": "pve.test", "user": "portal@pve", "password": "from-the-database"}
    return Cluster.objects.create(cluster_id=cluster_id, **values | fields)


def ids() -> list[str]:
    return [config.cluster_id for config in registry.clusters()]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows of another's fallback."""
    monkeypatch.setattr(registry, "_first_seen", {})


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")
    return tmp_path / "clusters.json"


@pytest.fixture
def tempting_file(file: Path, settings: Any) -> None:
    """Both other sources have clusters to offer."""
    file.write_text(json.dumps([entry("from-file")]))
    settings.CLUSTERS = [entry("from-settings")]


# The database is the source.


def test_active_rows_come_from_the_database_default_first_then_by_name(tempting_file):
    for name in "zeta", "alpha", "mid":
        save(name, is_default=name == "mid")
    save("off", is_active=False)
    assert registry.state() == registry.State(source=Source.DATABASE)
    assert ids() == ["mid", "alpha", "zeta"]


def test_rows_that_are_all_inactive_mean_no_cluster(tempting_file):
    save("off", is_active=False)
    assert registry.state().source is Source.DATABASE
    assert ids() == []


def test_rows_that_are_all_deleted_mean_no_cluster(tempting_file):
    save("gone").delete()
    assert not Cluster.objects.exists()
    assert registry.state().source is Source.DATABASE
    assert ids() == []


def test_a_state_of_the_database_is_no_fallback_and_has_nothing_to_tell(tempting_file):
    save("here")
    state = registry.state()
    assert (state.is_fallback, state.reason, state.since, state.notices) == (False, Reason.NONE, None, ())


# It is not, for one of three reasons; then the file is, and the settings behind it.


def write_nothing(file: Path) -> None:
    assert not file.exists()


def write_clusters(file: Path) -> None:
    file.write_text(json.dumps([entry("file-b"), entry("file-off", is_active=False), entry("file-a")]))


def write_rubbish(file: Path) -> None:
    file.write_text('[{"id": "half", "password": "hal')


@pytest.mark.parametrize("reason", FALLBACKS, ids=lambda reason: reason.name)
@pytest.mark.parametrize("in_settings", [["own"], []], ids=["settings", "no settings"])
@pytest.mark.parametrize("write", [write_nothing, write_clusters, write_rubbish])
def test_a_fallback_takes_the_file_then_the_settings(file, settings, reason, write, in_settings):
    write(file)
    settings.CLUSTERS = [entry(cluster_id) for cluster_id in in_settings]
    with FALLBACKS[reason]():
        state, found = registry.state(), ids()
    assert state.reason is reason
    assert state.source is (Source.FILE if write is write_clusters else Source.SETTINGS)
    assert found == (["file-a", "file-b"] if write is write_clusters else in_settings)
    assert [str(file) in notice for notice in state.notices] == [True] * (write is write_rubbish)


def test_a_broken_file_is_told_of_by_place_and_not_by_content(file):
    write_rubbish(file)
    assert "line 1, column" in registry.state().notices[0]
    assert "hal" not in registry.state().notices[0]


def test_a_folder_in_place_of_the_file_is_a_broken_file(file):
    file.mkdir()
    assert registry.state().source is Source.SETTINGS
    assert "cannot be read" in registry.state().notices[0]


def test_broken_settings_are_no_cluster_and_a_notice(file, settings):
    settings.CLUSTERS = [entry("own", password="")]
    assert ids() == []
    assert "password" in registry.state().notices[0]


def test_a_fallback_never_shows_an_inactive_entry(file):
    file.write_text(json.dumps([entry("off", is_active=False)]))
    assert registry.state().source is Source.FILE
    assert ids() == []


def test_a_fallback_shows_the_default_of_the_file_first(file):
    file.write_text(json.dumps([entry("a"), entry("b", is_default=True)]))
    assert ids() == ["b", "a"]


def test_two_defaults_in_the_file_are_none_and_a_notice(file):
    file.write_text(json.dumps([entry("a", is_default=True), entry("b", is_default=True)]))
    assert registry.default() is None
    assert "a, b" in registry.state().notices[0]


def test_a_missing_table_leaves_the_transaction_around_the_question_usable(tempting_file):
    with transaction.atomic():
        execute("ALTER TABLE clusters RENAME TO elsewhere")
        assert registry.state().reason is Reason.NO_TABLE
        assert Adoption.objects.count() == 0
        transaction.set_rollback(True)
    assert registry.state().reason is Reason.NOT_INITIALISED


# Every other error of the database is raised, whatever the file has to offer.


@pytest.mark.parametrize("fault", TROUBLES)
def test_an_error_of_a_database_that_is_there_is_raised(tempting_file, fault: Fault):
    save("here")
    with fault.enter():
        with pytest.raises(fault.error) as seen:
            database_states.read()
        assert database_states.code_of(seen.value) == fault.code
        with pytest.raises(fault.error) as raised:
            registry.state()
        assert database_states.code_of(raised.value) == fault.code


@pytest.mark.parametrize("fault", TROUBLES)
def test_who_takes_that_error_for_an_outage_gets_the_file(tempting_file, monkeypatch, fault: Fault):
    save("here")
    monkeypatch.setattr(database_connectivity, "can_open", lambda: False)
    with fault.enter():
        assert registry.state().source is Source.FILE


@sqlite_only
def test_a_database_that_is_no_longer_locked_is_the_source_again(tempting_file):
    save("here")
    with database_states.locked_while_opening(), pytest.raises(OperationalError):
        registry.state()
    assert ids() == ["here"]


@sqlite_only
def test_a_missing_sqlite_file_is_a_database_without_tables(tempting_file, tmp_path):
    with default_connection(NAME=str(tmp_path / "new.db")):
        assert registry.state().reason is Reason.NO_TABLE


@postgres_only
def test_an_exhausted_pool_that_recovers_is_the_source_again(tempting_file):
    save("here")
    with default_connection(OPTIONS={"pool": {"min_size": 1, "max_size": 1, "timeout": 0.1}}):
        connection.pool.open()
        with connection.pool.connection(), pytest.raises(OperationalError):
            registry.state()
        assert ids() == ["here"]


@postgres_only
def test_a_pool_without_a_server_is_no_connection(tempting_file):
    with default_connection(**NOWHERE, OPTIONS={"pool": {"min_size": 1, "max_size": 1, "timeout": 0.1}}):
        with pytest.raises(OperationalError) as error:
            connection.ensure_connection()
        assert database_states.code_of(error.value) == "PoolTimeout"
        assert registry.state().reason is Reason.NO_CONNECTION


@postgres_only
def test_a_server_that_never_answers_is_no_connection(tempting_file):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        with default_connection(HOST="127.0.0.1", PORT=port, OPTIONS={"connect_timeout": 2}):
            assert registry.state().reason is Reason.NO_CONNECTION


def end_session() -> None:
    """Let the server drop our session, as an administrator or a fail-over does."""
    pid = connection.connection.info.backend_pid
    with second_connection() as other:
        other.autocommit = True
        assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)


@postgres_only
def test_a_session_lost_while_the_server_lives_is_an_error_and_then_the_database_again(tempting_file):
    save("here")
    end_session()
    with pytest.raises(OperationalError) as error:
        registry.state()
    assert database_states.code_of(error.value) == "57P01"
    assert ids() == ["here"]


@postgres_only
def test_a_session_lost_within_a_transaction_is_an_error(tempting_file):
    save("here")
    with transaction.atomic():
        end_session()
        with pytest.raises(OperationalError):
            registry.state()
        transaction.set_rollback(True)
    assert registry.state().source is Source.DATABASE


@postgres_only
def test_a_session_lost_together_with_the_server_is_no_connection(tempting_file):
    save("here")
    end_session()
    connection.settings_dict.update(NOWHERE)
    assert registry.state().reason is Reason.NO_CONNECTION
    assert ids() == ["from-file"]


@postgres_only
def test_a_server_lost_within_a_transaction_is_no_connection(tempting_file):
    save("here")
    with transaction.atomic():
        end_session()
        with mock.patch.dict(connection.settings_dict, NOWHERE):
            assert registry.state().reason is Reason.NO_CONNECTION
        transaction.set_rollback(True)


# A fallback is never silent.


@pytest.mark.parametrize("reason", FALLBACKS, ids=lambda reason: reason.name)
def test_a_fallback_is_logged_once_and_as_an_error_unless_the_portal_is_new(tempting_file, caplog, reason):
    with FALLBACKS[reason]():
        for _ in range(3):
            registry.state()
    level = logging.INFO if reason is Reason.NOT_INITIALISED else logging.ERROR
    assert [record.levelno for record in caplog.records] == [level]
    assert reason in caplog.text


def test_each_reason_is_logged_by_itself(tempting_file, caplog):
    registry.state()
    with database_states.no_table():
        registry.state()
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.ERROR]


def test_a_fallback_keeps_its_beginning(tempting_file):
    first = registry.state().since
    assert first is not None
    assert registry.state().since == first


def test_leaving_a_fallback_is_logged_once(tempting_file, caplog):
    registry.state()
    save("here")
    caplog.clear()
    registry.state()
    registry.state()
    assert [record.getMessage() for record in caplog.records] == ["Clusters come from the database again."]


def test_a_second_fallback_has_a_beginning_of_its_own(tempting_file):
    first = registry.state().since
    save("here")
    registry.state()
    with database_states.no_connection():
        assert registry.state().since > first


# And from a shell.


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    keys = {"SECRET_KEY": project.SECRET_KEY, "FIELD_ENCRYPTION_KEY": project.FIELD_ENCRYPTION_KEY[0], "PATH": ""}
    command = [sys.executable, str(project.BASE_DIR / "manage.py"), *words]
    return subprocess.run(command, env=keys | environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("url", ["sqlite:////nonexistent/lab_portal.db", "postgres://nobody@127.0.0.1:1/nothing"])
def test_the_clusters_command_lists_without_a_database_and_names_the_source(file, url):
    write_clusters(file)
    done = manage("clusters", "list", DATABASE_URL=url, CLUSTER_CONFIG_FILE=str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Source: clusters.json (the database cannot be reached)")
    assert "file-a" in done.stdout
    assert "from-a-file" not in done.stdout + done.stderr
