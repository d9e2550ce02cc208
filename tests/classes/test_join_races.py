"""Many join at the same moment. What came of it: bin/test [--postgres] -n0 -s tests/classes/test_join_races.py"""

from collections import Counter
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client

from accounts.models import User
from classes.enrolment import class_machines, joining, membership
from classes.models import Invite, LabClass, Membership
from tests.classes.conftest import invite, lab_class, logged_in, rows, teacher
from tests.labs import Lab
from tests.own_database import run_in_threads
from vms.models import Assignment

pytestmark = pytest.mark.usefixtures("own_database")


def crowd(count: int) -> list[User]:
    return User.objects.bulk_create(User(username=f"student-{n:03}") for n in range(count))


def at_once(clients: list[Client], join_url: str) -> list[str]:
    """What each is told after the button."""
    said: list[str] = []

    def press(client: Client) -> None:
        answer = client.post(join_url)
        text = " ".join(str(message) for message in get_messages(answer.wsgi_request))
        said.append("machine" if "Your machine is" in text else "waits" if "for a machine" in text else "refused")

    assert run_in_threads(*(lambda client=client: press(client) for client in clients)) == []
    return said


def told(what: str, said: list[str]) -> Counter[str]:
    counted = Counter(said)
    print(f"\n{connection.vendor}: {what}: {dict(counted)}")
    return counted


def test_a_hundred_join_and_thirty_machines_go_to_thirty(building_a: Lab):
    made = lab_class(teacher("tess"), building_a)
    class_machines.add(made, [machine.pk for machine in rows(building_a, 30)], by=made.owner)
    join_url = f"/join/{invite(made, max_uses=100)[1]}/"
    counted = told("100 joins, 30 machines", at_once([logged_in(person) for person in crowd(100)], join_url))
    assert counted == {"machine": 30, "waits": 70}
    live = Assignment.objects.live()
    assert (live.count(), live.values("vm").distinct().count(), live.values("user").distinct().count()) == (30, 30, 30)
    queue = sorted(Membership.objects.waiting().filter(lab_class=made), key=lambda one: (one.waiting_since, one.pk))
    assert len(queue) == 70
    freed = Assignment.objects.live().select_related("vm").first()
    left = Membership.objects.select_related("lab_class__machine_set", "user").get(user=freed.user)
    membership.remove(left, way="as-it-is", by=made.owner)
    assert Assignment.objects.live().get(vm=freed.vm).user_id == queue[0].user_id


def test_of_fifty_ten_use_an_invite_for_ten(building_a: Lab):
    made = lab_class(teacher("tess"), building_a)
    row, token, _code = invite(made, max_uses=10)
    counted = told("50 joins, 10 uses", at_once([logged_in(person) for person in crowd(50)], f"/join/{token}/"))
    assert counted == {"waits": 10, "refused": 40}
    assert (Invite.objects.get(pk=row.pk).uses, Membership.objects.joined().count()) == (10, 10)


def test_one_person_who_presses_ten_times_is_in_once(building_a: Lab):
    made = lab_class(teacher("tess"), building_a, 101, 102)
    row, token, _code = invite(made)
    at_once([logged_in(person) for person in crowd(1) * 10], f"/join/{token}/")
    assert (Invite.objects.get(pk=row.pk).uses, Membership.objects.count()) == (1, 1)
    assert Assignment.objects.live().count() == 1


def test_machines_that_are_freed_while_people_join_are_not_forgotten(building_a: Lab):
    made = lab_class(teacher("tess"), building_a, 101, 102)
    row, _token, _code = invite(made)
    first, second, *rest = crowd(6)
    for person in (first, second):
        joining.join(row, person)
    leave = [lambda m=m: membership.remove(m, way="as-it-is", by=made.owner) for m in members(made)]
    jobs: list[Any] = [*leave, *(lambda person=person: joining.join(row, person) for person in rest)]
    assert run_in_threads(*jobs) == []
    assert Assignment.objects.live().filter(user__in=rest).count() == 2


def members(made: LabClass) -> list[Membership]:
    return list(Membership.objects.filter(lab_class=made).select_related("lab_class__machine_set", "user"))


def test_two_teachers_who_take_one_machine(building_a: Lab):
    classes = [lab_class(teacher(name), building_a, name=name) for name in ("tess", "theo")]
    pk, outcomes = building_a.machine(101).pk, []

    def take(made: LabClass) -> None:
        try:
            outcomes.append(class_machines.add(made, [pk], by=made.owner))
        except class_machines.NotAvailable:
            outcomes.append(0)

    assert run_in_threads(*(lambda made=made: take(made) for made in classes)) == []
    assert sorted(outcomes) == [0, 1]
