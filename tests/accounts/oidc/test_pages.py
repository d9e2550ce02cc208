"""Signing in with a provider, as a browser sees it: the way there, the way back, and every page on which it can end."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.signals import got_request_exception
from django.test import Client
from django.views.debug import ExceptionReporter

from accounts.models import Provider, SignInIdentity, SignInRule, User
from accounts.sign_in import throttle
from accounts.sign_in.oidc import attempts, pages
from tests.accounts.oidc import small_provider
from tests.accounts.oidc.conftest import described
from tests.accounts.oidc.small_provider import SECRET, SmallProvider

pytestmark = pytest.mark.django_db

BEGIN, CALLBACK, HOME, LOGIN = (
    "/accounts/sign-in/school/",
    "/accounts/sign-in/school/callback/",
    "/vms/",
    "/accounts/login/",
)


def go(client: Client, next_page: str = "") -> str:
    """The address of the provider to which the browser is sent."""
    answer: Any = client.get(BEGIN, {"next": next_page} if next_page else {})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.url)


def come_back(client: Client, address: str, **headers: Any) -> Any:
    parts = urlsplit(address)
    assert (parts.netloc, parts.path) == ("testserver", CALLBACK)
    return client.get(f"{parts.path}?{parts.query}", **headers)


def sign_in(client: Client, there: SmallProvider, **changes: str) -> Any:
    return come_back(client, there.authorize(go(client), **changes))


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def person_in(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


class TestTheWayThere:
    def test_asks_for_what_keeps_others_out(self, client: Client, there: SmallProvider, school: Provider):
        asked = {name: value[0] for name, value in parse_qs(urlsplit(go(client)).query).items()}
        assert (len(asked.pop("state")), len(asked.pop("nonce")), len(asked.pop("code_challenge"))) == (43, 43, 43)
        assert asked == {
            "client_id": "lab-portal", "response_type": "code", "response_mode": "query",
            "code_challenge_method": "S256",
            "scope": "openid profile email", "redirect_uri": f"http://testserver{CALLBACK}", "prompt": "login",
        }  # fmt: skip

    def test_does_not_ask_again_where_that_is_not_wanted(self, client: Client, there: SmallProvider, school: Provider):
        Provider.objects.update(ask_again=False)
        assert "prompt" not in go(client)

    def test_asks_otherwise_where_that_is_refused(
        self, client: Client, there: SmallProvider, school: Provider, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(pages, "ASKS_FOR_NO_PASSWORD", {there.issuer})
        assert "prompt=select_account" in go(client)

    def test_makes_no_session(self, client: Client, there: SmallProvider, school: Provider):
        go(client)
        assert not Session.objects.exists()

    def test_the_cookie_is_for_this_browser_and_a_while(self, client: Client, there: SmallProvider, school: Provider):
        go(client)
        (cookie,) = client.cookies.values()
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 600)

    def test_with_tls_no_other_host_can_plant_the_cookie(self, client: Client, school: Provider, settings: Any):
        settings.SESSION_COOKIE_SECURE = True
        go(client)
        (cookie,) = client.cookies.values()
        assert cookie.key.startswith("__Host-")
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")

    def test_a_browser_keeps_six(self, client: Client, there: SmallProvider, school: Provider):
        begun = [there.authorize(go(client, "/" + "x" * 399)) for _ in range(8)]
        kept = [cookie for cookie in client.cookies.values() if cookie.value]
        assert (len(kept), sum(len(cookie.key + cookie.value) for cookie in kept) < 6000) == (6, True)
        assert come_back(client, begun[0]).status_code == 400
        assert come_back(client, begun[2]).status_code == 302

    @pytest.mark.parametrize("change", [{"is_active": False}, {"name": "other"}])
    def test_is_not_there_when_it_is_switched_off(self, client: Client, school: Provider, change: dict[str, Any]):
        Provider.objects.update(**change)
        assert {client.get(BEGIN).status_code, client.get(CALLBACK).status_code} == {404}

    def test_only_a_link_leads_there(self, client: Client, school: Provider):
        assert {client.post(BEGIN).status_code, client.post(CALLBACK).status_code} == {405}

    def test_a_provider_that_is_away_is_said(self, client: Client, there: SmallProvider, school: Provider):
        there.answers["/.well-known/openid-configuration"] = (503, b"")
        page = client.get(BEGIN, {"next": "/classes/"})
        assert (page.status_code, page.headers["Cache-Control"].count("no-store")) == (503, 1)
        assert b"HTTP 503" in page.content
        assert b"cannot be used to log in right now" in page.content
        assert b'href="/accounts/login/?next=%2Fclasses%2F"' in page.content


class TestTheWayBack:
    def test_somebody_new_is_in(self, client: Client, there: SmallProvider, school: Provider):
        there.said = {"given_name": "Ana", "family_name": "Gómez", "email": "ana@school.example"}
        assert sign_in(client, there).url == HOME
        person = person_in(client)
        assert (person.username, person.get_full_name(), person.email) == ("ana", "Ana Gómez", "ana@school.example")
        assert not person.has_usable_password()
        assert is_in(client)

    def test_leads_to_the_page_that_was_asked_for(self, client: Client, there: SmallProvider, school: Provider):
        first, second = (there.authorize(go(client, page)) for page in ("/classes/?a=1", "/accounts/profile/"))
        assert come_back(client, second).url == "/accounts/profile/"
        assert come_back(client, first).url == "/classes/?a=1"  # two tabs

    @pytest.mark.parametrize(
        "page", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "/" + "x" * 3000]
    )
    def test_leads_nowhere_else(self, client: Client, there: SmallProvider, school: Provider, page: str):
        assert come_back(client, there.authorize(go(client, page))).url == HOME

    def test_gives_a_new_session(self, client: Client, there: SmallProvider, school: Provider, ana: User):
        client.force_login(ana)
        before = client.session.session_key
        there.claims = {"sub": "1", "preferred_username": "ben"}
        sign_in(client, there)
        assert client.session.session_key != before
        assert not Session.objects.filter(session_key=before).exists()
        assert person_in(client).username == "ben"

    def test_the_same_person_comes_back_under_another_name(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        sign_in(client, there)
        there.claims["preferred_username"] = "ana.gomez"
        other = Client()
        sign_in(other, there)
        assert person_in(other) == person_in(client)

    def test_sub_alone_is_enough(self, client: Client, there: SmallProvider, school: Provider):
        there.claims = {"sub": "u-4711"}
        sign_in(client, there)
        assert person_in(client).username == "u-4711"

    def test_two_people_with_one_address_in_different_case_are_two(self, there: SmallProvider, school: Provider):
        for sub, address in (("1", "Tess@school.example"), ("2", "tess@school.example")):
            there.claims = {"sub": sub, "preferred_username": f"tess{sub}", "email": address}
            sign_in(Client(), there)
        assert User.objects.filter(email__iexact="tess@school.example").count() == 2

    def test_wrong_passwords_of_the_account_lock_no_provider_out(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        sign_in(client, there)
        for _ in range(6):
            last = Client().post(LOGIN, {"username": "ana", "password": "wrong"})
        assert last.status_code == 429
        assert sign_in(Client(), there).url == HOME


def cancelled(there: SmallProvider, client: Client) -> Any:
    state = parse_qs(urlsplit(go(client)).query)["state"][0]
    return client.get(CALLBACK, {"error": "access_denied", "state": state, "iss": there.issuer})


class TestWhereItCanEnd:
    """Always a page in words, with a way to go on, and nobody is in."""

    @contextmanager
    def ends(self, client: Client, *, words: str, status: int = 400) -> Iterator[list[Any]]:
        page: list[Any] = []
        yield page
        text = page[0].content.decode()
        assert (page[0].status_code, words in text) == (status, True), text
        assert f'href="{BEGIN}' in text
        assert f'href="{LOGIN}' in text
        assert "_auth_user_id" not in client.session

    def test_cancelled(self, client: Client, there: SmallProvider, school: Provider):
        with self.ends(client, words="You cancelled") as page:
            page.append(cancelled(there, client))

    @pytest.mark.parametrize(("error", "shown"), [("temporarily_unavailable", "temporarily_unavailable"), ("<b>", "?")])
    def test_an_error_of_the_provider(
        self, client: Client, there: SmallProvider, school: Provider, error: str, shown: str
    ):
        state = parse_qs(urlsplit(go(client)).query)["state"][0]
        with self.ends(client, words=f"It says: {shown}.") as page:
            page.append(client.get(CALLBACK, {"error": error, "state": state, "error_description": "<script>"}))

    def test_without_a_state(self, client: Client, there: SmallProvider, school: Provider):
        with self.ends(client, words="no longer open") as page:
            page.append(client.get(CALLBACK))
        assert there.asked == []  # nobody is asked for it

    def test_in_another_browser(self, client: Client, there: SmallProvider, school: Provider):
        address = there.authorize(go(Client()))
        with self.ends(client, words="no longer open") as page:
            page.append(come_back(client, address))

    def test_too_late(self, client: Client, there: SmallProvider, school: Provider, monkeypatch: pytest.MonkeyPatch):
        address = there.authorize(go(client))
        monkeypatch.setattr(attempts, "MAX_AGE", -1)
        with self.ends(client, words="no longer open") as page:
            page.append(come_back(client, address))

    @pytest.mark.parametrize(("ahead", "words"), [(400, "seconds ahead of the portal"), (-900, "behind the portal")])
    def test_the_clocks_differ(self, client: Client, there: SmallProvider, school: Provider, ahead: float, words: str):
        there.ahead = ahead
        with self.ends(client, words=words) as page:
            page.append(sign_in(client, there))

    @pytest.mark.parametrize(("path", "words"), [("/token", "HTTP 500"), ("/jwks", "HTTP 500"), ("/me", "HTTP 500")])
    def test_the_provider_fails_half_way(
        self, client: Client, there: SmallProvider, school: Provider, path: str, words: str
    ):
        address = there.authorize(go(client))
        there.answers[path] = (500, b"")
        with self.ends(client, words=words, status=503) as page:
            page.append(come_back(client, address))

    def test_no_rule_lets_them_in(self, client: Client, there: SmallProvider, school: Provider):
        SignInRule.objects.all().delete()
        with self.ends(client, words="no rule says who may", status=403) as page:
            page.append(sign_in(client, there))
        assert not User.objects.exists()

    def test_the_provider_did_not_ask_for_the_password(self, client: Client, there: SmallProvider, school: Provider):
        there.overwritten = {"auth_time": int(time.time()) - 3600}
        with self.ends(client, words="did not ask for your password again") as page:
            page.append(sign_in(client, there))
        Provider.objects.update(ask_again=False)
        assert sign_in(client, there).url == HOME

    def test_in_the_language_of_the_reader(self, client: Client, there: SmallProvider, school: Provider):
        page = client.get(CALLBACK, headers={"accept-language": "es"}).content.decode()
        assert ("Probar School account otra vez" in page, "Otras formas" in page) == (True, True)

    def test_loaded_again_after_it_was_right(self, client: Client, there: SmallProvider, school: Provider):
        address = there.authorize(go(client))
        assert come_back(client, address).url == HOME
        page = come_back(client, address)
        assert (page.status_code, b"already complete" in page.content, is_in(client)) == (400, True, True)


class TestAttacks:
    """Each fails, and right beside it what differs in one point alone succeeds."""

    def test_a_foreign_issuer_with_the_same_subject_is_somebody_else(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        sign_in(client, there)
        with small_provider.running() as foreign:
            second = described(foreign, name="foreign")
            second.save()
            SignInRule.objects.create(source=second, on="everyone", gives="entry")
            foreign.claims = {**there.claims, "preferred_username": "mallory"}
            mallory = Client()
            parts = urlsplit(foreign.authorize(str(mallory.get("/accounts/sign-in/foreign/").headers["Location"])))
            assert mallory.get(f"{parts.path}?{parts.query}").status_code == 302
        assert person_in(mallory) != person_in(client)
        assert SignInIdentity.objects.filter(subject="248289").count() == 2

    def test_a_token_of_a_foreign_issuer_lets_nobody_in(self, client: Client, there: SmallProvider, school: Provider):
        there.overwritten = {"iss": "https://elsewhere.example"}
        assert sign_in(client, there).status_code == 400
        there.overwritten = {}
        assert sign_in(client, there).status_code == 302

    def test_an_answer_of_a_foreign_issuer_is_not_redeemed(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        assert sign_in(client, there, iss="https://elsewhere.example").status_code == 400
        assert sign_in(client, there, iss="").status_code == 400  # it announces that it names itself
        assert "/token" not in there.asked
        assert sign_in(client, there).status_code == 302

    def test_a_token_for_another_client_lets_nobody_in(self, client: Client, there: SmallProvider, school: Provider):
        there.overwritten = {"aud": "another-portal"}
        assert sign_in(client, there).status_code == 400
        there.overwritten = {"aud": ["lab-portal"]}
        assert sign_in(client, there).status_code == 302

    def test_a_state_is_good_once_whatever_a_browser_keeps(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        begun = go(client)
        kept = dict(client.cookies)
        assert come_back(client, there.authorize(begun)).status_code == 302
        thief = Client()
        thief.cookies.update(kept)
        again = there.authorize(begun)  # a fresh code for the old state
        assert come_back(thief, again).status_code == 400
        assert there.asked.count("/token") == 1

    def test_a_code_of_one_sign_in_is_no_good_in_another(self, client: Client, there: SmallProvider, school: Provider):
        victim, mallory = Client(), client
        victims, mallorys = (parse_qs(urlsplit(there.authorize(go(one))).query) for one in (victim, mallory))
        crossed = mallory.get(
            CALLBACK, {"code": victims["code"][0], "state": mallorys["state"][0], "iss": there.issuer}
        )
        assert (crossed.status_code, b"invalid_grant" in crossed.content) == (400, True)

    def test_a_replayed_nonce_lets_nobody_in(self, client: Client, there: SmallProvider, school: Provider):
        sign_in(client, there)
        there.overwritten = {"nonce": attempts.nonce("of another sign-in")}
        assert sign_in(Client(), there).status_code == 400
        there.overwritten = {}
        assert sign_in(Client(), there).status_code == 302

    def test_nobody_is_signed_in_as_somebody_else_by_a_link(self, there: SmallProvider, school: Provider):
        mallory, victim = Client(), Client()
        address = there.authorize(go(mallory))
        assert come_back(victim, address).status_code == 400
        assert come_back(mallory, address).status_code == 302

    @pytest.mark.parametrize("claims", [
        {"preferred_username": "ana"}, {"preferred_username": "ANA"},
        {"preferred_username": "mallory", "email": "ana@school.example", "email_verified": True},
    ])  # fmt: skip
    def test_an_equal_name_or_address_joins_nothing(
        self, client: Client, there: SmallProvider, school: Provider, ana: User, claims: dict[str, Any]
    ):
        User.objects.update(email="ana@school.example")
        there.claims = {"sub": "7", **claims}
        sign_in(client, there)
        assert client.session.get("_auth_user_id") != str(ana.pk)
        assert not SignInIdentity.objects.filter(user=ana).exists()

    def test_a_deactivated_persons_session_ends(self, client: Client, there: SmallProvider, school: Provider):
        sign_in(client, there)
        assert is_in(client)
        User.objects.update(is_active=False)
        assert not is_in(client)
        assert sign_in(Client(), there).status_code == 403

    def test_a_role_goes_when_it_went_there_on_a_complete_answer_alone(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        teacher = Group.objects.get(name="Teacher")
        SignInRule.objects.create(source=school, on="group", value="staff", gives="role", role=teacher)
        found = []
        for groups in (["staff"], None, ["pupils"]):
            there.said = {} if groups is None else {"groups": groups}
            sign_in(client, there)
            found.append(person_in(client).groups.filter(name="Teacher").exists())
        assert found == [True, True, False]

    @pytest.mark.parametrize("groups", [["Staff"], ["staff "], "staff2", ["st", "aff"], "s"])
    def test_a_group_that_is_nearly_named_so_gives_nothing(
        self, client: Client, there: SmallProvider, school: Provider, groups: Any
    ):
        teacher = Group.objects.get(name="Teacher")
        SignInRule.objects.create(source=school, on="group", value="staff", gives="role", role=teacher)
        there.said = {"groups": groups}
        sign_in(client, there)
        assert not person_in(client).groups.exists()
        there.said = {"groups": "staff"}
        sign_in(client, there)
        assert person_in(client).groups.get() == teacher

    def test_who_fails_again_and_again_is_not_asked_about(
        self, client: Client, there: SmallProvider, school: Provider, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(throttle, "FAILURES", 3)
        begun = [parse_qs(urlsplit(go(client)).query)["state"][0] for _ in range(5)]
        seen = [client.get(CALLBACK, {"code": "x", "state": state, "iss": there.issuer}).status_code for state in begun]
        assert seen == [400, 400, 400, 429, 429]
        assert there.asked.count("/token") == 3
        assert client.get(BEGIN, REMOTE_ADDR="192.0.2.9").status_code == 302  # others are

    def test_what_looks_like_an_attack_is_in_the_audit_trail(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        there.overwritten = {"aud": "another-portal"}
        sign_in(client, there)
        entry = LogEntry.objects.filter(action=LogEntry.Action.ACCESS).latest("pk")
        assert (entry.changes, entry.remote_addr) == ({"refused": ["", "foreign-audience"]}, "127.0.0.1")


class TestSecrets:
    def test_are_in_no_session_row_page_or_log(
        self, client: Client, there: SmallProvider, school: Provider, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.DEBUG)
        address = there.authorize(go(client))
        state = parse_qs(urlsplit(address).query)["state"][0]
        pages_seen = [come_back(client, address)]
        there.overwritten = {"aud": "x"}
        pages_seen += [
            sign_in(client, there),
            cancelled(there, client),
            client.get(HOME),
            client.post("/accounts/logout/"),
        ]
        secrets = [*there.sent, SECRET, state, attempts.nonce(state), attempts.verifier(state)]
        kept = [
            caplog.text,
            *map(str, Session.objects.values_list("session_data", flat=True)),
            *(str(Session(session_data=row.session_data).get_decoded()) for row in Session.objects.all()),
            *(f"{entry.changes} {entry.additional_data}" for entry in LogEntry.objects.all()),
            *(str(row) for model in (SignInIdentity, User) for row in model.objects.values()),
            *(page.content.decode() for page in pages_seen),
        ]
        assert len(secrets) > 6
        assert [secret for secret in secrets if any(secret in text for text in kept)] == []

    def test_are_in_no_report_of_an_error(
        self, there: SmallProvider, school: Provider, monkeypatch: pytest.MonkeyPatch
    ):
        client, reports = Client(raise_request_exception=False), []

        def keep(sender: Any, request: Any, **kwargs: Any) -> None:
            reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_text())

        address = there.authorize(go(client))
        monkeypatch.setattr(pages.going_in, "let_in", lambda *args, **kwargs: 1 / 0)
        got_request_exception.connect(keep)
        try:
            assert come_back(client, address).status_code == 500
        finally:
            got_request_exception.disconnect(keep)
        assert "ZeroDivisionError" in reports[0]
        assert [secret for secret in there.sent if secret in reports[0]] == []


class TestTheWayOut:
    def test_a_session_of_the_provider_leads_through_its_sign_out(
        self, client: Client, there: SmallProvider, school: Provider
    ):
        sign_in(client, there)
        page = client.post("/accounts/logout/")
        text = page.content.decode().replace("&amp;", "&")
        assert f'content="0;url={there.issuer}/session/end?client_id=lab-portal&' in text
        assert "logout_hint=ana" in text
        assert "id_token" not in text
        assert not is_in(client)

    def test_it_is_only_offered_where_that_is_chosen(self, client: Client, there: SmallProvider, school: Provider):
        Provider.objects.update(sign_out_there=False)
        sign_in(client, there)
        text = client.post("/admin/logout/").content.decode()
        assert ("http-equiv" in text, f'href="{there.issuer}/session/end?' in text) == (False, True)

    @pytest.mark.parametrize("fault", ["none", "away"])
    def test_without_one_the_person_is_told(self, client: Client, there: SmallProvider, school: Provider, fault: str):
        sign_in(client, there)
        pages.discovery.forget()
        if fault == "none":
            there.discovery = {"end_session_endpoint": ""}
        else:
            there.answers["/.well-known/openid-configuration"] = (500, b"")
        assert b"close all windows" in client.post("/accounts/logout/").content
        assert not is_in(client)

    def test_a_session_of_the_portal_leads_to_the_login(self, client: Client, ana: User, school: Provider):
        client.force_login(ana)
        assert client.post("/accounts/logout/").headers["Location"] == LOGIN
