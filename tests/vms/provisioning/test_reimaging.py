"""A re-imaged machine: the new one takes its place, the old one is kept, and comes back with one click."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.labs import ago, run_operations
from tests.workshop import FIRST, POOL, Workshop
from vms import automation, inventory
from vms.models import Assignment, ClusterGrant, MadeMachine
from vms.provisioning import earlier, ledger, permission
from vms.worker import schedule

State = MadeMachine.State


@pytest.fixture
def old(workshop: Workshop, ana: User) -> MadeMachine:
    """Ana's machine, which runs."""
    ClusterGrant.objects.create(cluster=workshop.row, pool=POOL, user=workshop.teacher)
    workshop.template.baseline_running = True
    workshop.template.save()
    workshop.run(1, for_user=ana)
    workshop.work()
    inventory.sync(workshop.row.config)
    return workshop.machine()


@pytest.fixture
def tess(client: Client, workshop: Workshop) -> Client:
    client.force_login(workshop.teacher)
    return client


def work(workshop: Workshop) -> None:
    """What workers do, with the operations of people, too."""
    with workshop.engine() as engine:
        for _ in range(40):
            workshop.go_on(engine, seconds=1)
            run_operations()


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def reimage(tess: Client, workshop: Workshop, made: MadeMachine) -> MadeMachine:
    answer = tess.post(reverse("vms-reimage", args=[made.vm_id]), follow=True)
    assert "0 of 1 ready" in text(answer)
    work(workshop)
    return MadeMachine.objects.select_related("vm").get(reimages=made)


def test_the_new_machine_takes_name_group_and_assignee(tess: Client, workshop: Workshop, old: MadeMachine, ana: User):
    assert "Unsaved work on it is lost." in text(tess.get(reverse("vms-reimage", args=[old.vm_id])))
    new = reimage(tess, workshop, old)
    assert (new.state, new.name, new.vmid) == (State.READY, "web-1", FIRST + 1)
    assert list(workshop.group.machines.all()) == [new.vm]
    assert Assignment.objects.unreleased().get().vm == new.vm
    assert workshop.guest(FIRST).status == "stopped"
    old.refresh_from_db()
    assert old.state == State.EARLIER
    assert (old.keep_until - timezone.now()).days in (13, 14)
    assert ledger.of_group(workshop.group.pk).machines == 2  # the earlier one counts


def test_it_comes_back_with_one_click(tess: Client, workshop: Workshop, old: MadeMachine, ana: User):
    new = reimage(tess, workshop, old)
    page = reverse("vms-set-earlier", args=[workshop.group.pk])
    assert "web-1" in text(tess.get(page))
    assert "web-1 is back." in text(
        tess.post(reverse("vms-earlier-back", args=[workshop.group.pk, old.pk]), follow=True)
    )
    run_operations()
    assert list(workshop.group.machines.all()) == [old.vm]
    held = Assignment.objects.unreleased().get()
    assert (held.vm, held.user) == (old.vm, ana)
    new.refresh_from_db()
    assert new.state == State.EARLIER
    assert MadeMachine.objects.get(pk=old.pk).state == State.READY


def test_the_old_address_leads_to_the_new_machine(
    tess: Client, workshop: Workshop, old: MadeMachine, ana: User, ben: User
):
    """For those who may see the new one, however often it is re-imaged; nobody else learns that there is one."""
    last = reimage(tess, workshop, reimage(tess, workshop, old))
    before, now = (reverse("vms-machine", args=[one]) for one in (old.vm_id, last.vm_id))
    client = Client()
    for user, status, address in ((ana, 302, now), (workshop.teacher, 302, now), (ben, 404, None)):
        client.force_login(user)
        answer = client.get(before)
        assert (answer.status_code, answer.get("Location")) == (status, address)
    client.force_login(ana)
    assert client.get(before, headers={"HX-Request": "true"})["HX-Redirect"] == now
    assert client.get(now).status_code == 200


