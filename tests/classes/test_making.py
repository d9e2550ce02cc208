"""Machines for a class: who gets one, the plan that is shown, and that exactly this is reserved."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from accounts.models import User
from accounts.plans import PlanChanged
from accounts.spreadsheet import Unreadable
from classes import lifecycle
from classes.enrolment import class_machines, made_machines, membership
from classes.enrolment.made_machines import Order
from classes.models import ClassMachine, LabClass, Membership
from clusters.models import ProvisioningAccess
from tests.classes.conftest import logged_in
from tests.published import answers, class_of, cluster, machine, network, node, reading, template
from vms.models import (
    Assignment,
    ClusterGrant,
    MachineTemplate,
    MadeMachine,
    NetworkLease,
    Operation,
    ProvisioningRun,
    Quota,
    Snapshot,
    VirtualMachine,
)
from vms.provisioning import facts, networks, quotas, removal, running
from vms.provisioning.handing_over import hand_over
from vms.provisioning.reasons import MachineReason
from vms.worker import schedule

__all__ = ["answers"]

pytestmark = pytest.mark.django_db

Networks, State = ProvisioningRun.Networks, MadeMachine.State


@pytest.fixture
def web(answers: dict[str, Any]) -> MachineTemplate:
    return template(cluster())


@pytest.fixture
def school(tess: User, web: MachineTemplate, ana: User, ben: User) -> LabClass:
    """tess's class, with ana and ben in it, who wait for machines."""
    made = class_of(tess, web.cluster)
    membership.add_people(made, [ana, ben], at_once=True)
    return made


def order(lab_class: LabClass, web: MachineTemplate, **more: Any) -> Order:
    people = tuple(row.user_id for row in made_machines.in_need(lab_class))
    return Order(web.pk, **{"people": people, "spare": 0, "networks": Networks.TEMPLATE, **more})


def reserve(lab_class: LabClass, web: MachineTemplate, **more: Any) -> Any:
    """The plan is shown, and carried out as it was shown."""
    by, wanted = lab_class.owner, order(lab_class, web, **more)
    shown = made_machines.plan(lab_class, wanted, by=by)
    return made_machines.apply(lab_class, wanted, by=by, expected=shown.digest)


def made() -> list[MadeMachine]:
    return list(MadeMachine.objects.order_by("pk"))


def ready(row: MadeMachine) -> MadeMachine:
    """As after its run: the inventory shows it."""
    row.vm = machine(row.run.template.cluster, row.vmid, name=row.name)
    row.state = State.READY
    row.save()
    return row


def test_exactly_the_plan_is_reserved(school: LabClass, web: MachineTemplate, answers: dict[str, Any],
                                      django_capture_on_commit_callbacks: Any):  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        plan = reserve(school, web, spare=1)
    rows = [(row.name, row.vmid, row.node, row.person) for row in plan.rows]
    assert rows == [("web-1", 5000, "pve1", "ana"), ("web-2", 5001, "pve2", "ben"), ("web-3", 5002, "pve1", "")]
    assert [(one.name, one.vmid, one.node, getattr(one.for_user, "username", "")) for one in made()] == rows
    assert {(one.template_node, one.template_vmid) for one in made()} == {("pve1", 900), ("pve2", 901)}
    run = ProvisioningRun.objects.get()
    assert answers["begun"] == [run.pk]
    assert (run.requested_by_name, run.plan["counts"]["created"]) == ("tess", 3)


def test_nobody_gets_a_second_one(school: LabClass, web: MachineTemplate):
    reserve(school, web)
    assert made_machines.in_need(school) == []


def test_another_plan_leaves_reserved_numbers_and_names_alone(school: LabClass, web: MachineTemplate):
    reserve(school, web)
    plan = made_machines.plan(school, order(school, web, spare=1), by=school.owner)
    assert [(row.name, row.vmid) for row in plan.rows] == [("web-3", 5002)]
    assert (plan.totals[0].label, plan.totals[0].promised) == ("Machines", 2)


def test_what_the_cluster_or_the_portal_knows_is_passed_over(school: LabClass, web: MachineTemplate, answers: Any):
    machine(web.cluster, 5000)
    answers["reading"] = reading(vmids=[5001])
    plan = made_machines.plan(school, order(school, web), by=school.owner)
    assert [row.vmid for row in plan.rows] == [5002, 5003]


