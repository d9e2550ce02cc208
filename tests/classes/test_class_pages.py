"""My classes, the page of one, making, changing and ending it, co-owners and invites."""

from datetime import date
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client

from accounts.models import User
from classes import lifecycle
from classes.enrolment import joining, waiting_list
from classes.models import Invite, LabClass
from tests.classes.conftest import grant, invite, lab_class, logged_in
from tests.labs import Lab
from vms import preparation
from vms.models import Assignment, MachineSet

pytestmark = pytest.mark.django_db

NEW = {
    "name": "Databases", "description": "SQL", "lesson": "Begin.", "links": "https://school.example/wiki Our wiki",
    "freed_machines": "revert",
}  # fmt: skip


def nav(person: User) -> bool:
    return 'href="/classes/"' in logged_in(person).get("/accounts/profile/").content.decode()


def test_the_entry_is_for_whom_it_concerns(networks: LabClass, tess: User, theo: User, ana: User, ben: User):
    joining.join(invite(networks)[0], ana)
    assert [nav(person) for person in (tess, theo, ana, ben)] == [True, True, True, False]


def test_a_teacher_makes_a_class(tess: User, building_a: Lab):
    own, client = grant(tess, building_a, "net"), logged_in(tess)
    answer = client.post("/classes/new/", {**NEW, "grants": [own.pk]})
    made = LabClass.objects.get()
    assert answer["Location"] == f"/classes/{made.pk}/machines/"
    assert (made.owner, made.machine_set.is_managed, list(made.machine_set.stewards.all())) == (tess, True, [tess])
    assert [given.pool for given in made.machine_set.cluster_grants.all()] == ["net"]


@pytest.mark.parametrize("whose", ["nobody", "theo"])
def test_a_class_is_made_only_where_one_has_a_grant(tess: User, theo: User, building_a: Lab, whose: str):
    foreign = grant(theo, building_a)
    data = {**NEW, "grants": [foreign.pk] if whose == "theo" else []}
    assert logged_in(tess).post("/classes/new/", data).status_code == 400
    assert not LabClass.objects.exists()


def test_without_any_grant_the_page_says_whom_to_ask(tess: User):
    assert "Ask an administrator for a grant" in logged_in(tess).get("/classes/new/").content.decode()


