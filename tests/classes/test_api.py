"""What a teacher's program does with a class: people, machines, invites, lessons, hours, and Ansible's inventory."""

import uuid
from datetime import date
from typing import Any

import pytest

from accounts.models import User
from classes.enrolment import membership
from classes.models import Invite, LabClass, Lesson, Membership, RunningRules
from tests.api_client import Api, fields
from tests.classes.conftest import lab_class
from tests.labs import Lab
from vms.models import Assignment, MachineSet, VirtualMachine

pytestmark = pytest.mark.django_db

MONDAY = {
    "first_day": "2199-01-07",
    "last_day": "2199-01-21",
    "begins": "09:00",
    "ends": "10:30",
    "weekdays": ["monday"],
}


@pytest.fixture
def api(tess: User) -> Api:
    return Api(tess)


@pytest.fixture
def place(networks: LabClass) -> str:
    return f"classes/{networks.pk}"


def test_a_plan_of_people_writes_nothing_until_it_is_applied_as_it_was_shown(
    api: Api, place: str, networks: LabClass, ana: User, ben: User
):
    body = {"usernames": ["ana", "nobody"], "at_once": True}
    shown = api.post(f"{place}/people", body | {"dry_run": True})
    assert (shown.status_code, shown.json()["is_applied"]) == (200, False)
    assert [row["outcome"] for row in shown.json()["rows"]] == ["created", "refused"]
    assert not Membership.objects.exists()
    membership.add_people(networks, [ben], at_once=True)  # and has the machine that ana was promised
    stale = api.post(f"{place}/people", body | {"expected": shown.json()["digest"]})
    assert (stale.status_code, fields(stale)) == (409, ["body.expected"])
    done = api.post(f"{place}/people", body)
    assert (done.status_code, done.json()["is_applied"]) == (201, True)
    assert sorted(one["username"] for one in api.items(f"{place}/people")) == ["ana", "ben"]