def test_a_world_that_changed_asks_again(school: LabClass, web: MachineTemplate, answers: dict[str, Any]):
    wanted = order(school, web)
    shown = made_machines.plan(school, wanted, by=school.owner)
    answers["reading"] = reading(vmids=[5000])
    again = order(school, web, before=shown.choices)
    with pytest.raises(PlanChanged):
        made_machines.apply(school, again, by=school.owner, expected=shown.digest)
    assert not made()
    fresh = made_machines.plan(school, again, by=school.owner)
    assert [row.vmid for row in fresh.changed_since(shown.marks)] == [5002]


def test_more_free_memory_is_no_change(school: LabClass, web: MachineTemplate, answers: dict[str, Any]):
    shown = made_machines.plan(school, order(school, web), by=school.owner)
    answers["reading"] = reading(node("pve1"), node("pve2", memory_free=20_000))
    again = order(school, web, before=shown.choices)
    made_machines.apply(school, again, by=school.owner, expected=shown.digest)
    assert len(made()) == 2


def test_nothing_that_fits_only_in_part_is_begun(school: LabClass, web: MachineTemplate):
    MachineTemplate.objects.update(vmid_to=5000)
    plan = reserve(school, web)
    assert [row.reason for row in plan.rows] == [MachineReason.MAKE, MachineReason.NO_VMID]
    assert not made()


@pytest.mark.parametrize(("limits", "told"), [
    ({"machines": 1}, "0 of 1 machines used, 2 more wanted"),
    ({"cores": 3}, "0 of 3 cores used, 4 more wanted"),
    ({"memory_mib": 4095}, "0 of 4095 MiB of memory used, 4096 more wanted"),
    ({"disk_gib": 19}, "0 of 19 GiB of disk used, 20 more wanted"),
])  # fmt: skip
def test_a_quota_refuses_the_whole_plan(school: LabClass, web: MachineTemplate, limits: dict[str, int], told: str):
    Quota.objects.create(machine_set=school.machine_set, **limits)
    plan = reserve(school, web)
    assert [str(one) for one in plan.refusals] == [f"quota of Networks 101: {told}"]
    assert (plan.may_be_carried_out, made()) == (False, [])


def test_quotas_of_cluster_and_person_and_the_template_s_limits_count_too(
    school: LabClass, web: MachineTemplate, ana: User
):
    machine(web.cluster, 5000)
    Quota.objects.create(cluster=web.cluster, machines=2)
    Quota.objects.create(user=ana, cores=1)
    MachineTemplate.objects.update(most_machines=1)
    plan = made_machines.plan(school, order(school, web), by=school.owner)
    assert [str(one).partition(":")[0] for one in plan.refusals] == [
        "quota of Web server", "quota of North", "quota of ana",
    ]  # fmt: skip


def test_a_quota_of_running_machines_is_told_and_refuses_no_plan(school: LabClass, web: MachineTemplate):
    Quota.objects.create(machine_set=school.machine_set, running=1)
    plan = reserve(school, web)
    assert "Only 1 machines of Networks 101 may run at a time" in str(plan.remarks[1])
    assert len(made()) == 2


def test_full_clones_are_told_to_be_slow(school: LabClass, web: MachineTemplate):
    MachineTemplate.objects.update(clone_kind="full")
    plan = made_machines.plan(school, order(school, web), by=school.owner)
    assert str(plan.remarks[1]) == "This will be slow: full clones copy 20 GiB in all."


def test_a_copy_that_the_check_refused_is_not_used(school: LabClass, web: MachineTemplate):
    report = {"copies": [{"node": "pve1", "vmid": 900, "findings": [["refused", "check-no-disk", {}]]}]}
    MachineTemplate.objects.update(check_report=report, checked_at=timezone.now())
    plan = made_machines.plan(school, order(school, web), by=school.owner)
    assert ({row.node for row in plan.rows}, plan.remarks) == ({"pve2"}, ())


def test_a_node_that_gets_none_is_told(school: LabClass, web: MachineTemplate, answers: dict[str, Any]):
    answers["reading"] = reading(node("pve1", is_online=False), node("pve2"))
    plan = made_machines.plan(school, order(school, web), by=school.owner)
    assert [str(one) for one in plan.remarks][1:] == ["pve1 is offline and gets no machine."]
    assert {row.node for row in plan.rows} == {"pve2"}


# Networks


