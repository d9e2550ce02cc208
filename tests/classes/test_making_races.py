"""Two plans and many starts at the same moment: bin/test [--postgres] -n0 -s tests/classes/test_making_races.py"""

from collections import Counter
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from accounts.plans import PlanChanged
from classes.enrolment import made_machines
from classes.enrolment.made_machines import Order
from clusters.models import ClusterHealth
from tests.classes.conftest import teacher
from tests.own_database import postgres_only, run_in_threads
from tests.published import answers, class_of, cluster, machine, network, template
from tests.waits import TIMEOUT
from vms import operations
from vms.models import Assignment, MadeMachine, NetworkLease, Operation, ProvisioningRun, Quota
from vms.operations import automatic
from vms.provisioning import networks

__all__ = ["answers"]

pytestmark = pytest.mark.usefixtures("own_database")


def two_plans(answers: dict[str, Any], *, networks: str = "template", **quota: int) -> Counter[str]:
    """Two teachers see their plans, of three machines each, and carry them out at the same moment."""
    web = template(cluster())
    if networks == "group":
        network(web, 1)
    if quota:
        Quota.objects.create(cluster=web.cluster, **quota)
    told: Counter[str] = Counter()

    def carry_out(name: str) -> Any:
        made = class_of(teacher(name), web.cluster, name=name)
        wanted = Order(web.pk, (), 3, networks)
        shown = made_machines.plan(made, wanted, by=made.owner)
        assert shown.may_be_carried_out

        def press() -> None:
            try:
                made_machines.apply(made, wanted, by=made.owner, expected=shown.digest)
                told["reserved"] += 1
            except PlanChanged:
                again = made_machines.plan(made, wanted, by=made.owner)
                told["; ".join(map(str, again.refusals)) or again.in_words] += 1

        return press

    assert run_in_threads(carry_out("tess"), carry_out("theo")) == []
    print(f"\n{connection.vendor}: two plans at once: {dict(told)}; {len(answers['begun'])} run begun")
    return told


def test_a_quota_with_room_for_one_of_two_plans_refuses_the_other_in_words(answers: dict[str, Any]):
    told = two_plans(answers, machines=5)
    refusal = "quota of North: 3 of 5 machines used, 3 more wanted"
    assert told == {"reserved": 1, refusal: 1}
    assert (MadeMachine.objects.count(), ProvisioningRun.objects.count(), len(answers["begun"])) == (3, 1, 1)


def test_without_a_quota_the_same_numbers_are_asked_for_again(answers: dict[str, Any]):
    """Both plans show the same VMIDs; nothing is reserved twice."""
    assert two_plans(answers) == {"reserved": 1, "3 will be made": 1}
    assert set(MadeMachine.objects.values_list("vmid", flat=True)) == {5000, 5001, 5002}


def test_one_network_goes_to_one_of_two_classes(answers: dict[str, Any]):
    assert two_plans(answers, networks="group") == {"reserved": 1, "3 have no network": 1}
    assert NetworkLease.objects.live().count() == 1


@postgres_only
def test_a_network_is_not_returned_while_another_machine_of_its_class_is_reserved(answers: dict[str, Any]):
    """The last machine on it is removed in the moment in which the class reserves one more."""
    web = template(cluster())
    network(web, 1)
    made = class_of(teacher("tess"), web.cluster)
    wanted = Order(web.pk, (), 1, "group")

    def reserve() -> None:
        shown = made_machines.plan(made, wanted, by=made.owner)
        made_machines.apply(made, wanted, by=made.owner, expected=shown.digest)

    reserve()
    lease = NetworkLease.objects.get()
    MadeMachine.objects.update(removed_at=timezone.now())

    def return_unused() -> None:
        try:
            networks.return_unused()
        finally:
            connection.close()

    is_returning = Thread(target=return_unused)
    with transaction.atomic():
        reserve()
        assert MadeMachine.objects.unremoved().get().lease == lease
        is_returning.start()
        is_returning.join(0.3)
    is_returning.join(TIMEOUT)
    assert NetworkLease.objects.live().get() == lease


def test_thirty_starts_at_once_on_a_quota_of_ten():
    on = cluster()
    ClusterHealth.objects.create(cluster=on, ok=True, checked_at=timezone.now())
    group = class_of(teacher("tess"), on).machine_set
    Quota.objects.create(machine_set=group, running=10)
    people = User.objects.bulk_create(User(username=f"student-{n:02}") for n in range(30))
    held = [(machine(on, 7000 + n), person) for n, person in enumerate(people)]
    group.machines.add(*(vm for vm, _person in held))
    Assignment.objects.bulk_create(Assignment(vm=vm, user=person) for vm, person in held)
    told: Counter[str] = Counter()

    def start(vm: Any, person: User) -> None:
        try:
            operations.request(vm, "start", by=person)
            told["requested"] += 1
        except operations.Refused as refusal:
            told[str(refusal)] += 1

    assert run_in_threads(*(lambda pair=pair: start(*pair) for pair in held)) == []
    print(f"\n{connection.vendor}: 30 starts at once, 10 allowed: {dict(told)}")
    full = "10 machines of Networks 101 are running, and the quota allows no more. Shut one down first."
    assert told == {"requested": 10, full: 20}
    assert Operation.objects.filter(action="start").count() == 10


def test_a_batch_of_thirty_starts_keeps_the_quota_too():
    on = cluster()
    ClusterHealth.objects.create(cluster=on, ok=True, checked_at=timezone.now())
    tess = teacher("tess")
    group = class_of(tess, on).machine_set
    Quota.objects.create(machine_set=group, running=10)
    group.machines.add(*(machine(on, 7000 + n) for n in range(30)))
    Operation.objects.create(
        vm=group.machines.first(), cluster_id="north", vmid=7000, action="start", requested_by=tess
    )
    machines = group.machines.select_related("cluster__health")
    batch = operations.request_many(machines, "start", by=tess, machine_set=group)
    assert Operation.objects.filter(action="start").count() == 10
    assert batch.items.exclude(refusal="").count() == 20
    again = automatic.request_for(machines, "start", by=tess, origin="timetable")
    assert (again.operations, len(again.refusals)) == ({}, 30)
