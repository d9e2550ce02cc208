from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from tests.access import school
from tests.labs import clock, sim

__all__ = ["clock", "sim"]


@pytest.fixture(scope="module")
def world(request: Any, sim: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[school.World]:
    """Made once for a module, which says by CLUSTERS on how many. Each test leaves it as it was.

    Time stands still, or a cluster would be silent for too long when a machine is too busy for the tests.
    """
    now = timezone.now()
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), school.rolled_back():
        patch.setattr(timezone, "now", lambda: now)
        patch.setattr(settings, "SPICE_FILES", True)  # else their address is nothing to anybody
        yield school.build(sim, clusters=getattr(request.module, "CLUSTERS", 1))
