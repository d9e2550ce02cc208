"""A person joins their own account with a provider, and proves both: the password here, and being signed in there."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from accounts.lockout import known_username
from accounts.models import Provider, SignInIdentity, SignInRule, User
from accounts.models.sources import Directory
from accounts.sign_in import directories, own_joining
from accounts.sign_in.facts import OutsidePerson
from tests.accounts.oidc.small_provider import SmallProvider
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

JOIN, PROFILE = "/accounts/sign-in/school/join/", "/accounts/profile/"


@pytest.fixture
def anas(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def onward(client: Client, *, password: str = PASSWORD, **form: str) -> str:
    """The link that the form answers with."""
    page = client.post(JOIN, {"password": password, **form})
    assert page.status_code == 200, page.content.decode()
    return str(page.context["onward"])


def come_back(client: Client, there: SmallProvider, link: str, **changes: str) -> Any:
    begun: Any = client.get(link)
    assert parse_qs(urlsplit(begun.url).query)["prompt"] == ["login"]
    parts = urlsplit(there.authorize(begun.url, **changes))
    return client.get(f"{parts.path}?{parts.query}")


def test_both_are_proved_and_the_account_is_the_same(anas: Client, ana: User, there: SmallProvider, school: Provider):
    Provider.objects.update(ask_again=False)
    assert b"Join with School account" in anas.get(PROFILE).content
    assert anas.get(JOIN).status_code == 200
    answer = come_back(anas, there, onward(anas))
    assert answer.headers["Location"] == PROFILE
    page = anas.get(PROFILE)
    assert b"You log in with School account as ana." in page.content
    ana.refresh_from_db()
    assert (SignInIdentity.objects.get().user, ana.has_usable_password()) == (ana, False)
    assert anas.get(JOIN).status_code == 404


def test_the_password_can_be_kept(anas: Client, ana: User, there: SmallProvider, school: Provider):
    come_back(anas, there, onward(anas, keep_password="on"))
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_other_sessions_end_with_the_password(anas: Client, ana: User, there: SmallProvider, school: Provider):
    other = Client()
    other.force_login(ana)
    come_back(anas, there, onward(anas))
    assert (anas.get(PROFILE).status_code, other.get(PROFILE).status_code) == (200, 302)


def test_a_wrong_password_joins_nothing_and_counts(anas: Client, school: Provider):
    seen = [anas.post(JOIN, {"password": "wrong"}).status_code for _ in range(5)]
    assert seen == [400, 400, 400, 400, 429]
    assert anas.post(JOIN, {"password": PASSWORD}).status_code in {400, 429}  # locked, as at the login


@pytest.mark.parametrize("thief", ["another", "anonymous"])
def test_the_link_is_the_persons_own(anas: Client, ben: User, there: SmallProvider, school: Provider, thief: str):
    link, other = onward(anas), Client()
    if thief == "another":
        other.force_login(ben)
    assert other.get(link).headers["Location"] == PROFILE
    assert anas.get(link).headers["Location"].startswith(there.issuer)


def test_the_link_ends_with_time_and_with_the_password(anas: Client, ana: User, school: Provider, monkeypatch: Any):
    link = onward(anas)
    with monkeypatch.context() as patch:
        patch.setattr(own_joining.signed, "MAX_AGE", -1)
        assert anas.get(link).headers["Location"] == PROFILE
    ana.set_password("another one")
    ana.save()
    anas.force_login(ana)
    assert anas.get(link).headers["Location"] == PROFILE


def test_whoever_logs_in_meanwhile_is_not_joined(anas: Client, ben: User, there: SmallProvider, school: Provider):
    begun: Any = anas.get(onward(anas))
    anas.force_login(ben)
    parts = urlsplit(there.authorize(begun.url))
    page = anas.get(f"{parts.path}?{parts.query}")
    assert (page.status_code, b"Somebody else logged in" in page.content) == (400, True)
    assert not SignInIdentity.objects.exists()


def test_somebody_elses_identity_is_not_taken(
    anas: Client, ana: User, ben: User, there: SmallProvider, school: Provider
):
    SignInIdentity.objects.create(user=ben, source=school, subject="248289")
    page = come_back(anas, there, onward(anas))
    assert (page.status_code, b"Not joined" in page.content) == (403, True)
    assert SignInIdentity.objects.get().user == ben
    ana.refresh_from_db()
    assert ana.has_usable_password()


def test_cancelled_leads_back_to_the_form_and_makes_no_account(anas: Client, there: SmallProvider, school: Provider):
    begun: Any = anas.get(onward(anas))
    state = parse_qs(urlsplit(begun.url).query)["state"][0]
    page = anas.get("/accounts/sign-in/school/callback/", {"error": "access_denied", "state": state})
    assert f'href="{JOIN}"'.encode() in page.content
    assert b'href="/accounts/sign-in/school/"' not in page.content


def test_the_roles_of_the_source_come_and_those_by_hand_stay(
    anas: Client, ana: User, there: SmallProvider, school: Provider
):
    teacher, auditor = Group.objects.get(name="Teacher"), Group.objects.get(name="Auditor")
    ana.groups.add(auditor)
    SignInRule.objects.create(source=school, on="group", value="staff", gives="role", role=teacher)
    there.said = {"groups": ["staff"]}
    come_back(anas, there, onward(anas))
    assert set(ana.groups.all()) == {teacher, auditor}


class TestDirectory:
    """Its password is typed into the same form."""

    @pytest.fixture(autouse=True)
    def school(self, monkeypatch: pytest.MonkeyPatch) -> Directory:
        made = Directory(name="school", label="School", is_active=True)
        made.save()
        SignInRule.objects.create(source=made, on="everyone", gives="entry")
        known = {("a.gomez", "right"): OutsidePerson("guid-1", "a.gomez", groups=frozenset())}
        monkeypatch.setattr(directories, "ask", lambda source, name, password: known.get((name, password)))
        return made

    def test_joins_at_once(self, anas: Client, ana: User):
        told = {"password": PASSWORD, "their_name": "a.gomez", "their_password": "right"}
        assert anas.post(JOIN, told).headers["Location"] == PROFILE
        assert SignInIdentity.objects.get().user == ana
        assert anas.get(PROFILE).status_code == 200

    def test_a_wrong_one_joins_nothing(self, anas: Client):
        told = {"password": PASSWORD, "their_name": "a.gomez", "their_password": "wrong"}
        page = anas.post(JOIN, told)
        assert (page.status_code, b"don&#x27;t match" in page.content) == (400, True)

    def test_wrong_ones_count_and_lock_as_at_the_login(self, anas: Client):
        """In the database: it does not matter which process answers."""
        told = {"password": PASSWORD, "their_name": "a.gomez", "their_password": "wrong"}
        for _ in range(settings.AXES_FAILURE_LIMIT):
            page = anas.post(JOIN, told)
        assert b"Login locked for 15 minutes" in page.content
        page = anas.post(JOIN, {**told, "their_password": "right"})
        assert (page.status_code, b"Wait 15 minutes" in page.content) == (400, True)
        assert not SignInIdentity.objects.exists()
        AccessAttempt.objects.update(attempt_time=timezone.now() - settings.AXES_COOLOFF_TIME)
        assert anas.post(JOIN, {**told, "their_password": "right"}).headers["Location"] == PROFILE

    def test_a_right_one_among_many_at_once_joins_nothing(self, anas: Client, monkeypatch: pytest.MonkeyPatch):
        def while_others_fail(*_: Any) -> OutsidePerson:
            AccessAttempt.objects.create(
                username=known_username(HttpRequest(), told),
                ip_address="127.0.0.1",
                failures_since_start=5,
                attempt_time=timezone.now(),
            )
            return OutsidePerson("guid-1", "a.gomez", groups=frozenset())

        told = {"username": "a.gomez"}
        monkeypatch.setattr(directories, "ask", while_others_fail)
        page = anas.post(JOIN, {"password": PASSWORD, "their_name": "a.gomez", "their_password": "right"})
        assert (page.status_code, SignInIdentity.objects.exists()) == (400, False)

    def test_what_was_sent_with_a_wrong_password_is_kept_nowhere(self, anas: Client):
        told = {"password": "wrong", "their_name": "a.gomez", "their_password": "of-the-school"}
        for change in ({}, {}, {"password": PASSWORD}):
            anas.post(f"{JOIN}?also=of-the-school", {**told, **change})
        kept = str([*AccessAttempt.objects.values()])
        assert "of-the-school" not in kept
        assert "ana" in kept


def test_whom_a_provider_vouched_for_is_asked_for_no_password_of_the_portal(
    client: Client, ana: User, there: SmallProvider, school: Provider
):
    SignInIdentity.objects.create(user=ana, source=school, subject="248289")
    User.objects.update(must_change_password=True)
    begun: Any = client.get("/accounts/sign-in/school/")
    parts = urlsplit(there.authorize(begun.url))
    client.get(f"{parts.path}?{parts.query}")
    assert client.get("/vms/").status_code == 200
