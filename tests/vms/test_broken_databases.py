"""Commands on a database that cannot be used: a sentence, a next step, an exit code, and no traceback."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.own_database import default_connection, sqlite_only
from tests.processes import ROOT, environment, manage
from tests.vms.database_states import execute

COMMANDS = [
    ("doctor",),
    ("clusters", "list"),
    ("clusters", "test"),
    ("import_clusters", "fixtures/clusters.example.json"),
    ("export_clusters",),
    ("rotate_encryption_key", "--check"),
    ("sign_in", "list"),
]


def garbage(file: Path) -> None:
    file.write_bytes(b"no database, whatever its name says" * 200)


def half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """As manage.py does it, without a process of its own."""
    from django.core.management import ManagementUtility  # noqa: PLC0415

    capsys.readouterr()
    try:
        ManagementUtility(["manage.py", *words]).execute()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out + err


@pytest.fixture
def broken(own_database: dict[str, Any], tmp_path: Path) -> Iterator[Callable[[Callable[[Path], None]], Path]]:
    connection.close()
    file = Path(shutil.copy(own_database["NAME"], tmp_path / "broken.db"))

    def broken(how: Callable[[Path], None]) -> Path:
        how(file)
        return file

    with default_connection(NAME=str(file)):
        yield broken


@sqlite_only
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("how", "told"), [(garbage, "is not a database"), (half, "is damaged")])
def test_a_ruined_file_is_named_with_the_next_step(
    broken: Callable[..., Path], capsys: pytest.CaptureFixture[str], words: tuple[str, ...], how: Any, told: str
) -> None:
    file = broken(how)
    code, said = run(capsys, *words)
    assert (code, "Traceback" in said) == (1, False)
    assert f"The database {file} {told}. Move it away and restore a backup (bin/manage restore FILE)" in said
    assert said.count(told) == 1


@pytest.mark.usefixtures("own_database")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_half_migrated_database_is_to_be_migrated(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    execute("ALTER TABLE clusters RENAME COLUMN ca_certificate TO authority")
    execute("ALTER TABLE accounts_signinsource RENAME COLUMN label TO title")
    code, said = run(capsys, *words)
    assert (code, "Traceback" in said) == (1, False)
    assert "Run: bin/manage migrate" in said


@pytest.mark.usefixtures("own_database")
def test_a_command_on_a_sound_database_says_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "clusters", "list")
    assert (code, re.findall("database .* (damaged|lacks)|migrate", said)) == (0, [])


@sqlite_only
@pytest.mark.usefixtures("own_database")
def test_a_process_ends_with_the_same_sentence(broken: Callable[..., Path]) -> None:
    file = broken(garbage)
    done = manage("clusters", "list", DATABASE_URL=f"sqlite:///{file}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"CommandError: The database {file} is not a database.")
    assert "Traceback" not in done.stderr


@sqlite_only
@pytest.mark.usefixtures("own_database")
def test_a_database_that_a_command_makes_is_private_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    subprocess.run(
        [sys.executable, "manage.py", "clusters", "list"], cwd=ROOT, check=True, capture_output=True, umask=0o022,
        env=environment(DATABASE_URL=f"sqlite:///{file}"), timeout=60,
    )  # fmt: skip
    assert oct(file.stat().st_mode & 0o777) == "0o600"
