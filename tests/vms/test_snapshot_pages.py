"""Saving machines and going back through the portal."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, run_operations
from tests.vms.test_machine_list import HOSTILE, Page
from vms.access import restore_points
from vms.models import MachineSet, Operation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

SURE = {"sure": "yes"}


@pytest.fixture
def hers(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(101, ana)


@pytest.fixture
def manager(hers: VirtualMachine, ben: User) -> User:
    group = MachineSet.objects.create(name="net")
    group.machines.add(hers)
    group.stewards.add(ben)
    return ben


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def url(machine: VirtualMachine, name: str, *args: str) -> str:
    return reverse(f"vms-{name}", args=[machine.pk, *args])


def asked() -> list[tuple[str, str]]:
    return [(one.action, one.snapshot) for one in Operation.objects.order_by("requested_at")]


def save(machine: VirtualMachine, name: str) -> None:
    """The portal knows a snapshot."""
    Snapshot.objects.create(vm=machine, name=name)


# The save point


def test_the_first_save_point_is_saved_at_once(as_ana: Client, hers: VirtualMachine):
    assert as_ana.post(url(hers, "save-point")).url == url(hers, "machine")
    assert asked() == [("snapshot", "my-save-point")]


def test_an_older_save_point_is_replaced_only_with_the_box_ticked(as_ana: Client, hers: VirtualMachine):
    save(hers, "my-save-point")
    answer = as_ana.post(url(hers, "save-point"))
    assert (answer.status_code, b"Nothing was done. Tick the box" in answer.content, asked()) == (400, True, [])


def finish(lab: Lab) -> None:
    """What a worker does until nothing is left to do."""
    while Operation.objects.open().exists():
        run_operations()
        lab.clock.advance(30)


def replaced(client: Client, machine: VirtualMachine, lab: Lab, **more: str) -> list[tuple[str, str, str]]:
    """What came of replacing the save point: action, snapshot and state."""
    begun = timezone.now()
    client.post(url(machine, "save-point"), SURE | more)
    finish(lab)
    rows = Operation.objects.filter(requested_at__gte=begun).order_by("requested_at")
    return [(one.action, one.snapshot, one.state) for one in rows]


@pytest.fixture
def saved(as_ana: Client, hers: VirtualMachine, building_a: Lab) -> VirtualMachine:
    """With a save point."""
    as_ana.post(url(hers, "save-point"))
    finish(building_a)
    return hers


FIRST, SECOND = restore_points.NAMES


def there(lab: Lab) -> set[str]:
    return {one for one in lab.pve.guest(101).snapshots if one in restore_points.NAMES}


def test_the_new_save_point_is_there_before_the_old_one_goes(as_ana: Client, saved: VirtualMachine, building_a: Lab):
    assert replaced(as_ana, saved, building_a) == [("snapshot", SECOND, "done"), ("delete-snapshot", FIRST, "done")]
    assert there(building_a) == {SECOND}
    assert replaced(as_ana, saved, building_a) == [("snapshot", FIRST, "done"), ("delete-snapshot", SECOND, "done")]
    assert there(building_a) == {FIRST}
    assert Operation.objects.filter(requested_by__username="ana").count() == 5
    assert building_a.pve.count("POST", "/snapshot$") == 3


def test_a_new_one_that_fails_leaves_the_old_one_and_the_page_says_so(
    as_ana: Client, saved: VirtualMachine, building_a: Lab
):
    building_a.pve.faults.tasks_fail("qmsnapshot", "out of space")
    assert replaced(as_ana, saved, building_a) == [("snapshot", SECOND, "failed")]
    assert there(building_a) == {FIRST}
    page = as_ana.get(url(saved, "machine")).content.decode()
    assert "failed. The storage is full. Ask your teacher. Your old restore point was kept." in page
    assert f'id="revert-{FIRST}"' in page


def test_where_there_is_room_for_one_the_old_one_goes_first_and_the_page_says_what_is_left(
    as_ana: Client, saved: VirtualMachine, building_a: Lab
):
    assert "Delete the old restore point first" in as_ana.get(url(saved, "save-point")).content.decode()
    steps = [("delete-snapshot", FIRST, "done"), ("snapshot", FIRST, "done")]
    assert replaced(as_ana, saved, building_a, first="yes") == steps
    building_a.pve.faults.tasks_fail("qmsnapshot", "out of space")
    assert replaced(as_ana, saved, building_a, first="yes")[1] == ("snapshot", FIRST, "failed")
    assert there(building_a) == set()
    assert "You have no restore point now." in as_ana.get(url(saved, "machine")).content.decode()


def test_an_old_one_that_cannot_go_is_named_and_makes_room_the_next_time(
    as_ana: Client, saved: VirtualMachine, building_a: Lab
):
    building_a.pve.faults.tasks_fail("qmdelsnapshot", "busy")
    assert replaced(as_ana, saved, building_a)[1] == ("delete-snapshot", FIRST, "failed")
    page = as_ana.get(url(saved, "machine")).content.decode()
    assert page.count("my-save-point (the older one)</strong>") == 1
    building_a.pve.tasks.wrappers.clear()
    steps = [("delete-snapshot", FIRST), ("snapshot", FIRST), ("delete-snapshot", SECOND)]
    assert replaced(as_ana, saved, building_a) == [(*step, "done") for step in steps]
    assert there(building_a) == {FIRST}


def test_a_worker_that_dies_between_leaves_both_to_the_next_one(as_ana: Client, saved: VirtualMachine, building_a: Lab):
    as_ana.post(url(saved, "save-point"), SURE)
    run_operations()  # sent; the worker dies before it looks
    Operation.objects.update(leased_until=None)
    assert building_a.pve.count("POST", "/snapshot$") == 2
    finish(building_a)
    assert (building_a.pve.count("POST", "/snapshot$"), building_a.pve.count("DELETE", "/snapshot/")) == (2, 1)
    assert there(building_a) == {SECOND}


def test_a_deletion_that_is_refused_meanwhile_is_told(as_ana: Client, saved: VirtualMachine, building_a: Lab):
    as_ana.post(url(saved, "save-point"), SURE)
    run_operations()
    saved.assignments.end()
    finish(building_a)
    last = Operation.objects.latest("requested_at")
    assert (last.action, last.state) == ("delete-snapshot", "cancelled")
    assert "have access" in last.outcome
    assert there(building_a) == {FIRST, SECOND}


def test_people_read_one_name_and_may_change_both(as_ana: Client, hers: VirtualMachine):
    save(hers, SECOND)
    page = as_ana.get(url(hers, "machine")).content.decode()
    assert "<strong>my-save-point</strong>" in page
    as_ana.post(url(hers, "delete-snapshot", SECOND), SURE)
    assert asked() == [("delete-snapshot", SECOND)]


# Going back


def test_going_back_states_the_loss_and_asks_for_a_tick(as_ana: Client, hers: VirtualMachine):
    save(hers, "base")
    page = as_ana.get(url(hers, "revert", "base")).content.decode()
    assert "are lost for good" in page
    assert Page(page).all("input", type="checkbox", name="sure")
    assert (as_ana.post(url(hers, "revert", "base")).status_code, asked()) == (400, [])


def test_with_the_tick_it_is_asked_for(as_ana: Client, hers: VirtualMachine):
    save(hers, "base")
    assert as_ana.post(url(hers, "revert", "base"), SURE).url == url(hers, "machine")
    assert asked() == [("rollback", "base")]


@pytest.mark.parametrize("name", ["revert", "delete-snapshot"])
def test_a_snapshot_that_is_not_there_is_not_found(as_ana: Client, hers: VirtualMachine, building_a: Lab, name: str):
    save(building_a.machine(102), "other")
    assert as_ana.post(url(hers, name, "other"), SURE).status_code == 404


def test_what_cannot_be_done_now_is_explained(as_ana: Client, hers: VirtualMachine):
    save(hers, "base")
    ClusterHealth.failed("building-a", "down")
    for method in (as_ana.get, as_ana.post):
        answer = method(url(hers, "revert", "base"))
        assert (answer.status_code, b"is not responding" in answer.content, b'name="sure"' in answer.content) == (
            409, True, False,
        )  # fmt: skip


# Deleting and others


def test_a_student_deletes_his_own_save_point(as_ana: Client, hers: VirtualMachine):
    save(hers, "my-save-point")
    as_ana.post(url(hers, "delete-snapshot", "my-save-point"), SURE)
    assert asked() == [("delete-snapshot", "my-save-point")]


def test_a_student_deletes_no_other_snapshot(as_ana: Client, hers: VirtualMachine):
    save(hers, "base")
    answer = as_ana.post(url(hers, "delete-snapshot", "base"), SURE, follow=True)
    assert "Ask your teacher about other snapshots." in answer.content.decode()
    assert asked() == []
    assert url(hers, "delete-snapshot", "base") not in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_student_saves_no_other_snapshot(as_ana: Client, hers: VirtualMachine, method: str):
    answer = getattr(as_ana, method)(url(hers, "snapshot"), {"name": "base"})
    assert (answer.status_code, asked()) == (404, [])


@pytest.mark.parametrize("who", ["manager", "lab_admin", "admin"])
def test_who_keeps_the_machine_saves_and_deletes_any(
    client: Client, hers: VirtualMachine, request: pytest.FixtureRequest, who: str
):
    client.force_login(request.getfixturevalue(who))
    client.post(url(hers, "snapshot"), {"name": "base", "description": "Before the exam"})
    assert list(Operation.objects.values_list("snapshot", "description")) == [("base", "Before the exam")]
    Operation.objects.all().delete()
    save(hers, "base")
    client.post(url(hers, "delete-snapshot", "base"), SURE)
    assert asked() == [("delete-snapshot", "base")]


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "required"), ("1a", "beginning with a letter"), ("current", "reserved"), ("base", "already exists")],
)
def test_a_name_that_cannot_be_is_explained(client: Client, hers: VirtualMachine, manager: User, name: str, words: str):
    save(hers, "base")
    client.force_login(manager)
    answer = client.post(url(hers, "snapshot"), {"name": name})
    assert (answer.status_code, words in answer.content.decode(), asked()) == (400, True, [])


def test_an_auditor_finds_none_of_it(client: Client, hers: VirtualMachine, auditor: User):
    save(hers, "base")
    client.force_login(auditor)
    addresses = [url(hers, "save-point"), url(hers, "snapshot"), url(hers, "revert", "base")]
    assert [client.post(address, SURE).status_code for address in addresses] == [404] * 3


@pytest.mark.parametrize("words", HOSTILE)
def test_a_description_makes_no_element_on_the_page_that_asks(as_ana: Client, hers: VirtualMachine, words: str):
    save(hers, "base")
    Snapshot.objects.update(description="plain")
    tags = lambda: [tag for tag, _ in Page(as_ana.get(url(hers, "revert", "base")).content.decode()).elements]  # noqa: E731
    before = tags()
    Snapshot.objects.update(description=words)
    assert tags() == before


def test_it_takes_a_token_of_the_form(hers: VirtualMachine, ana: User):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ana)
    save(hers, "base")
    assert [strict.post(url(hers, *path), SURE).status_code for path in (["save-point"], ["revert", "base"])] == [
        403
    ] * 2
