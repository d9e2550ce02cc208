"""Random sequences of answers: what reads of differences store equals what reads of everything store."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from clusters.proxmox.results import digests, flat_rows
from tests.labs import Lab
from tests.samples import SEED
from tests.vms.resource_lists import NODES, answer, node, row
from vms.inventory import last_read
from vms.inventory.machine_table import FACTS
from vms.models import Pool, VirtualMachine

pytestmark = pytest.mark.django_db

STEPS = 40
VALUES: dict[str, list[Any]] = {
    "name": ["web", "ünï", "\ud83d\ude00", "half \ud83d"],
    "status": ["running", "stopped", "paused", "unknown"],
    "node": ["pve1", "pve2"],
    "tags": ["lab", "lab;net", "", None],
    "pool": ["labs", "more/labs", None],
    "lock": ["backup", None],
    "hastate": ["started", None],
    "template": [0, 1, "1"],
    "maxcpu": [1, 2.5, "4", "many"],
    "maxmem": [1 << 30, "2147483648", -1],
    "maxdisk": [0, 7 << 30],
    "uptime": [0, 500, 9000, "500", None],
    "vmid": [104, 105, "106"],
    "cpu": [0.1, [1], {"a": [[]]}],
}


class Answers:
    """A list that changes a little with each step."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rows = [row(vmid, maxmem=1 << 30) for vmid in range(101, 109)]
        self._nodes = list(NODES)

    def next(self) -> list[dict[str, Any]]:
        chance = self._chance
        what = chance.choice(["fact"] * 12 + ["nothing"] * 3 + ["add", "remove", "node", "again"])
        if what == "fact":
            name = chance.choice(list(VALUES))
            chance.choice(self._rows)[name] = chance.choice(VALUES[name])
        elif what == "add":
            self._rows.append(row(chance.randrange(101, 115)))
        elif what == "remove" and len(self._rows) > 6:
            self._rows.remove(chance.choice(self._rows))
        elif what == "node":
            self._nodes[1] = node("pve2", online=not chance.randrange(2))
        elif what == "again":
            self._rows = [row(vmid, maxmem=1 << 30) for vmid in range(101, 109)]
        found = [dict(chance.sample(list(one.items()), len(one))) for one in self._rows]
        return [*found, *self._nodes, {"type": "storage", "storage": "local", "content": "iso"}]


def stored(lab: Lab) -> list[tuple[Any, ...]]:
    machines = VirtualMachine.objects.filter(cluster=lab.row, gone_at=None).order_by("vmid")
    moments = ("silent_since", "missing_since", "booted_at")  # each has its own clock
    columns = ("vmid", "status", *FACTS, *moments)
    pools = Pool.objects.filter(cluster=lab.row, missing_since=None).order_by("name").values_list("name")
    rows = [(*one[: -len(moments)], *map(bool, one[-len(moments) :])) for one in machines.values_list(*columns)]
    return [*rows, *pools]


def play(building_a: Lab, building_b: Lab, *, steps: int, seed: int) -> None:
    """One looks at what differs, the other one at everything. Raises `AssertionError` when they store other things."""
    answers = Answers(random.Random(seed))  # noqa: S311 - to be the same again
    answered = answers.next()
    for step in range(-3, steps):  # after three answers, what there was before is gone
        answered = answers.next() if step >= 0 else answered
        for lab in (building_a, building_b):
            answer(lab, *answered)
            lab.sync()
            if lab is building_b or step < 0:
                last_read.forget(lab.row.cluster_id)
        assert step < 0 or stored(building_a) == stored(building_b), answered


def test_what_is_stored_is_what_a_read_of_everything_stores(building_a: Lab, building_b: Lab):
    play(building_a, building_b, steps=STEPS, seed=SEED)


def test_it_would_be_seen_if_a_field_were_not_compared(
    building_a: Lab, building_b: Lab, monkeypatch: pytest.MonkeyPatch
):
    blind = flat_rows.FIELDS.index("tags")

    def fields_of(entries: list[Any]) -> Callable[[Any], tuple[Any, ...]]:
        whole = flat_rows.fields_of(entries)
        return lambda entry: (*whole(entry)[:blind], None, *whole(entry)[blind + 1 :])

    monkeypatch.setattr(digests, "fields_of", fields_of)
    with pytest.raises(AssertionError):
        play(building_a, building_b, steps=4 * STEPS, seed=1)