def test_a_table_goes_in_and_comes_out(api: Api, place: str, ana: User, ben: User):
    assert api.post(f"{place}/people", {"csv": "username;note\nana;x\nben;y\n"}).status_code == 201
    table = api.get(f"{place}/people.csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    text = b"".join(table.streaming_content) if table.streaming else table.content
    assert all(name in text for name in (b"ana", b"ben"))
    both = api.post(f"{place}/people", {"csv": "ana", "usernames": ["ben"]})
    assert (both.status_code, fields(both)) == (422, ["body.usernames"])


def test_a_repeated_write_adds_nobody_twice(api: Api, place: str, ana: User):
    key = {"Idempotency_Key": str(uuid.uuid4())}
    first = api.post(f"{place}/people", {"usernames": ["ana"]}, **key)
    again = api.post(f"{place}/people", {"usernames": ["ana"]}, **key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert Membership.objects.count() == 1


def test_machines_are_assigned_and_taken_back(api: Api, place: str, networks: LabClass, ana: User, ben: User):
    membership.add_people(networks, [ana], at_once=True)
    mine, free = sorted(api.items(f"{place}/machines"), key=lambda one: one["assignee"] is None)
    assert (mine["assignee"], free["assignee"]) == ("ana", None)
    stranger = api.post(f"{place}/assignments", {"machine": free["machine"], "username": "ben"})
    assert (stranger.status_code, fields(stranger)) == (422, ["body.username"])
    held = api.post(f"{place}/assignments", {"machine": mine["machine"], "username": "ana"})
    assert (held.status_code, fields(held)) == (409, ["body.machine"])
    back = f"{place}/machines/{mine['machine']}/assignment"
    assert api.delete(back).status_code == 422  # nobody said what becomes of it
    assert api.delete(f"{back}?way=as-it-is").status_code == 204
    assert not Assignment.objects.live().exists()
    given = api.post(f"{place}/assignments", {"machine": free["machine"], "username": "ana"})
    assert (given.status_code, given.json()["assignee"]) == (201, "ana")
    assert api.delete(f"{place}/machines/{mine['machine']}/assignment?way=as-it-is").status_code == 409


def test_save_points_go_only_when_they_were_named(api: Api, place: str, networks: LabClass, ana: User):
    membership.add_people(networks, [ana], at_once=True)
    held = Assignment.objects.live().get()
    held.vm.snapshots.create(name="my-save-point", description="", taken_at=held.assigned_at)
    member = api.items(f"{place}/people")[0]["id"]
    remove = f"{place}/people/{member}?way=as-it-is"
    refused = api.delete(remove)
    assert (refused.status_code, fields(refused)) == (409, ["query.expected"])
    assert "my-save-point" in refused.json()["detail"]
    assert api.delete(f"{remove}&expected={'0' * 64}").status_code == 409
    assert Membership.objects.live().exists()
    digest = refused.json()["detail"].rsplit("=", 1)[1].rstrip(".")
    assert api.delete(f"{remove}&expected={digest}").status_code == 204
    assert not Membership.objects.live().exists()


def test_an_invite_tells_its_link_once(api: Api, place: str):
    key = {"Idempotency_Key": "invite-1"}
    made = api.post(f"{place}/invites", {"max_uses": 5}, **key)
    assert made.status_code == 201
    token = made.json()["link"].rstrip("/").rsplit("/", 1)[1]
    assert Invite.objects.by_token(token) is not None
    again = api.post(f"{place}/invites", {"max_uses": 5}, **key).json()
    assert (again["id"], again["link"], again["code"]) == (made.json()["id"], None, None)
    [listed] = api.items(f"{place}/invites")
    assert (listed["is_usable"], token in str(listed)) == (True, False)
    assert api.delete(f"{place}/invites/{listed['id']}").status_code == 204
    assert not api.items(f"{place}/invites")[0]["is_usable"]
    past = api.post(f"{place}/invites", {"max_uses": 5, "expires_at": "2020-01-01T00:00:00"})
    assert (past.status_code, fields(past)) == (422, ["body.expires_at"])


def test_lessons_are_planned_added_changed_and_left_out(api: Api, place: str, networks: LabClass):
    shown = api.post(f"{place}/lessons", MONDAY | {"dry_run": True}).json()
    assert (len(shown["rows"]), Lesson.objects.count()) == (3, 0)
    assert api.post(f"{place}/lessons", MONDAY | {"expected": shown["digest"]}).status_code == 201
    [lesson] = api.items(f"{place}/lessons")
    assert {name: lesson[name] for name in MONDAY} == MONDAY
    one = f"{place}/lessons/{lesson['id']}"
    assert api.delete(f"{one}/days/2199-01-08").status_code == 404  # a Tuesday
    assert api.delete(f"{one}/days/2199-01-14").status_code == 204
    assert days(api, place) == ["2199-01-07", "2199-01-21"]
    moved = {"new_day": "2199-01-23", "begins": "11:00", "ends": "12:00"}
    assert api.call("PUT", f"{one}/days/2199-01-21", moved).status_code == 201
    assert api.post(f"{one}/days/2199-01-14/restore").status_code == 204
    assert days(api, place) == ["2199-01-07", "2199-01-14", "2199-01-23"]
    assert days(api, place, "?first_day=2199-01-10&last_day=2199-01-20") == ["2199-01-14"]
    assert api.call("PUT", one, MONDAY | {"ends": "11:00"}).status_code == 201
    assert Lesson.objects.get().ends.hour == 11
    assert api.delete(one).status_code == 204
    assert not api.items(f"{place}/lessons")


def days(api: Api, place: str, span: str = "") -> list[str]:
    return [one["day"] for one in api.items(f"{place}/occurrences{span}")]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"last_day": None}, "body.last_day"),
        ({"begins": "9 o'clock"}, "body.begins"),
        ({"begins": "09:00:30"}, "body.begins"),
        ({"first_day": "0001-01-01"}, "body.first_day"),
        ({"weekdays": ["someday"]}, "body.weekdays.0"),
        ({"note": "a\x00b"}, "body.note"),
    ],
)
def test_a_lesson_that_cannot_be_names_the_field(api: Api, place: str, wrong: dict[str, Any], field: str):
    answer = api.post(f"{place}/lessons", MONDAY | wrong)
    assert (answer.status_code, fields(answer)) == (422, [field])


