"""Random tries at what belongs to somebody else, on three clusters with the same VMIDs: bin/test -n0 -s THIS FILE."""

import itertools
import logging
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.access import expected, matrix, routes
from tests.access.school import World
from tests.labs import run_operations
from tests.samples import SEED, TRIES
from vms.models import Operation, Snapshot, VirtualMachine
from vms.models.machine_queryset import VirtualMachineQuerySet

pytestmark = pytest.mark.django_db

CLUSTERS = 3

# Whom the table's column of this name is about: to each other, students are other students.
COLUMNS = {"anonymous": "anonymous", "assignee": "other", "other": "other", "staff": "staff", "auditor": "auditor"}
ACTIONS = (
    "start",
    "stop",
    "shutdown",
    "reboot",
    "reset",
    "suspend",
    "resume",
    "rollback",
    "delete-snapshot",
    "destroy",
)
HUGE = ("0", str(2**31), str(2**63), "9" * 40)
NO_NUMBERS = ("9" * 5000, "-1", "１０１", "1e3", "0x65", "building-2", "../1", "")  # noqa: RUF001 - digits, of a kind


@dataclass(frozen=True)
class Try:
    who: str
    method: str
    url: str
    data: Any


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of refusals are thousands of warnings."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def doors() -> list[tuple[str, str, str]]:
    """Person, method and route, where the way to somebody else's object is closed."""
    found = []
    for route, row in expected.rows().items():
        if (
            "<" not in route or route in expected.api_routes() or route.endswith("/<path:object_id>/")
        ):  # which leads on, whatever the object
            continue
        for method, codes in (("GET", row.get), ("POST", row.post)):
            shut = (who for who, column in COLUMNS.items() if codes[column] in matrix.REFUSED - {"405"})
            found += [(who, method, route) for who in shut]
    return found


def dealt(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """All of them before one of them again, and those outside the admin more often."""
    found = doors()
    found += [door for door in found if not door[2].startswith("admin/")]
    while True:
        yield from chance.sample(found, len(found))


def tries(world: World, count: int) -> Iterator[Try]:
    chance = random.Random(SEED)  # noqa: S311 - the same tries again
    machines = {who: foreign(world, who) for who in COLUMNS}
    for who, method, route in itertools.islice(dealt(chance), count):
        is_admin = route.startswith("admin/")
        pks = [str(machine.pk) for machine in machines[who]]
        vmids = [str(machine.vmid) for machine in machines[who]]
        # What is no number leads from some pages of the admin to others that say so.
        number = chance.choice([*pks, *pks, *vmids, *HUGE, *(() if is_admin else NO_NUMBERS)])
        found = routes.values(world, route) | {
            "pk": number,
            "name": chance.choice(["lesson-1", "lesson-2", "my-save-point", "current", "x" * 50]),
            "action": chance.choice(ACTIONS),
            "cluster_id": chance.choice(["building-1", "building-2", "building-3", "nowhere", "Building-1"]),
        }
        data = expected.BODIES.get(route) if method == "POST" else None
        yield Try(who, method, f"/{routes.fill(route, found)}", data)


def foreign(world: World, who: str) -> list[VirtualMachine]:
    """Machines of other people."""
    person = world.people.get(who)
    return list(VirtualMachine.objects.exclude(assignments__user=person) if person else VirtualMachine.objects.all())


def faults(world: World, attempts: Iterator[Try]) -> tuple[Counter[str], list[str]]:
    """How often each answer came, and the tries to which there was another one than a refusal."""
    told: Counter[str] = Counter()
    wrong = []
    for one in attempts:
        page = world.ask(one.who, one.method, one.url, one.data)
        to_login = page.status_code == 302 and page.headers["Location"].startswith(matrix.LOGINS)
        told["login" if to_login else str(page.status_code)] += 1
        if not to_login and page.status_code not in {401, 403, 404}:
            wrong.append(f"{one.method} {one.url[-80:]} as {one.who}: {page.status_code}")
    return told, wrong


def arrived(world: World) -> int:
    """Requests at the simulators, also of what a worker does next."""
    run_operations()
    return sum(pve.count() for pve in world.sims)


@pytest.fixture
def snapshots(world: World) -> None:
    """Every machine of the other student has one that the assignee's lack, and the other way round."""
    Snapshot.objects.create(vm=world.foreign, name="lesson-2")


@pytest.mark.usefixtures("snapshots")
def test_nobody_reaches_what_is_somebody_elses(world: World):
    told, wrong = faults(world, tries(world, TRIES))
    answers = ", ".join(f"{count} {answer}" for answer, count in told.most_common())
    reached = arrived(world)
    print(f"\nseed {SEED}, {told.total()} tries: {answers}, {len(wrong)} others, {reached} requests at the simulators")
    assert (told.total(), wrong[:20], reached) == (TRIES, [], 0)
    assert not Operation.objects.filter(state="requested").exists()


@pytest.mark.parametrize("name", ["lesson-2", "current", "my-save-point"])
@pytest.mark.parametrize("page", ["revert", "delete"])
@pytest.mark.usefixtures("snapshots")
def test_a_snapshot_of_another_machine_is_none_of_ones_own(world: World, name: str, page: str):
    url = f"/vms/{world.machine.pk}/snapshots/{name}/{page}/"
    assert world.ask("assignee", "POST", url, {"sure": "yes"}).status_code == 404


@pytest.mark.parametrize("action", ["rollback", "snapshot", "delete-snapshot", "destroy", "migrate", "START"])
def test_an_action_that_is_not_offered_is_none(world: World, action: str):
    assert world.ask("assignee", "POST", f"/vms/{world.machine.pk}/{action}/").status_code == 404
    assert arrived(world) == 0


@pytest.mark.usefixtures("snapshots")
def test_a_lock_that_is_open_is_noticed(world: World, monkeypatch: Any):
    monkeypatch.setattr(VirtualMachineQuerySet, "operable_by", lambda self, user: self.all())
    monkeypatch.setattr("vms.access.rules.RULES", [])
    on_machines = (one for one in tries(world, 10_000) if one.method == "POST" and one.url.startswith("/vms/"))
    _told, wrong = faults(world, itertools.islice(on_machines, 200))
    assert wrong
    assert arrived(world) > 0
