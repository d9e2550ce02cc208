"""A new invite: made by a request that redirects, shown once, and by no class that has ended."""

import re
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.utils import timezone
from django.views.debug import ExceptionReporter

from accounts.models import User
from classes import co_owners, lifecycle
from classes.enrolment import invites, membership
from classes.models import Invite, LabClass
from classes.models.invites import token_hash
from classes.pages.invites import COOKIE
from tests.admin_pages import said
from tests.classes.conftest import lab_class, logged_in, teacher
from tests.labs import Lab

pytestmark = pytest.mark.django_db

DATA = {"expires_at": "2099-01-31T12:00", "max_uses": 5}


@pytest.fixture
def invite_url(networks: LabClass) -> str:
    return f"/classes/{networks.pk}/invite/"


@pytest.fixture
def client(tess: User) -> Client:
    return logged_in(tess)


def test_reloading_the_page_neither_revokes_it_nor_makes_another(client: Client, invite_url: str, ana: User):
    assert client.post(invite_url, DATA)["Location"] == invite_url
    page = client.get(invite_url)
    link = page.context["made"]["link"]
    assert [client.get(invite_url).context["made"] for _ in range(2)] == [None, None]
    assert Invite.objects.get().revoked_at is None
    assert "no-store" in page["Cache-Control"]
    assert logged_in(ana).post(link.removeprefix("http://testserver")).status_code == 302


def test_the_code_is_shown_large_with_the_full_address(client: Client, invite_url: str):
    page = client.post(invite_url, DATA, follow=True).content.decode()
    poster = page.partition('class="poster"')[2].partition("</div>")[0]
    assert "http://testserver/join/" in poster
    assert re.search(r"<code>[A-Z0-9]{5}-[A-Z0-9]{5}</code>", poster)


def test_it_is_proposed_for_everyone_on_the_list(client: Client, invite_url: str, networks: LabClass, ana: User):
    """The class has two machines."""
    proposed = client.get(invite_url).context["form"].initial
    assert (proposed["max_uses"], proposed["restricted_to_roster"]) == (2, False)
    membership.add_people(networks, [ana, teacher("cora"), teacher("carl")], at_once=False)
    proposed = client.get(invite_url).context["form"].initial
    assert (proposed["max_uses"], proposed["restricted_to_roster"]) == (3, True)


def test_the_cookie_is_for_that_page_alone(client: Client, invite_url: str):
    cookie = client.post(invite_url, DATA).cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (
        True,
        "Strict",
        invite_url,
        120,
    )
    assert client.get(invite_url).cookies[COOKIE]["max-age"] == 0


def test_nobody_else_and_no_other_class_shows_it(client: Client, invite_url: str, networks: LabClass, building_a: Lab):
    cora = teacher("cora")
    co_owners.add(networks, cora, by=networks.owner)
    other = lab_class(networks.owner, building_a, name="Databases")
    carried = client.post(invite_url, DATA).cookies[COOKIE].value
    hers = logged_in(cora)
    hers.cookies[COOKIE] = carried
    assert hers.get(invite_url).context["made"] is None
    client.cookies[COOKIE] = carried
    assert client.get(f"/classes/{other.pk}/invite/").context["made"] is None
    client.cookies[COOKIE] = carried[:-2]
    assert client.get(invite_url).context["made"] is None
    client.cookies[COOKIE] = carried
    assert client.get(invite_url).context["made"]


def test_what_was_revoked_meanwhile_is_not_shown(client: Client, invite_url: str):
    client.post(invite_url, DATA)
    client.post(f"{invite_url}{Invite.objects.get().pk}/revoke/")
    assert client.get(invite_url).context["made"] is None


@pytest.mark.parametrize("how", ["ended", "over"])
def test_a_class_that_has_ended_makes_none_and_says_so(client: Client, invite_url: str, networks: LabClass, how: str):
    client.post(invite_url, DATA)
    if how == "ended":
        lifecycle.end(networks, way="as-it-is", by=networks.owner)
        assert Invite.objects.get().revoked_at
    else:
        LabClass.objects.update(ends_on=timezone.localdate() - timedelta(days=2))
    assert "Create invite" not in client.get(invite_url).content.decode()
    assert "Reopen it to create invites." in said(client.post(invite_url, DATA))
    assert Invite.objects.count() == 1
    client.post(f"/classes/{networks.pk}/reopen/")
    client.post(invite_url, DATA)
    assert Invite.objects.count() == 2


def test_no_report_of_an_error_tells_the_token(networks: LabClass, tess: User, monkeypatch: pytest.MonkeyPatch):
    def told(make: Callable[[], object]) -> str:
        try:
            make()
        except ZeroDivisionError:
            frames = ExceptionReporter(None, *sys.exc_info()).get_traceback_frames()
            return str([frame["vars"] for frame in frames if frame["filename"] == invites.__file__])
        raise AssertionError

    drawn: list[str] = []

    def fail(invite: Invite, *_: object, **__: object) -> None:
        drawn.append(invite.token_hash)
        raise ZeroDivisionError

    monkeypatch.setattr(Invite, "draw", lambda _: ("the-token", "the-code"))
    monkeypatch.setattr(Invite, "save", fail)
    invite = Invite(expires_at=timezone.now() + timedelta(days=1), max_uses=5)
    report = told(lambda: invites.create(networks, invite, by=tess))
    report += told(lambda: invites.accept_legacy_link(networks, "the-token", by=tess))
    assert len(drawn) == 2
    assert "lab_class" in report
    assert "the-token" not in report
    assert "the-code" not in report


def test_an_old_link_is_for_the_list_and_no_new_invite_ends_it(networks: LabClass, tess: User):
    now = timezone.now()
    old = invites.accept_legacy_link(networks, "guessable", by=tess)
    assert (old.lab_class, old.created_by, old.max_uses) == (networks, tess, 5000)
    assert old.restricted_to_roster
    assert now <= old.expires_at - timedelta(days=180) <= timezone.now()
    invites.create(networks, Invite(expires_at=now + timedelta(days=1), max_uses=5), by=tess)
    old.refresh_from_db()
    assert old.revoked_at is None


def test_a_new_invite_ends_those_before_it_and_of_no_other_class(
    networks: LabClass, theo: User, tess: User, building_a: Lab
):
    def renew(invite_url: LabClass) -> Invite:
        invite = Invite(expires_at=timezone.now() + timedelta(days=1), max_uses=5)
        token, code = invites.create(invite_url, invite, by=tess)
        assert (invite.token_hash, invite.lab_class, invite.created_by) == (token_hash(token), invite_url, tess)
        assert code
        return invite

    elsewhere, first, second = renew(lab_class(theo, building_a, 103)), renew(networks), renew(networks)
    assert set(Invite.objects.filter(revoked_at=None)) == {elsewhere, second}
    said_of = LogEntry.objects.get_for_object(first).filter(
        changes__has_key="revoked_at", action=LogEntry.Action.UPDATE
    )
    assert said_of.count() == 1
    assert not invites.revoke(first)
    assert said_of.count() == 1
    assert invites.revoke(second)