def test_one_network_for_the_class_is_shared_by_its_runs(school: LabClass, web: MachineTemplate):
    first = network(web, 1)
    reserve(school, web, networks=Networks.GROUP)
    reserve(school, web, networks=Networks.GROUP, spare=1)
    lease = NetworkLease.objects.get()
    assert (lease.network, lease.user, lease.machines.count()) == (first, None, 3)


def test_each_machine_gets_a_network_of_its_own(school: LabClass, web: MachineTemplate, ana: User, ben: User):
    first, second = network(web, 1), network(web, 2)
    reserve(school, web, networks=Networks.EACH)
    assert [(one.network, one.lease.user) for one in made()] == [(first, ana), (second, ben)]


def test_too_few_networks_refuse_the_plan(school: LabClass, web: MachineTemplate):
    network(web, 1)
    plan = reserve(school, web, networks=Networks.EACH)
    assert [row.reason for row in plan.rows] == [MachineReason.MAKE, MachineReason.NO_NETWORK]
    assert not NetworkLease.objects.exists()


def test_a_network_of_another_class_is_not_free(school: LabClass, web: MachineTemplate, theo: User):
    network(web, 1)
    reserve(school, web, networks=Networks.GROUP)
    other = class_of(theo, web.cluster, name="Databases")
    plan = made_machines.plan(other, order(other, web, spare=1, networks=Networks.GROUP), by=theo)
    assert [row.reason for row in plan.rows] == [MachineReason.NO_NETWORK]


def test_a_network_is_returned_with_its_last_machine(school: LabClass, web: MachineTemplate):
    network(web, 1)
    reserve(school, web, networks=Networks.GROUP)
    one, other = made()
    MadeMachine.objects.filter(pk=one.pk).update(removed_at=timezone.now())
    assert networks.return_unused() == 0
    MadeMachine.objects.filter(pk=other.pk).update(removed_at=timezone.now())
    assert (networks.return_unused(), networks.return_unused()) == (1, 0)
    assert networks.free_for(web)


def test_the_worker_returns_networks_that_nobody_uses_any_more(school: LabClass, web: MachineTemplate):
    """Whoever removed the last machine may have died before it was done."""
    network(web, 1), network(web, 2)
    reserve(school, web, networks=Networks.EACH)
    MadeMachine.objects.filter(pk=made()[0].pk).update(removed_at=timezone.now())
    schedule.regular.call("return networks")
    assert [lease.machines.get() for lease in NetworkLease.objects.live()] == made()[1:]


def test_an_undone_run_returns_its_networks(school: LabClass, web: MachineTemplate, tess: User):
    network(web, 1), network(web, 2)
    reserve(school, web, networks=Networks.EACH)
    assert removal.begin(removal.of_group(school.machine_set), by=tess) == 2
    assert not NetworkLease.objects.live().exists()


def test_cancelled_machines_return_their_networks(school: LabClass, web: MachineTemplate, tess: User):
    network(web, 1)
    reserve(school, web, networks=Networks.GROUP)
    assert running.cancel_waiting(ProvisioningRun.objects.get(), by=tess) == 2
    assert not NetworkLease.objects.live().exists()
    assert len(made_machines.in_need(school)) == 2


# Who may


def test_a_template_outside_the_grants_cannot_be_used(school: LabClass, web: MachineTemplate, tess: User):
    hidden = template(web.cluster, name="Exam", pool="exams", vmid_from=6000, vmid_to=6009)
    named = template(web.cluster, name="Theo's", vmid_from=7000, vmid_to=7009)
    named.users.add(User.objects.create_user("theo"))
    off = template(cluster("south"), name="South")
    for one in (hidden, named, off):
        with pytest.raises(Unreadable):
            made_machines.plan(school, order(school, one), by=tess)
    assert list(made_machines.templates_for(school, tess)) == [web]


def test_the_teachers_and_classes_that_a_template_names_may_use_it(school: LabClass, web: MachineTemplate, tess: User):
    web.users.add(User.objects.create_user("theo"))
    assert not made_machines.templates_for(school, tess).exists()
    web.machine_sets.add(school.machine_set)
    assert made_machines.templates_for(school, tess).exists()


def test_a_restricted_cluster_needs_a_grant_of_the_class(school: LabClass, web: MachineTemplate, tess: User):
    web.cluster.is_restricted = True
    web.cluster.save()
    assert made_machines.templates_for(school, tess).exists()
    ClusterGrant.objects.all().delete()
    assert not made_machines.templates_for(school, tess).exists()


