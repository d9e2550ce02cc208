"""From one student to the next: on every path a machine goes to nobody before it is prepared as somebody chose."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.models import User
from classes import lifecycle
from classes.enrolment import membership, releasing
from classes.models import ClassMachine, LabClass, Membership
from clusters.models import ClusterHealth
from tests.admin_pages import said
from tests.classes.conftest import lab_class, logged_in
from tests.labs import Lab, ago, run_operations, run_preparations
from vms import bulk_assignment, inventory, operations, preparation
from vms.models import Assignment, Operation, Preparation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

State, Way = Preparation.State, Preparation.Way
SECRET = "secret of ana"


class Room:
    """tess's class with machine 102, which runs and has a baseline; ana has it, and chen waits."""

    def __init__(self, lab: Lab, tess: User, *, baseline: bool = True) -> None:
        self.lab, self.tess, self.client = lab, tess, logged_in(tess)
        self.made = lab_class(tess, lab, 102)
        LabClass.objects.filter(pk=self.made.pk).update(baseline="baseline")
        self.vm = lab.machine(102)
        if baseline:
            self.save("baseline", tess)
        self.ana, self.chen = (User.objects.create_user(name) for name in ("ana", "chen"))
        membership.add_people(self.made, [self.ana, self.chen], at_once=True)
        assert self.assignee() == "ana"

    def save(self, name: str, person: User) -> None:
        operations.request(self.machine(), "snapshot", by=person, snapshot=name, unlimited=True)
        self.settle()

    def came_now(self) -> None:
        """By the cluster's clock, which is ahead."""
        Assignment.objects.update(assigned_at=datetime.fromtimestamp(self.lab.clock.now() + 1, UTC))

    def settle(self) -> None:
        for _ in range(3):
            run_operations()
            self.lab.clock.advance(5)
        VirtualMachine.objects.update(lock="")

    def machine(self) -> VirtualMachine:
        return self.lab.machine(102)

    def write(self, line: str) -> None:
        screen = self.lab.pve.guest(102).screen
        for sign in f"{line}":
            screen.press(ord(sign), down=True)
        screen.press(0xFF0D, down=True)

    def assignee(self) -> str | None:
        return Assignment.objects.live().filter(vm=self.vm).values_list("user__username", flat=True).first()

    def prepare(self) -> None:
        run_preparations(self.lab)
        lifecycle.reconcile()

    def post(self, end: str, **data: Any) -> Any:
        return self.client.post(f"/classes/{self.made.pk}/{end}", data)

    def shown(self, end: str, **data: Any) -> str:
        return str(self.client.get(f"/classes/{self.made.pk}/{end}", data).context["shown"])


@pytest.fixture
def room(building_a: Lab, tess: User) -> Room:
    return Room(building_a, tess)


@pytest.fixture
def bare(building_a: Lab, tess: User) -> Room:
    """The same, and no machine has a baseline."""
    return Room(building_a, tess, baseline=False)


# Every path, every choice


def unassigned(room: Room, way: str) -> None:
    room.post(f"machines/{room.vm.pk}/unassign/", way=way)


def unassigned_with_others(room: Room, way: str) -> None:
    room.post("machines/unassign/", vm=[room.vm.pk], way=way)


def person_removed(room: Room, way: str) -> None:
    member = Membership.objects.get(user=room.ana)
    room.post(f"people/{member.pk}/remove/", way=way)


def by_an_administrator(room: Room, way: str) -> None:
    boss = User.objects.create_superuser("boss")
    chosen = {"action": "end", "_selected_action": [Assignment.objects.live().get().pk]}
    page = logged_in(boss).post("/admin/vms/assignment/", chosen)
    assert room.assignee() == "ana"
    logged_in(boss).post(
        "/admin/vms/assignment/", {**chosen, "sure": "yes", "way": way, "shown": page.context["shown"]}
    )


def by_a_table(room: Room, way: str) -> None:
    page = room.post("machines/table/", text="chen,net-02", end_first="on", way=way)
    room.post("machines/table/", shown=page.context["shown"])


def by_a_table_of_an_administrator(room: Room, way: str) -> None:
    boss = User.objects.create_superuser("boss")
    source = bulk_assignment.Table("chen,net-02")
    plan = bulk_assignment.plan(source, end_first=True, way=way)
    bulk_assignment.apply(source, end_first=True, expected=plan.digest, by=boss, way=way)


