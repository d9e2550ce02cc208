"""What bin/lint bans is found where somebody wrote it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def banned(folder: Path) -> tuple[bool, str]:
    """Whether something is found there, and what is said of it."""
    command = ["sh", "-c", f". {ROOT}/bin/_bans && check_banned"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert not done.stderr
    return done.returncode != 0, done.stdout


# A line each, with what reminds of it and is right.
PLANTED = {
    "interval.py": ('cursor.execute("SELECT now() - interval %s", [x])', '"SELECT now() - %s::interval"'),
    "date.py": ('"WHERE day > DATE %s"', '"WHERE day > %s::date"'),
    "set.py": ('cursor.execute("SET LOCAL lock_timeout = %s", ["1s"])', 'f"UPDATE {TABLE} SET name = %s"'),
    "to.py": ("'SET ROLE TO %s'; cursor.execute('set timezone to %s', [zone])", "set_to(%s)"),
    "notify.py": ('cursor.execute("NOTIFY jobs, %s", [pk])', '"SELECT pg_notify(%s, %s)"'),
    "listen.py": ('cursor.execute("LISTEN %s", [name])', '"listens to %s"'),
    "command.py": ('hint = "Run: manage.py migrate"', 'command = [sys.executable, "manage.py", "migrate"]'),
    "docs.md": (".venv/bin/python manage.py doctor", "bin/manage doctor"),
    "page.html": ("{{ text|safe }}", "{{ text|safely }}"),
    "person.md": ("A student opens his machine.", "Students open their machines; this is in the history."),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("planted")
    for name, (wrong, right) in PLANTED.items():
        (folder / name).write_text(f"{right}\n{wrong}\n")
    is_banned, said = banned(folder)
    assert is_banned
    return said


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_line_is_found_and_its_neighbour_is_not(found: str, name: str) -> None:
    told = [line.split(":")[1] for line in found.splitlines() if line.startswith(f"{name}:")]
    assert told == ["2"]


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    for name, (_wrong, right) in PLANTED.items():
        (tmp_path / name).write_text(f"{right}\n")
    assert banned(tmp_path) == (False, "")
