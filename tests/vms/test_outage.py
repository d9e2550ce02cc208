"""From the import to an outage by the commands that are printed: the same file is read, and its secrets open."""

import json
import re
import shlex
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.clusters.config_files import CORE, MARKER, entry
from tests.own_database import default_connection
from tests.vms.database_states import NOWHERE
from vms import registry

pytestmark = pytest.mark.usefixtures("own_database")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows of another's fallback."""
    monkeypatch.setattr(registry, "_first_seen", {})


def said_by(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Callable[[str], Path]:
    """The old portal's file in this place, in the clear; the portal's own folder is the test's."""

    def write(place: str) -> Path:
        settings.BASE_DIR, settings.CLUSTER_CONFIG_FILE = tmp_path / "portal", "configured.json"
        path = Path(settings.BASE_DIR, place).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([entry("alpha"), entry("beta")]))
        return path

    return write


@pytest.mark.parametrize("place", ["configured.json", "clusters.json", "app/clusters.json", "../old/clusters.json"])
def test_the_file_that_the_hint_names_is_the_one_of_an_outage(
    write: Callable[[str], Path], settings: Any, place: str
) -> None:
    path = write(place)
    named = [str(path)] if ".." in place else []
    told = said_by("import_clusters", *named)
    command = next(shlex.split(line) for line in told.splitlines() if "bin/manage export_clusters" in line)
    if named:  # nobody would look there unasked, and the command says so
        settings.CLUSTER_CONFIG_FILE = re.findall(r"put CLUSTER_CONFIG_FILE=(\S+) into .env", told)[0]
    else:
        assert "CLUSTER_CONFIG_FILE" not in told
    said_by(*command[1:])
    assert CORE not in path.read_text()
    with default_connection(**NOWHERE):
        listed = said_by("clusters", "list")
        passwords = {one["id"]: one["password"] for one in registry.load_clusters_from_db()}
    assert listed.startswith(f"Source: clusters.json (the database cannot be reached): {path}\n")
    assert passwords == {"alpha": MARKER, "beta": MARKER}
    assert all(cluster_id in listed for cluster_id in passwords)


def test_without_a_hint_followed_the_old_file_is_the_one_of_an_outage(write: Callable[[str], Path]) -> None:
    path = write("app/clusters.json")
    with default_connection(**NOWHERE):
        assert f": {path}\n" in said_by("clusters", "list")