def test_nothing_is_re_imaged_after_the_end_of_the_class(
    tess: Client, workshop: Workshop, old: MadeMachine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(permission, "closed", [lambda group: group == workshop.group.pk])
    answer = tess.post(reverse("vms-reimage", args=[old.vm_id]), follow=True)
    assert "This class has ended. Reopen it first." in text(answer)
    assert MadeMachine.objects.count() == 1


def test_it_does_not_come_back_to_somebody_else(tess: Client, workshop: Workshop, old: MadeMachine, ben: User):
    new = reimage(tess, workshop, old)
    Assignment.objects.unreleased().end()
    Assignment.objects.update(released_at=timezone.now())
    Assignment.objects.create(vm=new.vm, user=ben)
    answer = tess.post(reverse("vms-earlier-back", args=[workshop.group.pk, old.pk]), follow=True)
    assert "The machine belongs to another person now" in text(answer)
    assert Assignment.objects.unreleased().get().vm == new.vm


def test_a_new_machine_that_fails_leaves_the_old_one_as_it_was(tess: Client, workshop: Workshop, old: MadeMachine):
    workshop.pve.faults.storage_full()
    tess.post(reverse("vms-reimage", args=[old.vm_id]))
    work(workshop)
    old.refresh_from_db()
    assert (old.state, workshop.guest(FIRST).status) == (State.READY, "running")
    assert Assignment.objects.unreleased().get().vm == old.vm


def test_people_are_told_three_days_before(tess: Client, workshop: Workshop, old: MadeMachine, settings, mailoutbox):
    settings.EMAIL_URL = "smtp://localhost"
    User.objects.update(email="")
    reimage(tess, workshop, old)
    MadeMachine.objects.filter(pk=old.pk).update(keep_until=ago(days=1))
    assert earlier.tell_about_due() == 0  # nobody can be told, so it stays
    assert not earlier.removable().exists()
    User.objects.update(email="somebody@school.example")
    assert earlier.tell_about_due() == 1
    assert earlier.tell_about_due() == 0
    assert len(mailoutbox) == 2
    assert "The earlier machine web-1 of Networks 101 (VMID 5001)" in mailoutbox[0].body
    assert not earlier.removable().exists()
    MadeMachine.objects.filter(pk=old.pk).update(warned_at=ago(days=3))
    assert earlier.remove_due() == 1
    work(workshop)
    assert MadeMachine.objects.get(pk=old.pk).state == State.REMOVED
    assert [guest.vmid for guest in workshop.pve.guests if guest.name == "web-1"] == [FIRST + 1]


def test_nobody_is_told_and_nothing_is_removed_while_automation_is_held(
    tess: Client, workshop: Workshop, old: MadeMachine, settings, mailoutbox
):
    settings.EMAIL_URL = "smtp://localhost"
    User.objects.update(email="somebody@school.example")
    reimage(tess, workshop, old)
    MadeMachine.objects.filter(pk=old.pk).update(keep_until=ago(days=1))
    automation.hold("restored")
    schedule.regular.call("tell about earlier machines")
    assert not mailoutbox
    MadeMachine.objects.filter(pk=old.pk).update(warned_at=ago(days=4))
    schedule.regular.call("remove earlier machines")
    assert MadeMachine.objects.get(pk=old.pk).state == State.EARLIER
    assert automation.confirm(by="lena", drops_waiting=False)
    schedule.regular.call("remove earlier machines")
    assert MadeMachine.objects.get(pk=old.pk).state == State.REMOVING


def test_only_managers_of_the_group_re_image(client: Client, workshop: Workshop, old: MadeMachine, ana: User):
    client.force_login(ana)
    assert client.get(reverse("vms-reimage", args=[old.vm_id])).status_code == 404
    assert client.post(reverse("vms-reimage", args=[old.vm_id])).status_code == 404
    assert MadeMachine.objects.count() == 1