PATHS: list[Callable[[Room, str], None]] = [
    unassigned, unassigned_with_others, person_removed, by_an_administrator, by_a_table, by_a_table_of_an_administrator,
]  # fmt: skip


@pytest.mark.parametrize("way", [Way.REVERT, Way.SHUT_DOWN])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_nobody_gets_it_before_it_is_ready_and_the_next_one_does_then(room: Room, path: Any, way: str):
    room.write(SECRET)
    path(room, way)
    for tried in (lifecycle.reconcile, run_operations):
        tried()
        assert room.assignee() is None
    room.prepare()
    assert room.assignee() == "chen"
    guest = room.lab.pve.guest(102)
    assert (guest.status, SECRET in guest.files) == ("stopped", way != Way.REVERT)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_as_it_is_needs_no_time(room: Room, path: Any):
    path(room, Way.AS_IT_IS)
    lifecycle.reconcile()
    assert room.assignee() == "chen"
    assert room.lab.pve.guest(102).status == "running"
    assert not Operation.objects.exclude(action="snapshot").exists()


def machine_removed(room: Room, way: str) -> None:
    room.post(f"machines/{room.vm.pk}/drop/", way=way)


def class_ended(room: Room, way: str) -> None:
    room.post("end/", way=way)


def class_deleted(room: Room, way: str) -> None:
    room.post("delete/", way=way)


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("path", [machine_removed, class_ended, class_deleted], ids=lambda path: path.__name__)
def test_what_leaves_a_class_goes_into_another_one_when_it_is_ready(room: Room, theo: User, path: Any, way: str):
    other = lab_class(theo, room.lab, name="Databases")
    room.write(SECRET)
    path(room, way)
    assert room.assignee() is None
    adopt = f"/classes/{other.pk}/machines/adopt/"
    if way != Way.AS_IT_IS:
        logged_in(theo).post(adopt, {"vm": [room.vm.pk]})
        assert not other.class_machines.exists()
        assert ClassMachine.objects.get(vm=room.vm).is_leaving
        room.prepare()
    logged_in(theo).post(adopt, {"vm": [room.vm.pk]})
    assert other.class_machines.get().vm == room.vm
    assert LabClass.objects.filter(pk=room.made.pk).exists() == (path is not class_deleted)
    assert (SECRET in room.lab.pve.guest(102).files) == (way != Way.REVERT)


def test_the_database_itself_gives_an_unprepared_machine_to_nobody(room: Room):
    unassigned(room, Way.REVERT)
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.create(vm=room.vm, user=room.chen)
    room.prepare()
    assert Assignment.objects.live().get().user == room.chen


# Restore points


def with_restore_points(room: Room) -> None:
    room.lab.pve.guest(102).newest_only = True
    room.save("my-save-point", room.ana)
    room.save("lesson-2", room.tess)


def test_restore_points_are_listed_and_go_before_a_storage_like_zfs_reverts(room: Room):
    with_restore_points(room)
    page = room.client.get(f"/classes/{room.made.pk}/machines/{room.vm.pk}/unassign/")
    assert "Reverting first deletes these restore points: lesson-2, my-save-point." in page.content.decode()
    room.post(f"machines/{room.vm.pk}/unassign/", way=Way.REVERT, shown=page.context["shown"])
    room.prepare()
    assert (list(room.lab.pve.guest(102).snapshots), room.assignee()) == (["baseline"], "chen")
    assert list(Snapshot.objects.filter(vm=room.vm).values_list("name", flat=True)) == ["baseline"]
    done = Operation.objects.order_by("requested_at").exclude(action="snapshot")
    assert list(done.values_list("action", "snapshot")) == [
        ("delete-snapshot", "lesson-2"), ("delete-snapshot", "my-save-point"), ("rollback", "baseline"),
    ]  # fmt: skip


@pytest.mark.parametrize("way", [Way.SHUT_DOWN, Way.AS_IT_IS])
def test_they_go_too_when_the_machine_is_not_reverted(room: Room, way: str):
    with_restore_points(room)
    end = f"machines/{room.vm.pk}/unassign/"
    room.post(end, way=way, shown=room.shown(end))
    assert room.assignee() is None
    room.prepare()
    assert (list(room.lab.pve.guest(102).snapshots), room.assignee()) == (["baseline"], "chen")


