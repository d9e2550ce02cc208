from collections.abc import Iterator
from typing import Any

import pytest

from tests.access import world as worlds
from tests.labs import clock, sim

__all__ = ["clock", "sim"]


@pytest.fixture(scope="module")
def world(request: Any, sim: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[worlds.World]:
    """Made once for a module, which says by CLUSTERS on how many. Each test leaves it as it was."""
    with django_db_blocker.unblock(), worlds.rolled_back():
        yield worlds.build(sim, clusters=getattr(request.module, "CLUSTERS", 1))


@pytest.fixture(autouse=True)
def spice_files(settings: Any) -> None:
    """Where they are not offered, their address is nothing to anybody."""
    settings.SPICE_FILES = True
