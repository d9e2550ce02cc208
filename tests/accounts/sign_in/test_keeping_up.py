"""The plan by which accounts keep up with a directory, and what is written of it. No server is asked."""

from dataclasses import replace
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import Directory, SignInIdentity, User
from accounts.sentences import say
from accounts.sign_in import health, keeping_up, session
from accounts.sign_in.facts import Closed, OutsidePerson
from accounts.sign_in.keeping_up import FEW, job
from accounts.sign_in.outages import SourceDown
from tests.accounts.sign_in.people import TEACHERS, directory, enter, gives, let_in, person, roles_of

pytestmark = pytest.mark.django_db

Listing = dict[str, OutsidePerson]


@pytest.fixture
def school() -> Directory:
    made = directory()
    let_in(made)
    gives(made, "Teacher", TEACHERS)
    return made


@pytest.fixture
def listed(school: Directory, monkeypatch: pytest.MonkeyPatch) -> Listing:
    """What the directory lists: cora teaches, and there are twelve pupils. All of them were here."""
    people = [person("cora", groups=[TEACHERS]), *(person(f"pupil{number}") for number in range(12))]
    for one in people:
        enter(school, one)
    known = {one.subject: one for one in people}
    monkeypatch.setattr(job, "everybody", lambda *of: known)
    return known


def reasons(school: Directory) -> dict[str, str]:
    plan = keeping_up.plan_from(school, job.everybody(school, None))
    return {row.username: str(row.reason) for row in plan.rows}


def logged_in(username: str, school: Directory) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username), backend=session.BACKEND)
    return client


def is_in(client: Client) -> bool:
    return client.get("/accounts/profile/").status_code == 200


def test_who_left_was_closed_came_back_or_changed_is_a_row_each(school: Directory, listed: Listing):
    assert reasons(school) == {}
    del listed["id-of-pupil1"]
    listed["id-of-pupil2"] = replace(listed["id-of-pupil2"], closed=Closed.DISABLED)
    listed["id-of-pupil3"] = replace(listed["id-of-pupil3"], last_name="Smith")
    listed["id-of-cora"] = replace(listed["id-of-cora"], groups=frozenset())
    listed["id-of-new"] = person("new")
    assert reasons(school) == {"pupil1": "left", "pupil2": "closed", "pupil3": "updated", "cora": "updated"}
    keeping_up.compare(school)
    assert reasons(school) == {}
    listed["id-of-pupil1"] = person("pupil1")
    listed["id-of-pupil2"] = person("pupil2")
    assert reasons(school) == {"pupil1": "returned", "pupil2": "returned"}
    keeping_up.compare(school)
    assert not SignInIdentity.objects.exclude(left_at=None, closed_reason="").exists()


def test_a_leaver_s_sessions_end_and_the_account_stays(school: Directory, listed: Listing):
    leaver, stays = logged_in("pupil1", school), logged_in("pupil2", school)
    assert is_in(leaver)
    del listed["id-of-pupil1"]
    keeping_up.compare(school)
    assert not is_in(leaver)
    assert is_in(stays)
    assert User.objects.get(username="pupil1").is_active
    assert LogEntry.objects.filter(content_type__model="signinidentity", changes__has_key="left_at").exists()


def test_a_role_goes_with_the_group(school: Directory, listed: Listing):
    cora = User.objects.get(username="cora")
    assert roles_of(cora) == {"Teacher"}
    listed["id-of-cora"] = replace(listed["id-of-cora"], groups=frozenset())
    keeping_up.compare(school)
    assert roles_of(cora) == set()


def test_who_left_has_no_role_from_there_and_gets_it_back(school: Directory, listed: Listing):
    """A password that was kept here still lets them in."""
    cora, there = User.objects.get(username="cora"), listed.pop("id-of-cora")
    keeping_up.compare(school)
    assert (roles_of(cora), reasons(school)) == (set(), {})
    listed["id-of-cora"] = there
    keeping_up.compare(school)
    assert (roles_of(cora), reasons(school)) == ({"Teacher"}, {})


def test_more_leavers_than_a_few_wait_for_a_person_and_everything_else_is_done(
    school: Directory, listed: Listing, admin: User, client: Client
):
    for number in range(FEW + 1):
        del listed[f"id-of-pupil{number}"]
    listed["id-of-cora"] = replace(listed["id-of-cora"], last_name="Diaz")
    assert keeping_up.compare(school).code == "sign-in-sync-held"
    assert not SignInIdentity.objects.exclude(left_at=None).exists()
    assert User.objects.get(username="cora").last_name == "Diaz"
    school.refresh_from_db()
    assert (school.sync_held, health.findings(timezone.now())[0].ok) == (FEW + 1, False)
    # An administrator says so, and exactly what was shown happens.
    client.force_login(admin, backend="accounts.lockout.RecheckingBackend")
    address = f"/admin/accounts/directory/{school.pk}/compare/"
    shown = client.post(address).context["shown"]
    listed["id-of-pupil0"] = person("pupil0")
    again = client.post(address, {"shown": shown})
    assert "Something changed after this preview" in again.content.decode()
    assert not SignInIdentity.objects.exclude(left_at=None).exists()
    assert client.post(address, {"shown": again.context["shown"]}).status_code == 302
    assert SignInIdentity.objects.exclude(left_at=None).count() == FEW
    school.refresh_from_db()
    assert school.sync_held == 0


def test_a_few_leavers_need_nobody(school: Directory, listed: Listing):
    for number in range(FEW):
        del listed[f"id-of-pupil{number}"]
    assert keeping_up.compare(school).code == "sign-in-sync-done"
    assert SignInIdentity.objects.exclude(left_at=None).count() == FEW


def test_a_failed_listing_changes_nothing_and_is_said(
    school: Directory, listed: Listing, monkeypatch: pytest.MonkeyPatch
):
    def fail(*of: Any) -> Any:
        raise SourceDown(school, say("sign-in-cut"))

    monkeypatch.setattr(job, "everybody", fail)
    assert keeping_up.compare(school).code == "sign-in-sync-failed"
    assert not SignInIdentity.objects.exclude(left_at=None).exists()
    school.refresh_from_db()
    assert "Nothing was compared" in school.sync_sentence


def test_while_no_directory_is_active_none_is_asked(school: Directory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job, "everybody", lambda *of: pytest.fail("asked"))
    Directory.objects.update(is_active=False)
    keeping_up.compare_all()