def test_restore_points_that_were_not_shown_are_not_deleted(room: Room):
    end = f"machines/{room.vm.pk}/unassign/"
    shown = room.shown(end)
    with_restore_points(room)
    assert "something changed" in said(room.post(end, way=Way.REVERT, shown=shown))
    assert room.assignee() == "ana"


def test_those_that_only_the_cluster_knows_stop_it_and_are_shown_then(room: Room):
    with_restore_points(room)
    Snapshot.objects.exclude(name="baseline").delete()
    unassigned(room, Way.REVERT)
    room.prepare()
    assert (Preparation.objects.get().state, room.assignee()) == (State.FAILED, None)
    assert "lesson-2" in room.client.get(f"/classes/{room.made.pk}/machines/{room.vm.pk}/unassign/").content.decode()


def test_what_a_teacher_saved_before_the_student_came_stays(room: Room):
    room.save("exam", room.tess)
    room.came_now()
    LabClass.objects.update(baseline="exam")
    unassigned(room, Way.REVERT)
    room.prepare()
    assert (list(room.lab.pve.guest(102).snapshots), room.assignee()) == (["baseline", "exam"], "chen")


def test_a_baseline_saved_while_the_student_had_the_machine_is_told(room: Room):
    Assignment.objects.update(assigned_at=ago(days=1))
    page = room.client.get(f"/classes/{room.made.pk}/machines/{room.vm.pk}/unassign/").content.decode()
    assert "The baseline was saved while the machine was assigned to ana." in page


# Without a baseline


def test_without_a_baseline_the_page_says_what_the_next_one_sees_and_recommends(bare: Room):
    page = bare.client.get(f"/classes/{bare.made.pk}/machines/{bare.vm.pk}/unassign/")
    text = page.content.decode()
    assert "The next person will find the files as they are now, and also the screen unless you shut it down." in text
    ways = [value for value, _label in page.context["form"].fields["way"].choices]
    assert (ways, page.context["form"].fields["way"].initial) == ([Way.SHUT_DOWN, Way.AS_IT_IS], Way.SHUT_DOWN)
    assert bare.post(f"machines/{bare.vm.pk}/unassign/", way=Way.REVERT).status_code == 400
    assert bare.assignee() == "ana"


def test_with_one_the_page_proposes_to_revert_or_what_the_class_has_set(room: Room):
    end = f"/classes/{room.made.pk}/machines/{room.vm.pk}/unassign/"
    assert room.client.get(end).context["form"].fields["way"].initial == Way.REVERT
    LabClass.objects.update(freed_machines=Way.SHUT_DOWN)
    assert room.client.get(end).context["form"].fields["way"].initial == Way.SHUT_DOWN


@pytest.mark.parametrize("way", list(Way))
def test_without_a_choice_the_setting_of_the_class_counts(room: Room, way: str):
    LabClass.objects.update(freed_machines=way)
    by_a_table(room, "")
    assert Preparation.objects.get().way == way


# What goes wrong


def failed(room: Room) -> Preparation:
    """The baseline vanished from the cluster."""
    room.lab.pve.guest(102).snapshots.clear()
    unassigned(room, Way.REVERT)
    room.prepare()
    return Preparation.objects.get()


def test_a_revert_that_fails_gives_the_machine_to_nobody_and_tells_the_teacher(room: Room):
    assert (failed(room).state, room.assignee(), room.lab.pve.count("POST", "/rollback$")) == (State.FAILED, None, 0)
    page = room.client.get(f"/classes/{room.made.pk}/machines/").content.decode()
    assert "not ready:" in page
    assert "no snapshot “baseline”" in page
    assert (
        "1 machine needs your decision before it can be assigned again."
        in room.client.get(f"/classes/{room.made.pk}/people/").content.decode()
    )


def test_an_incomplete_baseline_is_not_reverted_to(room: Room):
    room.lab.pve.faults.snapshot_half_done(102, "baseline", "prepare")
    unassigned(room, Way.REVERT)
    room.prepare()
    failure = Preparation.objects.get()
    assert (failure.state, room.lab.pve.count("POST", "/rollback$")) == (State.FAILED, 0)
    assert "is incomplete" in failure.rendered_outcome


