"""The labs of the tests are what a sync makes of them, though it is done once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests import first_sync
from tests.labs import Lab

pytestmark = pytest.mark.django_db


def written(lab: Lab) -> dict[str, list[list[Any]]]:
    """What belongs to the cluster, without how long it took."""
    found = {}
    for model, link in first_sync.of_a_cluster().items():
        names = [own.attname for own in first_sync.columns(model)]
        found[model._meta.label] = [
            [value for name, value in zip(names, row, strict=True) if "milliseconds" not in name]
            for row in first_sync.rows(model, link, lab.row)
        ]
    return found


def close(one: Any, other: Any) -> bool:
    """The same, or two moments of this test."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs(one - other) < timedelta(minutes=2)
    return bool(one == other)


def test_a_copied_lab_is_a_synced_lab(building_a: Lab):
    building_a.sync()
    first_sync.keep(building_a.row, "this one")
    synced = written(building_a)
    first_sync.write_again(building_a.row, "this one")
    copied = written(building_a)
    assert synced.keys() == copied.keys()
    for label, rows in synced.items():
        assert len(rows) == len(copied[label]), label
        for row, copy in zip(rows, copied[label], strict=True):
            assert all(map(close, row, copy)), (label, row, copy)
    assert len(synced["vms.VirtualMachine"]) == 4
