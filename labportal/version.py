"""The version, read from the first heading of CHANGELOG.md that has one."""

import re
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def newest(changelog: str) -> str:
    found = re.search(r"^## ([0-9][^\s]*)", changelog, re.MULTILINE)
    return found[1] if found else "unreleased"


VERSION = newest(CHANGELOG.read_text(encoding="utf-8"))
