"""The pages of a machine group: what they say, what their buttons do, and for whom they are not there."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.labs import Lab, queries, writes
from tests.vms.machine_groups import many
from vms.access import lookups
from vms.models import Assignment, Batch, MachineSet, Operation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

HTMX = {"headers": {"HX-Request": "true"}}
SURE = {"asked": "yes", "sure": "yes"}


def url(group: MachineSet, name: str = "vms-set", *more: Any) -> str:
    return reverse(name, args=[group.pk, *more])


def ask(client: Client, group: MachineSet, action: str, **words: Any) -> Any:
    return client.post(url(group, "vms-set-ask"), {"action": action, **words})


def asked() -> list[int]:
    return sorted(Operation.objects.values_list("vmid", flat=True))


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


# Who may


@pytest.mark.parametrize("name", ["vms-set", "vms-set-activity", "vms-set-activity-csv"])
def test_a_set_of_somebody_else_is_not_found(client: Client, networks: MachineSet, ben: User, name: str):
    client.force_login(ben)
    assert client.get(url(networks, name)).status_code == 404


def test_a_set_of_somebody_else_starts_nothing(client: Client, networks: MachineSet, ben: User):
    client.force_login(ben)
    assert ask(client, networks, "start", whose="all").status_code == 404
    assert not Batch.objects.exists()


def test_who_holds_a_machine_of_it_does_not_find_the_set(
    client: Client, networks: MachineSet, building_a: Lab, ben: User
):
    building_a.assign(101, ben)
    client.force_login(ben)
    assert client.get(url(networks)).status_code == 404


def test_an_auditor_looks_and_asks_for_nothing(client: Client, networks: MachineSet, auditor: User):
    client.force_login(auditor)
    assert "Start all stopped" not in text(client.get(url(networks)))
    assert ask(client, networks, "start", whose="all").status_code == 404
    assert asked() == []


def test_an_auditor_who_looks_after_the_set_starts_its_machines(client: Client, networks: MachineSet, auditor: User):
    assert not lookups.operates_group(auditor, None)
    networks.stewards.add(auditor)
    client.force_login(auditor)
    ask(client, networks, "start", whose="all")
    assert asked()


def test_only_of_an_auditor_it_is_asked_which_machines_he_may_operate(
    networks: MachineSet, manager: User, lab_admin: User, auditor: User
):
    machines = list(networks.machines.all())
    lab_admin.has_perm("vms.operate_virtualmachine")
    for person, found, asked in (manager, len(machines), 0), (lab_admin, len(machines), 0), (auditor, 0, 1):
        with queries() as seen:
            assert len(lookups.operable_among(person, machines)) == found
        assert sum("vms_virtualmachine" in one["sql"] for one in seen) == asked


def test_stewards_who_would_not_be_chosen_today_are_listed_while_they_can_log_in(
    networks: MachineSet, manager: User, ana: User
):
    manager.groups.add(Group.objects.get(name="Teacher"))
    networks.stewards.set([manager, ana])
    assert [(row.user, row.machineset) for row in lookups.unfit_managers()] == [(ana, networks)]
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert not lookups.unfit_managers().exists()


def test_a_lab_administrator_starts_the_machines_of_any_set(client: Client, networks: MachineSet, lab_admin: User):
    client.force_login(lab_admin)
    ask(client, networks, "start", whose="stopped")
    assert asked() == [101, 103, 104]


def test_a_machine_that_is_not_in_the_set_is_left_alone(tess: Client, networks: MachineSet, building_b: Lab):
    foreign = building_b.machine(101)
    ask(tess, networks, "start", machine=[foreign.pk, networks.machines.get(vmid=104).pk])
    assert asked() == [104]


@pytest.mark.parametrize("action", ["reboot", "delete-snapshot", "", "START"])
def test_another_action_is_not_found(tess: Client, networks: MachineSet, action: str):
    assert ask(tess, networks, action, whose="all").status_code == 404


@pytest.mark.parametrize("number", [0, 2**63, 10**30])
def test_a_number_beyond_all_measure_is_not_found(tess: Client, networks: MachineSet, number: int):
    assert tess.get(reverse("vms-set", args=[number])).status_code == 404
    assert tess.get(url(networks, "vms-set-as", number)).status_code == 404
    assert tess.post(url(networks, "vms-help-done", number)).status_code == 404


def test_a_forged_form_is_no_accident(tess: Client, networks: MachineSet):
    odd = {"machine": ["x", "-1", "9" * 30, "\0"], "snapshot": "a\0b", "description": "\0", "asked": "yes"}
    assert ask(tess, networks, "start", **odd).status_code == 302
    assert ask(tess, networks, "snapshot", **odd | {"whose": "all"}).status_code == 400
    assert ask(tess, networks, "snapshot", **odd | {"whose": "all", "snapshot": "fine"}).status_code == 302
    assert asked() == [101, 102, 103, 104]


def test_it_takes_the_token_of_the_form(networks: MachineSet, manager: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    assert ask(client, networks, "start", whose="all").status_code == 403
    assert asked() == []


def test_a_steward_finds_his_sets_and_nobody_elses(tess: Client, networks: MachineSet):
    MachineSet.objects.create(name="Foreign")
    answer = text(tess.get(reverse("vms-sets")))
    assert ("Networks" in answer, "4 machines" in answer, "Foreign" in answer) == (True, True, False)


def test_the_list_leads_stewards_to_their_sets(tess: Client, networks: MachineSet):
    assert reverse("vms-sets") in text(tess.get(reverse("vms-list")))
    networks.stewards.clear()
    assert reverse("vms-sets") not in text(tess.get(reverse("vms-list")))


# What it says


def test_the_page_says_how_many_are_in_which_state(tess: Client, networks: MachineSet, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    answer = text(tess.get(url(networks)))
    assert '4 machines</strong>: <span role="status">1 running, 3 stopped</span>' in answer
    assert "Start all stopped (3)" in answer
    assert "Shut down all running (1)" in answer
    assert "ana" in answer


def test_a_hundred_machines_cost_as_many_queries_as_four(
    tess: Client, networks: MachineSet, building_a: Lab, ana: User
):
    ask(tess, networks, "start", whose="stopped")
    with queries() as few:
        tess.get(url(networks))
    many(building_a, networks, 96)
    Assignment.objects.bulk_create([Assignment(vm=one, user=ana) for one in networks.machines.all()])
    with queries() as lots:
        assert text(tess.get(url(networks))).count('class="tile"') == 100
    assert len(lots) == len(few) <= 16


def test_a_page_that_would_say_the_same_is_not_sent_again(tess: Client, networks: MachineSet):
    poll = re.search(r'hx-get="(/sets/\d[^"]+)"', text(tess.get(url(networks))))
    assert poll
    assert tess.get(poll[1], **HTMX).status_code == 204
    VirtualMachine.objects.filter(vmid=101).update(status="running")
    answer = tess.get(poll[1], **HTMX)
    assert (answer.status_code, "2 running" in text(answer), "<html" in text(answer)) == (200, True, False)


def test_looking_changes_nothing(tess: Client, networks: MachineSet):
    with queries() as seen:
        tess.get(url(networks))
        tess.get(url(networks, "vms-set-activity"))
    assert writes(seen) == []


def test_all_can_be_chosen_without_a_script(tess: Client, networks: MachineSet):
    assert text(tess.get(f"{url(networks)}?choose=all")).count(" checked ") == 4


# What is asked first


@pytest.mark.parametrize("action", ["stop", "rollback"])
def test_what_loses_work_takes_a_tick(tess: Client, networks: MachineSet, building_a: Lab, action: str):
    Snapshot.objects.create(vm=building_a.machine(102), name="base")
    words = {"machine": building_a.machine(102).pk, "snapshot": "base" if action == "rollback" else ""}
    first = ask(tess, networks, action, **words)
    unticked = ask(tess, networks, action, **words, asked="yes")
    assert (first.status_code, unticked.status_code, asked()) == (200, 400, [])
    assert " is lost" in text(first)
    assert "Tick the box" in text(unticked)
    assert ask(tess, networks, action, **words, **SURE).status_code == 302
    assert asked() == [102]


def test_shutting_down_is_asked_first(tess: Client, networks: MachineSet):
    assert "tell people first" in text(ask(tess, networks, "shutdown", whose="running"))
    ask(tess, networks, "shutdown", whose="running", asked="yes")
    assert asked() == [102]


def test_the_page_tells_how_many_have_the_snapshot(tess: Client, networks: MachineSet, building_a: Lab):
    Snapshot.objects.create(vm=building_a.machine(101), name="baseline")
    assert "on 1 of 4 machines" in text(ask(tess, networks, "rollback", whose="all"))


def test_no_group_is_reverted_to_what_each_student_saved(networks: MachineSet, building_a: Lab, tess: Client):
    for name in ("baseline", "my-save-point", "my-save-point-2"):
        Snapshot.objects.create(vm=building_a.machine(101), name=name)
    shown = text(ask(tess, networks, "rollback", whose="all"))
    assert ("on 1 of 4 machines" in shown, "save-point" in shown) == (True, False)


def test_a_name_that_cannot_be_is_told_and_nothing_is_lost(tess: Client, networks: MachineSet):
    words = {"snapshot": "1 bad", "description": "Before the exam", "asked": "yes"}
    answer = ask(tess, networks, "snapshot", whose="all", **words)
    assert (answer.status_code, asked()) == (400, [])
    assert "beginning with a letter" in text(answer)
    assert 'value="1 bad"' in text(answer)
    assert 'value="Before the exam"' in text(answer)


def test_a_save_point_of_the_class_has_the_time_in_its_proposed_name(tess: Client, networks: MachineSet):
    assert re.search(r'value="class-\d{8}-\d{4}"', text(ask(tess, networks, "snapshot", whose="all")))


def test_with_nothing_chosen_it_says_what_to_do(tess: Client, networks: MachineSet):
    answer = tess.post(url(networks, "vms-set-ask"), {"action": "start"}, follow=True)
    assert "No machine is selected. Select machines first." in text(answer)


# What was done


def test_the_activity_tells_who_did_what(tess: Client, networks: MachineSet, building_b: Lab):
    ask(tess, networks, "start", whose="stopped")
    Operation.objects.create(vm=building_b.machine(101), cluster_id="building-b", vmid=101, action="stop")
    answer = text(tess.get(url(networks, "vms-set-activity")))
    assert (answer.count("<td>Start</td>"), answer.count("<td>tess</td>"), "Force stop" in answer) == (3, 3, False)


def test_no_cell_of_the_download_is_a_formula(tess: Client, networks: MachineSet):
    ask(tess, networks, "start", whose="stopped")
    Operation.objects.filter(vmid=101).update(vm_name="=cmd|' /C calc'!A0")
    answer = tess.get(url(networks, "vms-set-activity-csv"))
    assert answer["Content-Disposition"] == 'attachment; filename="networks-activity.csv"'
    assert "'=cmd" in text(answer)
    assert ",=cmd" not in text(answer)


def test_the_activity_costs_as_many_queries_however_long_it_is(tess: Client, networks: MachineSet, building_a: Lab):
    many(building_a, networks, 40)
    costs = []
    for whose in ({"machine": building_a.machine(101).pk}, {"whose": "stopped"}):
        ask(tess, networks, "start", **whose)
        with queries() as seen:
            tess.get(url(networks, "vms-set-activity"))
        costs.append(len(seen))
    assert costs[0] == costs[1]


# As a student sees it


def as_seen(client: Client, group: MachineSet, person: User) -> Any:
    return client.get(url(group, "vms-set-as", person.pk))


def test_a_steward_sees_what_somebody_with_a_machine_of_the_set_sees(
    tess: Client, networks: MachineSet, building_a: Lab, building_b: Lab, ana: User
):
    building_a.assign(102, ana)
    building_b.assign(101, ana)
    answer = as_seen(tess, networks, ana)
    assert ("net-02" in text(answer), "db-01" in text(answer)) == (True, False)
    assert "The machine is running, not stopped." in text(answer)
    assert 'action="/vms/' not in text(answer)
    assert "Open, Shut down" in text(answer)


def test_nobody_else_is_looked_at(tess: Client, networks: MachineSet, building_a: Lab, building_b: Lab, ben: User):
    building_b.assign(101, ben)
    assert as_seen(tess, networks, ben).status_code == 404
    building_a.assign(101, ben)
    assert as_seen(tess, networks, ben).status_code == 200
    Assignment.objects.end()
    assert as_seen(tess, networks, ben).status_code == 404


def test_a_student_looks_at_no_other(client: Client, networks: MachineSet, building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    client.force_login(ben)
    assert as_seen(client, networks, ana).status_code == 404
