"""What outsiders see stays as it is, until somebody changes surface.txt on purpose.

Whatever goes from there breaks a link, a script, a report or a group of somebody who upgrades, and needs a line in the
changes, and mostly a migration or an old name that is still understood.
"""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from accounts.models import User
from clusters.models import Cluster
from tests.upgrade import surface

KNOWN = Path(__file__).with_name("surface.txt")

pytestmark = pytest.mark.django_db


def parts(text: str) -> dict[str, set[str]]:
    """Lines by heading."""
    first, *sections = text.split("\n## ")
    found = {"": {first.strip()}}
    for section in sections:
        heading, _, lines = section.partition("\n")
        found[heading] = set(filter(None, lines.splitlines()))
    return found


@pytest.fixture
def surface_now(settings: Any) -> str:
    settings.METRICS_TOKEN = "for-this-test"
    User.objects.create_superuser("admin", password="unused")
    Cluster.objects.create(cluster_id="one", name="One", host="192.0.2.1", user="portal@pve", is_default=True)
    return surface.text(django_settings.VERSION.split("+")[0])


def test_it_is_as_it_was(surface_now: str, tmp_path: Path):
    known, now = parts(KNOWN.read_text(encoding="utf-8")), parts(surface_now)
    (tmp_path / "surface.txt").write_text(surface_now, encoding="utf-8")
    lost = {heading: sorted(lines - now.get(heading, set())) for heading, lines in known.items()}
    new = {heading: sorted(lines - known.get(heading, set())) for heading, lines in now.items()}
    differ = {heading: (lost.get(heading), new.get(heading)) for heading in {*lost, *new}}
    differ = {heading: found for heading, found in differ.items() if any(found)}
    assert not differ, f"On purpose? cp {tmp_path / 'surface.txt'} {KNOWN}"


def test_no_section_is_empty(surface_now: str):
    assert all(parts(surface_now).values())