@pytest.mark.parametrize("change", ["template", "cluster", "switch", "grant", "class"])
def test_what_was_withdrawn_since_the_plan_is_refused(school: LabClass, web: MachineTemplate, change: str):
    wanted = order(school, web)
    shown = made_machines.plan(school, wanted, by=school.owner)
    if change == "template":
        MachineTemplate.objects.update(is_active=False)
    elif change == "cluster":
        web.cluster.deactivate()
    elif change == "switch":
        ProvisioningAccess.objects.update(is_enabled=False)
    elif change == "grant":
        ClusterGrant.objects.all().delete()
    else:
        LabClass.objects.update(ended_at=timezone.now())
    with pytest.raises((Unreadable, PlanChanged)):
        made_machines.apply(school, wanted, by=school.owner, expected=shown.digest)
    assert not made()


# What becomes of a machine that is ready


def test_a_ready_machine_is_its_person_s(school: LabClass, web: MachineTemplate, ana: User):
    reserve(school, web)
    row = ready(made()[0])
    hand_over(row)
    assert Assignment.objects.live().get(vm=row.vm).user == ana
    assert ClassMachine.objects.get(vm=row.vm).lab_class == school
    assert list(school.machine_set.machines.all()) == [row.vm]
    hand_over(row)  # a worker that was killed does it again
    assert Assignment.objects.count() == 1


def test_the_machine_of_somebody_who_left_goes_to_the_next(
    school: LabClass, web: MachineTemplate, ana: User, ben: User
):
    reserve(school, web)
    Membership.objects.filter(user=ana).update(left_at=timezone.now(), waiting_since=None)
    row = ready(made()[0])
    hand_over(row)
    assert Assignment.objects.live().get(vm=row.vm).user == ben


def test_a_machine_for_nobody_waits_for_who_joins(school: LabClass, web: MachineTemplate):
    MadeMachine.objects.all().delete()
    Membership.objects.update(waiting_since=None)
    wanted = order(school, web, people=(), spare=1)
    made_machines.apply(school, wanted, by=school.owner, expected=None)
    row = ready(made()[0])
    hand_over(row)
    assert not Assignment.objects.exists()
    cara = User.objects.create_user("cara")
    membership.add_people(school, [cara], at_once=True)
    assert Assignment.objects.live().get(vm=row.vm).user == cara


def test_after_the_end_of_the_class_nobody_gets_it(school: LabClass, web: MachineTemplate):
    reserve(school, web)
    LabClass.objects.update(ended_at=timezone.now())
    hand_over(ready(made()[0]))
    assert not Assignment.objects.exists()
    assert not ClassMachine.objects.exists()


def test_a_machine_that_is_being_made_cannot_be_added_by_another_class(
    school: LabClass, web: MachineTemplate, theo: User
):
    reserve(school, web)
    vm = machine(web.cluster, made()[0].vmid)
    other = class_of(theo, web.cluster, name="Databases")
    with pytest.raises(class_machines.NotAvailable):
        class_machines.add(other, [vm.pk], by=theo)


def test_a_class_is_deleted_after_the_machines_that_were_made_for_it(school: LabClass, web: MachineTemplate):
    reserve(school, web)
    assert not lifecycle.delete(school, way="as-it-is", by=school.owner)
    MadeMachine.objects.update(removed_at=timezone.now(), state=State.REMOVED)
    lifecycle.reconcile()
    assert not LabClass.objects.exists()


# Who joins


def test_a_machine_is_made_for_who_joins_up_to_the_limit(school: LabClass, web: MachineTemplate, ana: User):
    made_machines.make_when_joining(school, template=web, limit=1, networks=Networks.TEMPLATE)
    Membership.objects.filter(user=ana).update(waiting_since=timezone.now() - timedelta(hours=1))
    assert [made_machines.make_for_those_who_joined() for _ in range(2)] == [1, 0]
    assert [one.for_user for one in made()] == [ana]