def test_hours_are_told_and_given(api: Api, place: str, networks: LabClass, ana: User):
    membership.add_people(networks, [ana], at_once=True)
    assert api.items(f"{place}/hours")[0]["left"] is None
    RunningRules.objects.create(lab_class=networks, hours=10)
    assert api.items(f"{place}/hours")[0]["left"] == 600
    given = api.post(f"{place}/hours/extra", {"username": "ana", "hours": 2})
    assert (given.status_code, given.json()["left"]) == (201, 720)
    nobody = api.post(f"{place}/hours/extra", {"username": "ben", "hours": 2})
    assert (nobody.status_code, fields(nobody)) == (422, ["body.username"])


def test_another_class_is_not_there(theo: User, place: str, networks: LabClass, building_a: Lab):
    other = Api(theo)
    assert {other.get(f"{place}{end}").status_code for end in ("", "/people", "/machines", "/invites", "/hours")} == {
        404
    }
    assert other.get(f"inventory?class={networks.pk}").status_code == 404


def test_a_token_of_one_class_leaves_the_others_alone(tess: User, networks: LabClass, building_a: Lab, ana: User):
    second = lab_class(tess, building_a, name="Web")
    api = Api(tess, scope="class", scope_pk=second.pk, scope_name="Web")
    assert api.get(f"classes/{networks.pk}/people").status_code == 404
    assert api.post(f"classes/{networks.pk}/people", {"usernames": ["ana"]}).status_code == 404
    assert api.post(f"classes/{second.pk}/people", {"usernames": ["ana"]}).status_code == 201


def test_a_class_that_is_over_gets_no_invite_and_no_machine(api: Api, place: str, networks: LabClass):
    LabClass.objects.update(ends_on=date(2020, 1, 1))
    assert api.post(f"{place}/invites", {"max_uses": 5}).status_code == 409
    refused = api.get(f"{place}/machine-plan?template=1&spare=1")
    assert (refused.status_code, fields(refused)) == (422, ["query.template"])


# Ansible's inventory


def test_the_inventory_has_groups_and_the_way_to_each_host(api: Api, networks: LabClass, tess: User, ana: User):
    membership.add_people(networks, [ana], at_once=True)
    mine = Assignment.objects.live().get().vm
    told = {"status": "running", "addresses": ["192.0.2.7"], "tags": "lab;Web-1"}
    VirtualMachine.objects.filter(pk=mine.pk).update(guest_login="student", **told)
    team = MachineSet.objects.create(name="Team 1")
    team.machines.add(mine)
    team.stewards.add(tess)
    found = api.get(f"inventory?class={networks.pk}").json()
    host = mine.name
    for group in ("class_Networks_101", "cluster_building_a", "state_running", "team_Team_1", "tag_lab", "tag_Web_1"):
        assert host in found[group]["hosts"], group
    facts = found["_meta"]["hostvars"][host]
    assert (facts["ansible_host"], facts["ansible_port"], facts["ansible_user"]) == ("192.0.2.7", 22, "student")
    assert (facts["labportal_id"], facts["labportal_assignee"]) == (mine.pk, "ana")
    assert len(found["_meta"]["hostvars"]) == 2


def test_two_machines_of_one_name_are_two_hosts(api: Api, networks: LabClass, building_a: Lab):
    VirtualMachine.objects.update(name="web")
    assert set(api.get("inventory").json()["_meta"]["hostvars"]) == {"web.building-a.101", "web.building-a.102"}


def test_a_login_that_is_no_name_is_no_user(api: Api, networks: LabClass):
    VirtualMachine.objects.update(guest_login="user: student, password: on the board")
    assert not [one for one in api.get("inventory").json()["_meta"]["hostvars"].values() if "ansible_user" in one]


def test_who_keeps_a_machine_of_a_class_is_told_no_class_and_no_team(networks: LabClass, ana: User, tess: User):
    membership.add_people(networks, [ana], at_once=True)
    mine = Assignment.objects.live().get().vm
    team = MachineSet.objects.create(name="Secret team")
    team.machines.add(mine)
    membership.remove(Membership.objects.get(), way=membership.KEEP, by=tess)
    found = Api(ana).get("inventory").json()
    assert list(found["_meta"]["hostvars"]) == [mine.name]
    assert not [group for group in found if group.startswith(("class_", "team_"))]
