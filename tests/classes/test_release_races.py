"""Between a teacher's choice and the next person: what changes meanwhile, and what is left of the one before."""

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from classes import co_owners
from classes.models import LabClass, Membership
from tests.classes.conftest import logged_in
from tests.classes.test_release import Room, by_a_table, last_day_is_over, room, unassigned
from tests.labs import ago, run_operations
from vms import inventory, operations, preparation
from vms.models import Assignment, Operation, Preparation, VirtualMachine
from vms.models.assignments import AssignmentQuerySet

__all__ = ["room"]

pytestmark = pytest.mark.django_db

State, Way = Preparation.State, Preparation.Way


# Who was to get the machine


def removed(room: Room) -> None:
    room.post(f"people/{Membership.objects.get(user=room.chen).pk}/remove/")


def machine_removed(room: Room) -> None:
    room.post(f"machines/{room.vm.pk}/drop/")


def ended(room: Room) -> None:
    room.post("end/")


def deleted(room: Room) -> None:
    room.post("delete/")


@pytest.mark.parametrize(
    "path", [removed, machine_removed, ended, deleted, last_day_is_over], ids=lambda path: path.__name__
)
def test_whoever_was_to_get_it_does_not_when_that_is_over(room: Room, path: Any):
    by_a_table(room, Way.SHUT_DOWN)
    assert Preparation.objects.get().reserved_for == room.chen
    path(room)
    room.prepare()
    assert (Preparation.objects.get().state, room.assignee()) == (State.DONE, None)
    assert LabClass.objects.filter(pk=room.made.pk).exists() == (path is not deleted)


def test_nor_when_the_preparation_had_failed_before(room: Room):
    room.lab.pve.guest(102).snapshots.clear()
    by_a_table(room, Way.REVERT)
    room.prepare()
    assert Preparation.objects.get().state == State.FAILED
    removed(room)
    unassigned(room, Way.AS_IT_IS)
    assert (Assignment.objects.unreleased().exists(), room.assignee()) == (False, None)


def test_nor_when_it_is_taken_back_while_a_worker_is_about_it(room: Room):
    by_a_table(room, Way.SHUT_DOWN)
    worked_on = Preparation.objects.select_related("assignment__vm").get()
    assert worked_on.claim(timezone.now())
    removed(room)
    preparation.preparing.succeed(worked_on)
    assert (Preparation.objects.get().state, room.assignee()) == (State.DONE, None)


# Restore points


def reopened(room: Room) -> None:
    last_day_is_over(room)
    room.post("reopen/")
    Membership.objects.filter(user=room.chen).update(waiting_since=timezone.now())


def assigned_again_by_a_table(room: Room) -> None:
    preparation.keep(Assignment.objects.live())
    page = room.post("machines/table/", text="ana,net-02")
    room.post("machines/table/", shown=page.context["shown"])


@pytest.mark.parametrize("back", [reopened, assigned_again_by_a_table], ids=lambda back: back.__name__)
def test_restore_points_from_before_a_break_are_the_persons_too(room: Room, back: Any):
    room.save("lesson-2", room.tess)
    Assignment.objects.update(assigned_at=ago(days=2))
    points = room.lab.pve.guest(102).snapshots
    for name, days in (("baseline", 3), ("lesson-2", 1)):
        points[name] = replace(points[name], taken=ago(days=days).timestamp())
        room.machine().snapshots.filter(name=name).update(taken_at=ago(days=days))
    back(room)
    assert room.assignee() == "ana"
    end = f"machines/{room.vm.pk}/unassign/"
    room.post(end, way=Way.SHUT_DOWN, shown=room.shown(end))
    room.prepare()
    assert (list(points), room.assignee()) == (["baseline"], "chen")


def test_as_it_is_after_a_failure_deletes_them_as_the_page_says(room: Room):
    room.save("my-save-point", room.ana)
    del room.lab.pve.guest(102).snapshots["baseline"]
    end = f"machines/{room.vm.pk}/unassign/"
    room.post(end, way=Way.REVERT, shown=room.shown(end))
    room.prepare()
    page = room.client.get(f"/classes/{room.made.pk}/{end}")
    assert "These restore points will be deleted: my-save-point." in page.content.decode()
    room.post(end, way=Way.AS_IT_IS, shown=page.context["shown"])
    room.prepare()
    assert (list(room.lab.pve.guest(102).snapshots), room.assignee()) == ([], "chen")