WRONG: list[dict[str, Any]] = [
    {"name": ""},
    {"links": "javascript:alert(1) click"},
    {"links": "https://ok.example\nftp://no.example"},
    {"starts_on": "2026-05-02", "ends_on": "2026-05-01"},
    {"time_zone": "Mars/Base"},
    {"baseline": "../etc"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_input_is_named_and_loses_nothing(networks: LabClass, tess: User, wrong: dict[str, Any]):
    data = {**NEW, "name": "New name", "lesson": "A long lesson", **wrong}
    answer = logged_in(tess).post(f"/classes/{networks.pk}/settings/", data)
    assert answer.status_code == 400
    assert "A long lesson" in answer.content.decode()
    networks.refresh_from_db()
    assert (networks.name, networks.lesson) == ("Networks 101", "")


def test_settings_are_saved_and_the_set_is_called_alike(networks: LabClass, tess: User):
    days = {"starts_on": "2026-05-01", "ends_on": "2026-06-30", "time_zone": "Europe/Madrid"}
    data = {"name": "Networks 102", "freed_machines": "shut-down", **days}
    logged_in(tess).post(f"/classes/{networks.pk}/settings/", data)
    networks.refresh_from_db()
    assert (networks.name, networks.ends_on) == ("Networks 102", date(2026, 6, 30))
    assert networks.freed_machines == "shut-down"
    assert MachineSet.objects.get().name.startswith("Networks 102 · ")


def test_the_page_shows_lesson_links_teachers_and_the_own_machine(networks: LabClass, building_a: Lab, ana: User):
    LabClass.objects.update(lesson="<b>Read</b> this", links="https://school.example/wiki Our wiki")
    joining.join(invite(networks)[0], ana)
    joining.join(invite(networks)[0], User.objects.create_user("eve"))
    page = logged_in(ana).get(f"/classes/{networks.pk}/").content.decode()
    for text in (
        "&lt;b&gt;Read",
        "https://school.example/wiki",
        "Our wiki",
        "tess",
        f"machine-{building_a.machine(101).pk}",
    ):
        assert text in page
    assert f"machine-{building_a.machine(102).pk}" not in page
    assert "Settings" not in page


def test_who_waits_reads_it_on_the_page(networks: LabClass, ana: User):
    Assignment.objects.all().delete()
    networks.class_machines.all().update(is_kept_back=True)
    joining.join(invite(networks)[0], ana)
    assert "You are next in line for a machine." in logged_in(ana).get(f"/classes/{networks.pk}/").content.decode()


def test_who_is_third_in_line_reads_how_many_are_ahead(networks: LabClass, ana: User, ben: User, theo: User):
    Assignment.objects.all().delete()
    networks.class_machines.all().update(is_kept_back=True)
    for person in (ben, theo, ana):
        joining.join(invite(networks)[0], person)
    assert "2 people are ahead of you." in logged_in(ana).get(f"/classes/{networks.pk}/").content.decode()


def test_a_student_of_a_class_that_has_ended_reads_so(networks: LabClass, ana: User):
    joining.join(invite(networks)[0], ana)
    assert "This class has ended" not in logged_in(ana).get(f"/classes/{networks.pk}/").content.decode()
    lifecycle.end(networks, way="as-it-is", by=networks.owner)
    assert "This class has ended" in logged_in(ana).get(f"/classes/{networks.pk}/").content.decode()


def test_a_co_owner_is_added_removed_and_made_owner(networks: LabClass, tess: User, theo: User):
    client, where = logged_in(tess), f"/classes/{networks.pk}/co-owners/"
    shown = client.post(where, {"username": "THEO"}).context["shown"]
    assert set(networks.machine_set.stewards.all()) == {tess}
    client.post(where, {"shown": shown})
    assert set(networks.machine_set.stewards.all()) == {tess, theo}
    assert client.get(f"{where}{theo.pk}/transfer/").status_code == 200
    client.post(f"{where}{theo.pk}/transfer/")
    networks.refresh_from_db()
    assert (networks.owner, list(networks.co_owners.all())) == (theo, [tess])
    assert client.post(f"{where}{theo.pk}/remove/").status_code == 403
    logged_in(theo).post(f"{where}{tess.pk}/remove/")
    assert list(networks.machine_set.stewards.all()) == [theo]


def test_an_unknown_co_owner_is_named(networks: LabClass, tess: User):
    answer = logged_in(tess).post(f"/classes/{networks.pk}/co-owners/", {"username": "nobody"})
    assert (answer.status_code, "No account with this user name" in answer.content.decode()) == (400, True)


def test_an_invite_is_shown_once(networks: LabClass, tess: User, ana: User):
    client, where = logged_in(tess), f"/classes/{networks.pk}/invite/"
    data = {"expires_at": "2027-01-31T12:00", "max_uses": 5}
    assert client.post(where, data)["Location"] == where
    made = client.get(where).context["made"]
    assert made["link"] not in client.get(where).content.decode()
    assert logged_in(ana).post(made["link"].removeprefix("http://testserver")).status_code == 302
    client.post(f"{where}{Invite.objects.get().pk}/revoke/")
    assert Invite.objects.get().revoked_at
    assert not LogEntry.objects.filter(changes__icontains=made["link"][-22:]).exists()


def test_a_class_that_is_deleted_leaves_its_machines(networks: LabClass, tess: User, ana: User):
    joining.join(invite(networks)[0], ana)
    logged_in(tess).post(f"/classes/{networks.pk}/delete/", {"way": "as-it-is"})
    assert not MachineSet.objects.exists()
    assert not Assignment.objects.live().exists()
    assert Assignment.objects.exists()


POSTS = ["machines/adopt/", "machines/unassign/", "end/", "reopen/",
         "machines/assign/", "machines/share/", "people/add/", "invite/", "co-owners/", "settings/",
         "settings/places/", "delete/"]  # fmt: skip


@pytest.mark.parametrize("end", POSTS)
def test_every_form_needs_the_csrf_token(networks: LabClass, tess: User, end: str):
    client = Client(enforce_csrf_checks=True)
    client.force_login(tess)
    assert client.post(f"/classes/{networks.pk}/{end}").status_code == 403


@pytest.mark.parametrize("end", ["machines/adopt/", "machines/assign/", "settings/places/", "reopen/"])
def test_looking_changes_nothing(networks: LabClass, tess: User, end: str):
    assert logged_in(tess).get(f"/classes/{networks.pk}/{end}").status_code == 405


@pytest.mark.parametrize("end", ["", "new/", "1/", "1/people/"])
def test_who_is_logged_out_logs_in_first(end: str):
    assert Client().get(f"/classes/{end}")["Location"] == f"/accounts/login/?next=/classes/{end}"


def test_an_administrator_makes_and_changes_classes_in_the_admin(lab_admin: User, tess: User, theo: User):
    client = logged_in(lab_admin)
    inlines = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0, "freed_machines": "revert"}
    wanted = {"name": "Made", "owner": tess.pk, "co_owners": [theo.pk], **inlines}
    client.post("/admin/classes/labclass/add/", wanted | {"confirmed": [tess.pk, theo.pk]})
    made = LabClass.objects.get()
    assert set(made.machine_set.stewards.all()) == {tess, theo}
    where = f"/admin/classes/labclass/{made.pk}/change/"
    assert client.get(where).status_code == 200
    confirmed = {"confirmed": [theo.pk]}
    client.post(
        where, {"name": "Made", "owner": theo.pk, **confirmed, "old_link": "https://x.example/join/made-201", **inlines}
    )
    assert list(made.machine_set.stewards.all()) == [theo]
    assert Invite.objects.by_token("made-201").restricted_to_roster
    client.post(where.replace("change", "delete"), {"post": "yes"})
    assert not MachineSet.objects.exists()


def test_an_auditor_only_looks(networks: LabClass, auditor: User):
    client, where = logged_in(auditor), f"/admin/classes/labclass/{networks.pk}/change/"
    assert client.get(where).status_code == 200
    assert client.post(where, {"name": "x"}).status_code == 403
    assert client.get(f"/classes/{networks.pk}/people/").status_code == 404


def test_the_sweep_finds_what_an_administrator_freed(networks: LabClass, building_a: Lab, ana: User, ben: User):
    for vmid in (101, 102):
        building_a.assign(vmid, ben)
    assert joining.join(invite(networks)[0], ana).waits
    preparation.free(Assignment.objects.filter(vm__vmid=102), way="as-it-is", by=ben)
    assert (waiting_list.reconcile(), waiting_list.reconcile()) == (1, 0)
    assert Assignment.objects.live().get(user=ana).vm == building_a.machine(102)


def test_two_classes_are_told_apart(tess: User, ana: User, building_a: Lab):
    first, second = lab_class(tess, building_a, 101), lab_class(tess, building_a, 102, name="Other")
    for made in (first, second):
        joining.join(invite(made)[0], ana)
    page = logged_in(ana).get(f"/classes/{second.pk}/").content.decode()
    assert f"machine-{building_a.machine(102).pk}" in page
    assert f"machine-{building_a.machine(101).pk}" not in page


def test_links_in_the_lesson_are_links_and_nothing_else_is(networks: LabClass, tess: User):
    LabClass.objects.update(lesson="See https://wiki.school.example/net <b>now</b>")
    page = logged_in(tess).get(f"/classes/{networks.pk}/").content.decode()
    assert '<a href="https://wiki.school.example/net" rel="nofollow">' in page
    assert "&lt;b&gt;now" in page


def test_time_zones_are_chosen_and_an_old_alias_is_kept(networks: LabClass, tess: User):
    url = f"/classes/{networks.pk}/settings/"
    zones = dict(logged_in(tess).get(url).context["form"].fields["time_zone"].choices)
    assert ("Europe/Madrid" in zones, "US/Eastern" in zones, "Etc/GMT+1" in zones) == (True, False, False)
    LabClass.objects.update(time_zone="US/Eastern")
    assert 'value="US/Eastern" selected' in logged_in(tess).get(url).content.decode()
