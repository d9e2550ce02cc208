"""The syncs of clusters in the admin: how often, what they brought, and what a person decides about them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, ago, queries
from tests.vms.resource_lists import NODES, answer, gone, row
from vms.models import ClusterSync, SyncRun, VirtualMachine

pytestmark = pytest.mark.django_db


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:vms_{name}", args=args)


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def otto(client: Client, auditor: User) -> Client:
    client.force_login(auditor)
    return client


def act(client: Client, action: str, lab: Lab) -> str:
    form = {"action": action, "_selected_action": [lab.row.cluster_id]}
    return client.post(page("clustersync_changelist"), form, follow=True).content.decode()


def test_reads_are_listed_by_cluster_and_outcome(lena: Client, building_a: Lab, building_b: Lab):
    building_b.pve.stop()
    building_b.sync()
    text = lena.get(page("syncrun_changelist"), {"outcome": "failed"}).content.decode()
    assert text.count("refuses connections") == 1
    assert lena.get(page("syncrun_changelist"), {"cluster__cluster_id__exact": "building-a"}).status_code == 200


def test_nobody_changes_what_a_read_brought(lena: Client, building_a: Lab):
    run = SyncRun.objects.get()
    assert lena.get(page("syncrun_add")).status_code == 403
    assert lena.post(page("syncrun_change", run.pk), {"problem": "x"}).status_code == 403
    assert lena.post(page("syncrun_delete", run.pk), {"post": "yes"}).status_code == 403


def test_nodes_are_listed(lena: Client, building_a: Lab):
    assert b"pve2" in lena.get(page("node_changelist")).content


def test_how_often_a_cluster_is_read_can_be_changed(lena: Client, building_a: Lab):
    form = {"interval": 3, "deadline": 5, "node_limit": 2, "cluster_limit": 7}
    lena.post(page("clustersync_change", "building-a"), form)
    found = ClusterSync.objects.get()
    assert (found.every, found.deadline, found.node_limit, found.cluster_limit) == (timedelta(seconds=3), 5, 2, 7)


@pytest.mark.parametrize("wrong", [{"interval": 1}, {"deadline": 31}, {"node_limit": 0}])
def test_figures_that_make_no_sense_are_refused(lena: Client, building_a: Lab, wrong: dict[str, int]):
    answered = lena.post(page("clustersync_change", "building-a"), {"interval": 3, **wrong})
    assert b"Please correct the error" in answered.content
    assert ClusterSync.objects.get().interval is None


def test_sync_now_makes_it_due_whatever_the_breaker_says(lena: Client, building_a: Lab):
    ClusterSync.objects.update(due_at=timezone.now() + timedelta(minutes=5), failures=9)
    assert "1 cluster will be synced next" in act(lena, "sync_now", building_a)
    assert ClusterSync.claim("building-a", timezone.now())


def test_a_person_can_believe_what_the_portal_doubts(lena: Client, building_a: Lab):
    answer(building_a, row(101), *NODES)
    building_a.sync()
    assert "Accept the last answer" in ClusterSync.objects.get().notice
    assert "at least 1 machine." in act(lena, "accept_last_answer", building_a)
    for _ in range(3):
        building_a.sync()
    assert gone(building_a) == [102, 103, 104]
    assert LogEntry.objects.get().change_message == "Believed an answer of 1 machines."


def test_what_is_not_doubted_needs_no_belief(lena: Client, building_a: Lab):
    assert "was accepted already" in act(lena, "accept_last_answer", building_a)
    assert ClusterSync.objects.get().believe_down_to is None


def test_who_only_looks_may_look_and_decides_nothing(otto: Client, building_a: Lab):
    assert b"building-a" in otto.get(page("clustersync_changelist")).content.lower()
    answer(building_a, *NODES)
    building_a.sync()
    act(otto, "accept_last_answer", building_a)
    otto.post(page("clustersync_change", "building-a"), {"interval": 3})
    found = ClusterSync.objects.get()
    assert (found.believe_down_to, found.interval) == (None, None)


def test_a_gone_machine_is_offered_for_no_assignment(lena: Client, building_a: Lab):
    VirtualMachine.objects.filter(vmid=104).update(gone_at=ago(minutes=1))
    asked = {"app_label": "vms", "model_name": "assignment", "field_name": "vm", "term": "net-0"}
    found = lena.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert sorted(entry["text"].split()[0] for entry in found) == ["net-01", "net-02", "net-03"]


@pytest.mark.parametrize("name", ["clustersync", "syncrun", "node"])
def test_the_number_of_queries_of_a_list_is_constant(lena: Client, building_a: Lab, building_b: Lab, name: str):
    lena.get(page(f"{name}_changelist"))
    with queries() as before:
        lena.get(page(f"{name}_changelist"))
    first = SyncRun.objects.first()
    for number in range(20):
        SyncRun.objects.create(cluster_id=first.cluster_id, outcome="ok", first_at=ago(), last_at=ago(hours=number))
    with queries() as after:
        lena.get(page(f"{name}_changelist"))
    assert len(after) == len(before) <= 12


def test_a_cluster_with_readings_can_be_deleted(lena: Client, building_a: Lab):
    lena.post(reverse("admin:clusters_cluster_delete", args=[building_a.row.pk]), {"post": "yes"})
    assert not SyncRun.objects.exists()
