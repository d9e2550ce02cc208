"""How much one person may ask for within a minute."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, queries
from vms import operations
from vms.models import Operation
from vms.operations.requesting import request_next

pytestmark = pytest.mark.django_db

MOST = 30


def asked_before(by: User, *, count: int, seconds: float = 5) -> None:
    """And all of it is done."""
    now = timezone.now()
    at = now - timedelta(seconds=seconds)
    same = {"cluster_id": "elsewhere", "vmid": 999, "action": "start", "requested_by": by, "requested_at": at}
    done = {"state": Operation.State.DONE, "admitted_at": at, "finished_at": now}
    Operation.objects.bulk_create([Operation(**same, **done) for _ in range(count)])


def test_who_asks_for_too_much_is_refused_and_nothing_is_recorded(building_a: Lab, ana: User):
    machine = building_a.assign(101, ana)
    asked_before(ana, count=MOST)
    with pytest.raises(operations.Refused, match="too much within a minute"):
        operations.request(machine, "start", by=ana)
    assert Operation.objects.count() == MOST


def test_the_last_one_within_the_limit_is_taken(building_a: Lab, ana: User):
    asked_before(ana, count=MOST - 1)
    assert operations.request(building_a.assign(101, ana), "start", by=ana)[1]


def test_what_was_asked_a_minute_ago_does_not_count(building_a: Lab, ana: User):
    asked_before(ana, count=MOST, seconds=61)
    assert operations.request(building_a.assign(101, ana), "start", by=ana)[1]


def test_what_others_ask_does_not_count(building_a: Lab, ana: User, ben: User):
    asked_before(ben, count=MOST)
    assert operations.request(building_a.assign(101, ana), "start", by=ana)[1]


def test_staff_have_no_such_limit(building_a: Lab, lab_admin: User):
    asked_before(lab_admin, count=MOST)
    assert operations.request(building_a.machine(101), "start", by=lab_admin)[1]


def test_many_that_belong_together_have_no_such_limit(building_a: Lab, ana: User):
    asked_before(ana, count=MOST)
    assert operations.request(building_a.assign(101, ana), "start", by=ana, unlimited=True)[1]


def test_what_comes_after_a_request_has_no_such_limit(building_a: Lab, ana: User):
    now, machine = timezone.now(), building_a.assign(101, ana)
    asked_before(ana, count=MOST)
    ended = {"state": Operation.State.DONE, "admitted_at": now, "finished_at": now}
    request_next(Operation(vm=machine, action="rollback", snapshot="", then="start", requested_by=ana, **ended))
    assert Operation.objects.open().get().action == "start"


def test_the_same_request_again_is_the_first_one_also_at_the_limit(building_a: Lab, ana: User):
    machine = building_a.assign(101, ana)
    first = operations.request(machine, "start", by=ana)[0]
    asked_before(ana, count=MOST)
    assert operations.request(machine, "start", by=ana) == (first, False)


def test_the_limit_costs_one_query(building_a: Lab, ana: User, lab_admin: User):
    counts = []
    for vmid, person in ((101, ana), (103, lab_admin)):
        machine = building_a.assign(vmid, person)
        with queries() as asked:
            operations.request(machine, "start", by=person)
        counts.append(sum("COUNT(" in query["sql"] for query in asked))
    assert counts[0] - counts[1] == 1