@pytest.mark.parametrize("reason", ["unreachable", "grant", "quota", "owner"])
def test_no_machine_is_made_for_who_joins_against_the_rules(
    school: LabClass, web: MachineTemplate, answers: dict[str, Any], reason: str
):
    made_machines.make_when_joining(school, template=web, limit=9, networks=Networks.TEMPLATE)
    if reason == "unreachable":
        answers["reading"] = facts.NotReadable("The cluster does not respond.")
    elif reason == "grant":
        ClusterGrant.objects.all().delete()
    elif reason == "owner":
        User.objects.filter(pk=school.owner_id).update(is_active=False)
    else:
        Quota.objects.create(cluster=web.cluster, machines=0)
    for _ in range(2):
        assert made_machines.make_for_those_who_joined() == 0
    if reason != "owner":
        school.refresh_from_db()
        page = logged_in(school.owner).get(f"/classes/{school.pk}/machines/").content.decode()
        assert "no machine can be made since" in page
        assert REFUSED_WORDS[reason] in page
        made_machines.make_when_joining(school, template=None, limit=None, networks=Networks.TEMPLATE)
        page = logged_in(school.owner).get(f"/classes/{school.pk}/machines/").content.decode()
        assert "no machine can be made since" not in page


REFUSED_WORDS = {
    "unreachable": "The cluster does not respond.",
    "grant": "This template is not available to the class.",
    "quota": "quota of North: 0 of 0 machines used, ",
}


def test_the_reasons_are_told_in_the_readers_language_until_a_machine_is_made(
    school: LabClass, web: MachineTemplate, answers: dict[str, Any]
):
    made_machines.make_when_joining(school, template=web, limit=0, networks=Networks.TEMPLATE)
    made_machines.make_for_those_who_joined()
    school.refresh_from_db()
    assert school.joining_problems == ["The class has as many machines as its limit allows: 0."]
    with translation.override("es"):
        assert school.joining_problems != ["The class has as many machines as its limit allows: 0."]
    answers["reading"] = reading(node("pve1", is_online=False), node("pve2", is_online=False))
    LabClass.objects.update(joining_limit=9)
    made_machines.make_for_those_who_joined()
    school.refresh_from_db()
    assert school.joining_problems == ["no node has room"]
    answers["reading"] = reading()
    assert made_machines.make_for_those_who_joined() > 0
    school.refresh_from_db()
    assert (school.joining_problems, school.joining_refused_at) == ([], None)


def test_where_not_all_fit_the_first_in_line_gets_one(school: LabClass, web: MachineTemplate):
    made_machines.make_when_joining(school, template=web, limit=9, networks=Networks.TEMPLATE)
    Quota.objects.create(cluster=web.cluster, machines=1)
    assert made_machines.make_for_those_who_joined() == 1


# Starts


def test_a_start_beyond_the_quota_is_refused_in_words(school: LabClass, web: MachineTemplate, tess: User):
    Operation.objects.all().delete()
    vms = [machine(web.cluster, 6000 + n) for n in range(3)]
    vms[0].status = "running"
    vms[0].save()
    school.machine_set.machines.add(*vms)
    Quota.objects.create(machine_set=school.machine_set, running=2)
    wanted = [Operation(vm=vm, cluster_id="north", vmid=vm.vmid, action="start") for vm in vms[1:]]
    refused = quotas.start_refusals(wanted)
    assert list(refused) == [wanted[1].pk]
    assert str(refused[wanted[1].pk]).startswith("2 machines of Networks 101 are running")


def test_a_revert_that_starts_a_machine_is_a_start_for_the_quota(school: LabClass, web: MachineTemplate):
    """A snapshot with memory starts it; one without leaves it off, and a machine that runs needs no more room."""
    awake, off, other = (machine(web.cluster, 6000 + n) for n in range(3))
    VirtualMachine.objects.filter(pk=awake.pk).update(status="running")
    school.machine_set.machines.add(awake, off, other)
    for vm in (awake, off, other):
        Snapshot.objects.create(vm=vm, name="lesson", with_memory=vm != other)
    Quota.objects.create(machine_set=school.machine_set, running=1)
    reverts = [
        Operation(vm=vm, cluster_id="north", vmid=vm.vmid, action="rollback", snapshot="lesson")
        for vm in (awake, off, other)
    ]
    assert list(quotas.start_refusals(reverts)) == [reverts[1].pk]
    Quota.objects.update(running=2)
    assert quotas.start_refusals(reverts) == {}
    reverts[1].save()  # on its way, it counts
    start = Operation(vm=other, cluster_id="north", vmid=other.vmid, action="start")
    assert list(quotas.start_refusals([start])) == [start.pk]


# The pages


