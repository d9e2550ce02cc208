"""The systemd units leave little open, by systemd's own count."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from labportal.serve import MEMORY

UNITS = sorted((Path(__file__).resolve().parent.parent.parent / "docs" / "deployment").glob("*.service"))
MOST = 3.0  # of 10; a unit that says nothing has 9.6

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze (apt install systemd)"
)


def exposure(unit: Path) -> float:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found.group(1))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_a_unit_leaves_little_open(unit: Path) -> None:
    assert exposure(unit) <= MOST


def test_a_unit_that_restricts_nothing_leaves_more_open(tmp_path: Path) -> None:
    """The count tells."""
    text = UNITS[0].read_text(encoding="utf-8")
    (tmp_path / "open.service").write_text(text.split("NoNewPrivileges")[0], encoding="utf-8")
    assert exposure(tmp_path / "open.service") > MOST


def test_a_worker_keeps_no_more_freed_memory_than_one_of_bin_serve() -> None:
    worker = UNITS[1].read_text(encoding="utf-8")
    assert f"Environment=MALLOC_ARENA_MAX={MEMORY['MALLOC_ARENA_MAX']}" in worker.splitlines()


def test_there_are_units() -> None:
    assert [unit.name for unit in UNITS] == ["labportal-web.service", "labportal-worker.service"]