def test_what_somebody_frees_at_the_same_moment_is_not_given_back(room: Room, monkeypatch: pytest.MonkeyPatch):
    preparation.keep(Assignment.objects.live())
    lock = AssignmentQuerySet.select_for_update

    def late(rows: AssignmentQuerySet, **how: Any) -> list[Assignment]:
        """Whoever waits for a row in PostgreSQL gets it as it was found, with what was beside it then."""
        found = list(lock(rows, **how))
        monkeypatch.undo()
        preparation.free(Assignment.objects.all(), way=Way.REVERT, by=room.tess)
        return found

    monkeypatch.setattr(AssignmentQuerySet, "select_for_update", late)
    assert preparation.restore(Assignment.objects.all()) == 0
    assert (Preparation.objects.get().state, room.assignee()) == (State.OPEN, None)


# What the machine is doing


@pytest.mark.parametrize("way", [Way.SHUT_DOWN, Way.REVERT])
def test_a_machine_that_sleeps_with_somebodys_screen_is_not_ready(room: Room, way: str):
    guest = room.lab.pve.guest(102)
    guest.status, guest.lock = "stopped", "suspended"
    room.lab.sync()
    unassigned(room, way)
    room.prepare()
    assert (Preparation.objects.get().state, room.assignee()) == (State.FAILED, None)
    assert "would wake up with the previous" in room.client.get(f"/classes/{room.made.pk}/machines/").content.decode()


def test_what_the_last_person_began_is_waited_for(room: Room):
    room.lab.pve.guest(102).status = "stopped"
    room.machine().observe("stopped", at=timezone.now())
    operations.request(room.machine(), "start", by=room.ana)
    run_operations()
    unassigned(room, Way.AS_IT_IS)
    preparation.take_step(Preparation.objects.select_related("assignment__vm__cluster", "asked_by", "operation").get())
    assert Operation.objects.open().exists()
    assert room.assignee() is None
    room.prepare()
    assert (room.lab.pve.guest(102).status, room.assignee()) == ("running", "chen")


def test_what_failed_for_the_last_person_is_not_told_to_the_next_one(room: Room):
    operations.request(room.machine(), "shutdown", by=room.ana)
    Operation.objects.filter(action="shutdown").update(
        state="failed", admitted_at=timezone.now(), finished_at=timezone.now()
    )
    told = "“Shut down” failed."
    assert told in logged_in(room.ana).get("/vms/").content.decode()
    unassigned(room, Way.AS_IT_IS)
    assert room.assignee() == "chen"
    page = logged_in(room.chen).get("/vms/").content.decode()
    assert "net-02" in page
    assert told not in page


# A class that is being deleted


def test_a_co_owner_does_not_undo_what_the_owner_decides_alone(room: Room, theo: User):
    co_owners.add(room.made, theo, by=room.tess)
    room.post("delete/", way=Way.SHUT_DOWN)
    assert logged_in(theo).post(f"/classes/{room.made.pk}/reopen/").status_code == 403
    assert "Reopen" not in logged_in(theo).get("/classes/ended/").content.decode()
    assert "Reopen" not in logged_in(theo).get(f"/classes/{room.made.pk}/machines/").content.decode()
    room.made.refresh_from_db()
    assert room.made.is_being_deleted
    assert "Reopen" in room.client.get("/classes/ended/").content.decode()
    assert room.post("reopen/").status_code == 302
    room.made.refresh_from_db()
    assert (room.made.is_being_deleted, room.made.ended_at) == (False, None)


# A machine that came back


def test_a_machine_that_comes_back_is_offered_when_somebody_has_freed_the_row_that_it_had(room: Room):
    """Nobody has prepared it: the portal took it for gone while ana had it, and has a new row for it now."""
    inventory.read_details(room.lab.config)
    VirtualMachine.objects.filter(pk=room.vm.pk).update(gone_at=timezone.now())
    room.lab.pve.guest(102).tags = ("back",)
    room.lab.sync()
    back = VirtualMachine.objects.present().get(vmid=102)
    room.post("machines/adopt/", vm=[back.pk])
    assert not room.made.class_machines.filter(vm=back).exists()
    inventory.read_details(room.lab.config)
    back.refresh_from_db()
    assert back.hardware_id == VirtualMachine.objects.get(pk=room.vm.pk).hardware_id != ""
    room.post("machines/adopt/", vm=[back.pk])
    assert not room.made.class_machines.filter(vm=back).exists()
    unassigned(room, Way.SHUT_DOWN)
    room.post("machines/adopt/", vm=[back.pk])
    assert room.made.class_machines.filter(vm=back).exists()