def test_the_plan_is_shown_and_carried_out_as_it_was_shown(school: LabClass, web: MachineTemplate, tess: User):
    client, url = logged_in(tess), f"/classes/{school.pk}/machines/make/"
    sent = {"template": web.pk, "for_everybody": "on", "spare": 1, "networks": "template"}
    shown = client.post(url, sent)
    assert "3 machines will be made" in shown.content.decode()
    done = client.post(url, {"shown": shown.context["shown"]})
    assert done.status_code == 302
    assert [one.name for one in made()] == ["web-1", "web-2", "web-3"]
    again = client.post(url, {"shown": shown.context["shown"]})
    assert again.status_code == 200
    assert len(made()) == 3


def test_the_plan_as_json_is_the_same_and_writes_nothing(school: LabClass, web: MachineTemplate, tess: User):
    query = {"template": web.pk, "for_everybody": "on", "spare": 0, "networks": "template"}
    said = logged_in(tess).get(f"/classes/{school.pk}/machines/make/plan.json", query).json()
    assert [(row["name"], row["vmid"], row["network"]) for row in said["rows"]] == [
        ("web-1", 5000, "the template's"), ("web-2", 5001, "the template's"),
    ]  # fmt: skip
    assert said["may_be_carried_out"]
    assert [one["label"] for one in said["totals"]] == ["Machines", "Cores", "Memory (MiB)", "Disk (GiB)"]
    assert not made()


def test_the_form_says_what_is_on_a_template_and_how_large_its_machines_are(
    school: LabClass, web: MachineTemplate, tess: User
):
    MachineTemplate.objects.filter(pk=web.pk).update(cores=1, description="Debian <with> nginx")
    page = logged_in(tess).get(f"/classes/{school.pk}/machines/make/").text
    assert "1 core, 2048 MiB, 10 GiB" in page
    assert "Debian &lt;with&gt; nginx" in page


def test_a_foreign_template_is_no_choice_of_the_form(school: LabClass, web: MachineTemplate, tess: User):
    hidden = template(web.cluster, name="Exam", pool="exams", vmid_from=6000, vmid_to=6009)
    query = {"template": hidden.pk, "spare": 1, "limit": 1, "networks": "template"}
    client, url = logged_in(tess), f"/classes/{school.pk}/machines/make/"
    answers = [client.post(url, query), client.get(f"{url}plan.json", query), client.post(f"{url}joining/", query)]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    ProvisioningRun.objects.create(template=hidden, machine_set=school.machine_set)
    assert client.get(f"{url}one-more/").status_code == 302  # with the reason, and no plan


def test_one_more_is_like_the_last_run(school: LabClass, web: MachineTemplate, tess: User):
    client, url = logged_in(tess), f"/classes/{school.pk}/machines/make/one-more/"
    assert client.get(url).status_code == 302  # nothing was made yet
    reserve(school, web)
    membership.add_people(school, [User.objects.create_user("late")], at_once=True)
    shown = client.get(url)
    assert [(row.row.person, row.row.vmid) for row in shown.context["plan_rows"]] == [("late", 5002)]
    client.post(url, {"shown": shown.context["shown"]})
    assert made()[-1].run.kind == "one-more"


def test_a_cluster_that_does_not_answer_is_told(school: LabClass, web: MachineTemplate, tess: User, answers: Any):
    answers["reading"] = facts.NotReadable("The cluster does not respond.")
    sent = {"template": web.pk, "for_everybody": "on", "spare": 0, "networks": "template"}
    answer = logged_in(tess).post(f"/classes/{school.pk}/machines/make/", sent)
    assert (answer.status_code, "The cluster does not respond." in answer.content.decode()) == (400, True)


def test_a_class_makes_machines_for_who_joins_until_it_stops(school: LabClass, web: MachineTemplate, tess: User):
    client, url = logged_in(tess), f"/classes/{school.pk}/machines/make/joining/"
    assert client.get(url).status_code == 200
    client.post(url, {"template": web.pk, "limit": 12, "networks": "template"})
    school.refresh_from_db()
    assert (school.joining_template, school.joining_limit) == (web, 12)
    assert "up to 12 in all" in client.get(f"/classes/{school.pk}/machines/").content.decode()
    client.post(f"{url}stop/")
    school.refresh_from_db()
    assert school.joining_template is None


def test_bars_show_what_is_used(school: LabClass, web: MachineTemplate, tess: User):
    Quota.objects.create(machine_set=school.machine_set, machines=2, running=3)
    reserve(school, web)
    page = logged_in(tess).get(f"/classes/{school.pk}/machines/").content.decode()
    assert '<progress max="2" value="2" aria-label="machines">' in page
    assert '<progress max="3" value="0" aria-label="running machines">' in page
