"""What becomes of machines that a cluster does not list any more, and of their numbers."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from clusters import proxmox
from tests.labs import Lab, ago
from tests.vms.resource_lists import NODES, answer, gone, missing, row, vmids
from vms import inventory
from vms.models import Assignment, SyncRun, VirtualMachine

pytestmark = pytest.mark.django_db

HINT = "Accept the last answer"
STATUS = "^/cluster/status$"


def status_without_quorum() -> list[dict[str, Any]]:
    """The status of a cluster that had not noticed yet, when its list came, that a node is there no more."""
    cluster = {"type": "cluster", "id": "cluster", "name": "lab", "nodes": 2, "quorate": 0, "version": 2}
    nodes = ({"type": "node", "id": f"node/{name}", "name": name, "online": 1} for name in ("pve1", "pve2"))
    return [cluster, *nodes]


def sync_times(lab: Lab, times: int) -> inventory.SyncResult:
    for _ in range(times - 1):
        lab.sync()
    return lab.sync()


def take_away(lab: Lab, vmid: int, *, syncs: int = 3) -> VirtualMachine:
    """A guest that so many complete answers lack."""
    machine = lab.machine(vmid)
    lab.pve.remove_guest(vmid)
    sync_times(lab, syncs)
    return machine


def test_a_guest_that_two_complete_answers_lack_is_not_gone(building_a: Lab):
    take_away(building_a, 104, syncs=2)
    assert (missing(building_a), gone(building_a)) == ([104], [])


def test_a_guest_that_three_complete_answers_lack_is_gone(building_a: Lab):
    building_a.pve.remove_guest(104)
    assert sync_times(building_a, 3).gone == 1
    assert gone(building_a) == [104]


def test_doubtful_answers_do_not_count_for_gone(building_a: Lab):
    take_away(building_a, 104, syncs=2)
    answer(building_a, row(101), row(102), row(103, type="lxc"), row(99), *NODES)
    sync_times(building_a, 3)
    assert gone(building_a) == []


def test_failed_reads_do_not_count_for_gone(building_a: Lab):
    take_away(building_a, 104, syncs=2)
    building_a.pve.stop()
    sync_times(building_a, 3)
    assert gone(building_a) == []


def test_a_guest_that_comes_back_in_between_begins_anew(building_a: Lab):
    take_away(building_a, 104, syncs=2)
    building_a.pve.add_guest(104, name="net-04", node="pve2")
    building_a.sync()
    take_away(building_a, 104, syncs=2)
    assert (missing(building_a), gone(building_a)) == ([104], [])


def test_a_number_that_comes_back_after_being_gone_is_a_new_machine(building_a: Lab, ana: User):
    building_a.assign(104, ana)
    old = take_away(building_a, 104)
    VirtualMachine.objects.filter(pk=old.pk).update(addresses=["10.0.0.9"], hardware_id="a" * 36)
    building_a.pve.add_guest(104, name="somebody-elses", node="pve2")
    assert building_a.sync().created == 1
    new = VirtualMachine.objects.present().get(cluster=building_a.row, vmid=104)
    assert (new.pk != old.pk, new.assignments.count(), new.addresses, new.hardware_id) == (True, 0, [], "")


def test_who_held_the_gone_machine_does_not_see_the_new_one(building_a: Lab, ana: User):
    building_a.assign(104, ana)
    old = take_away(building_a, 104)
    building_a.pve.add_guest(104, name="somebody-elses", node="pve2")
    building_a.sync()
    assert list(VirtualMachine.objects.visible_to(ana)) == [old]
    assert list(VirtualMachine.objects.operable_by(ana)) == [old]


def test_another_kind_under_a_number_is_another_machine(building_a: Lab, ana: User):
    old = building_a.assign(104, ana)
    building_a.pve.remove_guest(104)
    building_a.pve.add_guest(104, name="net-04", node="pve2", kind="lxc")
    outcome = building_a.sync()
    new = VirtualMachine.objects.present().get(cluster=building_a.row, vmid=104)
    assert (outcome.created, outcome.gone, new.kind, new.assignments.count()) == (1, 1, "lxc", 0)
    assert VirtualMachine.objects.get(pk=old.pk).gone_at


def test_a_doubtful_answer_puts_no_machine_in_the_place_of_another(building_a: Lab):
    answer(building_a, row(101), row(102), row(103), row(104), row(99), *NODES)
    building_a.sync()
    assert (building_a.machine(103).kind, gone(building_a)) == ("lxc", [])


def test_no_assignment_loses_its_machine(building_a: Lab, ana: User):
    building_a.assign(104, ana)
    take_away(building_a, 104)
    VirtualMachine.objects.update(gone_at=ago(days=31))
    inventory.prune()
    assert Assignment.objects.live().get().vm.vmid == 104


def test_a_machine_gone_for_a_month_that_nobody_holds_is_forgotten(building_a: Lab, ana: User):
    building_a.assign(104, ana)
    take_away(building_a, 104)
    Assignment.objects.end()
    VirtualMachine.objects.filter(vmid=104).update(gone_at=ago(days=31))
    inventory.prune()
    assert vmids(building_a) == [101, 102, 103]


def test_a_machine_gone_lately_is_kept(building_a: Lab):
    take_away(building_a, 104)
    inventory.prune()
    assert 104 in vmids(building_a)


def test_the_holder_is_told_that_it_is_gone(building_a: Lab, client: Client, ana: User):
    building_a.assign(104, ana)
    take_away(building_a, 104)
    client.force_login(ana)
    text = client.get("/vms/?cluster=").content.decode()
    assert "Not found on the cluster" in text
    assert "This machine no longer exists on the cluster. Ask your teacher." in text


def test_staff_lists_are_without_gone_machines(building_a: Lab, client: Client, admin: User):
    take_away(building_a, 104)
    client.force_login(admin)
    text = client.get("/vms/?cluster=").content.decode()
    assert ("VM 103" in text, "VM 104" in text) == (True, False)


# Answers that are not believed


def test_one_of_two_machines_may_vanish(building_b: Lab):
    building_b.pve.remove_guest(102)
    assert building_b.sync().problem == ""
    assert missing(building_b) == [102]


def test_the_only_machine_that_vanished_is_doubted(building_b: Lab):
    building_b.pve.remove_guest(102)
    sync_times(building_b, 3)
    building_b.pve.remove_guest(101)
    assert HINT in building_b.sync().problem


@pytest.mark.parametrize("half", [True, False])
def test_an_answer_that_a_person_believes_is_taken_as_it_is(building_a: Lab, half: bool):
    answer(building_a, *([row(101), row(102)] if half else []), *NODES)
    building_a.sync()
    building_a.row.sync.accept_last_answer()
    outcome = sync_times(building_a, 3)
    assert (outcome.problem, gone(building_a)) == ("", [103, 104] if half else [101, 102, 103, 104])


def test_a_belief_is_used_up_by_one_answer(building_a: Lab):
    answer(building_a, *NODES)
    building_a.sync()
    building_a.row.sync.accept_last_answer()
    building_a.pve.faults.clear()
    building_a.sync()
    answer(building_a, *NODES)
    assert building_a.sync().problem


def test_an_answer_that_lists_even_less_than_the_believed_one_is_doubted(building_a: Lab):
    answer(building_a, row(101), row(102), *NODES)
    building_a.sync()
    building_a.row.sync.accept_last_answer()
    answer(building_a, row(101), *NODES)
    assert HINT in building_a.sync().problem


def test_without_a_doubted_answer_there_is_nothing_to_believe(building_a: Lab):
    assert building_a.row.sync.accept_last_answer() is None


def test_with_half_of_the_nodes_offline_nothing_is_missing(building_a: Lab):
    building_a.pve.remove_guest(104)
    building_a.pve.lose_quorum()
    assert "Only 1 of 2 nodes are online" in building_a.sync().problem
    assert missing(building_a) == []


def test_when_the_cluster_said_that_it_has_no_quorum_nothing_is_missing(building_a: Lab):
    building_a.pve.remove_guest(104)
    type(building_a.row.sync).objects.update(quorate=False)
    building_a.pve.faults.reply(STATUS, body=json.dumps({"data": status_without_quorum()}))
    assert "no quorum" in building_a.sync().problem
    assert missing(building_a) == []


def test_a_cluster_without_quorum_has_none_until_it_says_so(building_a: Lab):
    building_a.pve.remove_guest(104)
    type(building_a.row.sync).objects.update(quorate=False)
    building_a.pve.faults.reply(STATUS, status=500)
    assert "no quorum" in building_a.sync().problem
    assert missing(building_a) == []


def test_a_quorum_that_is_back_is_noticed_by_the_next_sync(building_a: Lab):
    building_a.pve.remove_guest(104)
    type(building_a.row.sync).objects.update(quorate=False)
    assert (building_a.sync().problem, missing(building_a)) == ("", [104])


@pytest.fixture
def one_node_off(building_a: Lab) -> Lab:
    """Two nodes and a quorum device; pve2 is off, and 101 of pve1 was deleted."""
    building_a.pve.has_quorum_device = True
    building_a.pve.disconnect_node("pve2")
    building_a.pve.remove_guest(101)
    return building_a


def test_with_quorum_the_list_is_whole_whatever_node_is_offline(one_node_off: Lab):
    assert (one_node_off.sync().problem, missing(one_node_off)) == ("", [101])
    assert sync_times(one_node_off, 2).gone == 1
    assert (gone(one_node_off), one_node_off.row.sync.quorate) == ([101], True)


def test_with_quorum_only_the_figures_of_the_offline_node_are_old(one_node_off: Lab):
    before = ago(minutes=9)
    type(one_node_off.row.sync).objects.update(synced_at=before)
    one_node_off.sync()
    assert vmids(one_node_off, silent_since__isnull=False) == [102, 104]
    assert one_node_off.machine(102).status == "running"
    assert type(one_node_off.row.sync).objects.get().synced_at > ago(minutes=1)


def test_an_old_yes_to_the_quorum_does_not_count(one_node_off: Lab):
    type(one_node_off.row.sync).objects.update(quorate=True)
    one_node_off.pve.lose_quorum()
    assert "Only 1 of 2 nodes are online" in one_node_off.sync().problem
    assert missing(one_node_off) == []


def test_where_the_quorum_cannot_be_read_the_notice_says_what_to_do(one_node_off: Lab):
    one_node_off.pve.faults.reply(STATUS, status=403)
    problem = one_node_off.sync().problem
    assert (missing(one_node_off), "Sys.Audit" in problem, HINT in problem) == ([], True, True)


def test_an_answer_without_any_node_is_partial(building_a: Lab):
    answer(building_a, row(101), row(102), row(103, type="lxc"))
    assert "none of its nodes" in building_a.sync().problem
    assert missing(building_a) == []


def test_a_doubted_answer_is_as_old_as_what_it_leaves_out(building_a: Lab):
    type(building_a.row.sync).objects.update(synced_at=(before := ago(minutes=9)))
    answer(building_a, row(101), *NODES)
    building_a.sync()
    assert type(building_a.row.sync).objects.get().synced_at == before


def test_a_doubted_answer_that_lists_every_machine_is_fresh(building_a: Lab):
    type(building_a.row.sync).objects.update(synced_at=ago(minutes=9))
    building_a.pve.lose_quorum()
    assert building_a.sync().problem
    assert type(building_a.row.sync).objects.get().synced_at > ago(minutes=1)


def test_a_doubted_answer_is_no_failure_for_the_breaker(building_a: Lab):
    answer(building_a)
    outcome = building_a.sync()
    assert (outcome.outcome, outcome.failed) == (SyncRun.Outcome.SUSPICIOUS, False)


# Fences


def late(lab: Lab) -> inventory.SyncResult:
    """A read by somebody whose turn is over."""
    return inventory.sync(lab.config, attempt=lab.row.sync.attempt - 1)


def test_the_holder_of_the_turn_writes(building_a: Lab):
    building_a.pve.add_guest(110)
    assert inventory.sync(building_a.config, attempt=building_a.row.sync.attempt).created == 1


def test_who_comes_late_writes_nothing(building_a: Lab):
    building_a.row.sync.claim("building-a", timezone.now() + timedelta(hours=1))
    building_a.pve.add_guest(110)
    building_a.pve.remove_guest(104)
    runs = list(SyncRun.objects.values())
    assert "Another worker" in late(building_a).problem
    assert (vmids(building_a), missing(building_a)) == ([101, 102, 103, 104], [])
    assert list(SyncRun.objects.values()) == runs


def test_who_fails_late_says_nothing_of_the_health(building_a: Lab):
    building_a.pve.stop()
    assert late(building_a).failed
    assert building_a.row.health.ok


def test_a_turn_that_ends_during_the_read_is_noticed(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    attempt, read = building_a.row.sync.attempt, proxmox.Reader.resources_since

    def slowly(*args: Any, **others: Any) -> proxmox.Resources:
        found = read(*args, **others)
        type(building_a.row.sync).objects.update(attempt=attempt + 1)
        return found

    monkeypatch.setattr(proxmox.Reader, "resources_since", slowly)
    building_a.pve.add_guest(110)
    assert "Another worker" in inventory.sync(building_a.config, attempt=attempt).problem
    assert 110 not in vmids(building_a)
