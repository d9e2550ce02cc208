from typing import Any

import pytest

from tests.labs import building_a, building_b, clock, impatient, sim
from tests.own_database import migrated_template, own_database
from tests.vms.machine_groups import manager, networks, tess

__all__ = [
    "building_a",
    "building_b",
    "clock",
    "impatient",
    "manager",
    "migrated_template",
    "networks",
    "own_database",
    "sim",
    "tess",
]


@pytest.fixture(autouse=True)
def empty_queue(settings: Any) -> None:
    """Redis forgets what earlier tests left; the database does so by itself."""
    if settings.REDIS_URL:
        import django_rq  # noqa: PLC0415 - not there without Redis

        django_rq.get_connection("operations").flushdb()