def test_the_teacher_tries_again_or_gives_it_as_it_is(room: Room):
    failed(room)
    room.post(f"machines/{room.vm.pk}/unassign/", way=Way.SHUT_DOWN)
    assert room.assignee() is None
    room.prepare()
    assert (room.assignee(), room.lab.pve.guest(102).status) == ("chen", "stopped")


def test_as_it_is_after_a_failure_is_at_once(room: Room):
    failed(room)
    unassigned(room, Way.AS_IT_IS)
    assert room.assignee() == "chen"


def test_a_step_that_fails_on_the_cluster_is_not_repeated(room: Room, monkeypatch: pytest.MonkeyPatch):
    room.save("later", room.tess)
    Snapshot.objects.filter(name="later").delete()
    room.came_now()
    room.lab.pve.guest(102).newest_only = True
    monkeypatch.setattr("vms.preparation.cleanup.points_to_delete", lambda *_, **__: [])
    unassigned(room, Way.REVERT)
    room.prepare()
    room.prepare()
    assert (Preparation.objects.get().state, room.lab.pve.count("POST", "/rollback$")) == (State.FAILED, 1)
    assert "not most recent" in Preparation.objects.get().outcome
    assert room.assignee() is None


def test_a_cluster_that_does_not_answer_is_waited_for_and_then_told(room: Room):
    ClusterHealth.objects.update(ok=False)
    unassigned(room, Way.REVERT)
    run_preparations(room.lab)
    assert (Preparation.objects.get().state, Operation.objects.filter(action="rollback").count()) == (State.OPEN, 0)
    Preparation.objects.update(asked_at=ago(hours=1))
    run_preparations(room.lab)
    assert Preparation.objects.get().state == State.FAILED


def test_who_may_not_any_more_reverts_nothing(room: Room):
    unassigned(room, Way.REVERT)
    User.objects.filter(pk=room.tess.pk).update(is_active=False)
    room.prepare()
    assert (Preparation.objects.get().state, room.lab.pve.count("POST", "/rollback$")) == (State.FAILED, 0)


def test_a_worker_that_dies_between_two_steps_is_taken_over_from_and_nothing_is_sent_twice(room: Room):
    with_restore_points(room)
    end = f"machines/{room.vm.pk}/unassign/"
    room.post(end, way=Way.REVERT, shown=room.shown(end))
    dead = Preparation.objects.select_related("assignment__vm__cluster").get()
    assert dead.claim(timezone.now())
    room.prepare()
    assert not Operation.objects.filter(action="delete-snapshot").exists()  # somebody holds it
    Preparation.objects.update(leased_until=ago(seconds=1))
    room.prepare()
    assert room.assignee() == "chen"
    assert not dead.advance(outcome="too late")
    assert (room.lab.pve.count("DELETE", "/snapshot/"), room.lab.pve.count("POST", "/rollback$")) == (2, 1)


def test_by_hand_it_is_refused_with_a_reason_until_it_is_ready(room: Room):
    unassigned(room, Way.REVERT)
    Membership.objects.update(waiting_since=None)
    hand = {"vm": room.vm.pk, "person": room.chen.pk}
    assert "net-02 is not ready for the next person" in said(room.post("machines/assign/", **hand))
    assert "(not ready)" in room.client.get(f"/classes/{room.made.pk}/machines/").content.decode()
    room.prepare()
    room.post("machines/assign/", **hand)
    assert room.assignee() == "chen"


def test_everybody_gets_one_and_pools_pass_over_what_is_not_ready(room: Room, ben: User):
    unassigned(room, Way.REVERT)
    page = room.client.get(f"/classes/{room.made.pk}/machines/share/")
    assert page.context["plan"].written == []
    source = bulk_assignment.Pattern("net-{n:02}", "ben", start=2)
    assert [row.reason.value for row in bulk_assignment.plan(source, end_first=True).rows] == ["not-ready"]
    room.prepare()
    assert room.assignee() == "chen"


def test_a_person_whose_machine_is_not_ready_is_not_deleted(room: Room):
    with pytest.raises(ProtectedError):
        room.ana.delete()
    unassigned(room, Way.REVERT)
    room.prepare()
    room.ana.delete()


# Kept, not freed


def last_day_is_over(room: Room) -> None:
    LabClass.objects.update(ends_on=timezone.localdate() - timedelta(days=2))
    assert lifecycle.close_past_classes() == 1


