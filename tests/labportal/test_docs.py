"""The documentation: its links lead somewhere, and the reference has every setting and command."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "pvesim" / "README.md"]
OURS = ("accounts", "classes", "clusters", "labportal", "vms")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_links_lead_to_files(page: Path):
    targets = re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", page.read_text(encoding="utf-8"))
    assert [target for pair in targets for target in pair if target and not (page.parent / target).exists()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_setting_is_described():
    settings = (ROOT / "labportal" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r"\b(?:text|truth|number|secret|web_address|words)\(\s*\"([A-Z][A-Z_]+)\"", settings))
    assert len(read) > 20
    described = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert {name for name in read if f"`{name}`" not in described} == set()


def test_every_command_of_the_portal_is_described():
    ours = {name for name, app in get_commands().items() if app.startswith(OURS)} - {"migrate", "makemigrations"}
    assert len(ours) > 5
    described = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert {name for name in ours if f"bin/manage {name}" not in described} == set()