def test_the_end_of_the_last_day_closes_access_and_keeps_the_machine(room: Room):
    room.write(SECRET)
    last_day_is_over(room)
    assert lifecycle.close_past_classes() == 0
    room.prepare()
    held = Assignment.objects.get()
    assert (room.assignee(), held.released_at, held.kept_until - held.ended_at > timedelta(days=13)) == (
        None, None, True,
    )  # fmt: skip
    assert SECRET in room.lab.pve.guest(102).files
    assert not Operation.objects.exclude(action="snapshot").exists()
    assert "kept for ana until" in room.client.get(f"/classes/{room.made.pk}/machines/").content.decode()


def test_after_the_days_it_is_still_kept_and_somebody_has_to_decide(room: Room):
    last_day_is_over(room)
    Assignment.objects.update(kept_until=ago(days=1))
    room.prepare()
    assert (room.assignee(), Operation.objects.exclude(action="snapshot").count()) == (None, 0)
    assert "needs your decision" in room.client.get(f"/classes/{room.made.pk}/machines/").content.decode()
    room.post(f"machines/{room.vm.pk}/keep/")
    assert not releasing.undecided(room.made).exists()
    room.post(f"machines/{room.vm.pk}/unassign/", way=Way.REVERT)
    room.prepare()
    assert (Assignment.objects.get().released_at is None, room.assignee()) == (
        False,
        None,
    )  # nobody, as the class is over


def test_who_reopens_a_class_reads_what_became_of_its_last_day(room: Room):
    where = f"/classes/{room.made.pk}/"
    room.post("end/", way="as-it-is")
    assert "it was removed" not in room.client.post(f"{where}reopen/", follow=True).content.decode()
    LabClass.objects.update(ends_on=timezone.localdate() - timedelta(days=2))
    assert "it was removed" in room.client.post(f"{where}reopen/", follow=True).content.decode()
    assert LabClass.objects.get().ends_on is None


def test_a_class_that_is_reopened_gives_back_what_was_kept(room: Room):
    last_day_is_over(room)
    room.post("reopen/")
    assert room.assignee() == "ana"
    assert not Preparation.objects.exists()
    room.made.refresh_from_db()
    assert (room.made.ended_at, room.made.ends_on, room.made.is_over) == (None, None, False)


def test_a_table_gives_a_kept_machine_back_as_it_is(room: Room):
    preparation.keep(Assignment.objects.live())
    page = room.post("machines/table/", text="ana,net-02")
    room.post("machines/table/", shown=page.context["shown"])
    assert (room.assignee(), Preparation.objects.count()) == ("ana", 0)


def test_a_sync_frees_nothing(room: Room):
    room.lab.pve.remove_guest(102)
    for _ in range(4):
        inventory.sync(room.lab.config)
    assert Assignment.objects.get().released_at is None


# The end of a class, and its archive


def test_a_class_that_has_ended_keeps_its_people_in_the_archive(room: Room):
    class_ended(room, Way.AS_IT_IS)
    assert Membership.objects.joined().count() == 2
    assert not Membership.objects.waiting().exists()
    lists = [room.client.get(f"/classes/{end}").context["taught"].count() for end in ("", "ended/")]
    assert lists == [0, 1]
    assert "1 ended class" in room.client.get("/classes/").content.decode()
    assert logged_in(room.ana).get("/classes/ended/").context["taken"].get() == room.made


def test_a_co_owner_ends_and_reopens_and_a_member_does_not(room: Room):
    assert logged_in(room.ana).post(f"/classes/{room.made.pk}/end/").status_code == 404
    assert logged_in(room.ana).post(f"/classes/{room.made.pk}/reopen/").status_code == 404


def test_a_number_that_another_machine_has_now_is_left_alone(room: Room):
    unassigned(room, Way.REVERT)
    VirtualMachine.objects.filter(pk=room.vm.pk).update(hardware_id="11111111-2222-4333-8444-555555555555")
    room.lab.pve.clear_requests()
    room.prepare()
    assert (Preparation.objects.get().state, room.lab.pve.count("POST", "/rollback$")) == (State.FAILED, 0)
    assert (room.assignee(), room.lab.pve.count("GET", "/snapshot$")) == (None, 0)
