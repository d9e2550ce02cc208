"""Logging in and out, as a browser sees it."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN, LOGOUT, HOME = "/accounts/login/", "/accounts/logout/", "/vms/"


def log_in(
    client: Client, username: str = "ana", password: str = PASSWORD, *, at: str = "10.0.0.1", **form: str
) -> Any:
    return client.post(LOGIN, {"username": username, "password": password, **form}, REMOTE_ADDR=at)


def guess(username: str, times: int, *, at: str = "10.0.0.1") -> Any:
    return [log_in(Client(), username, "wrong", at=at) for _ in range(times)][-1]


def is_in(client: Client) -> bool:
    return client.get(HOME).status_code == 200


def test_the_right_password_leads_to_the_machines(client: Client, ana: User):
    assert log_in(client).url == HOME
    assert is_in(client)


def test_a_wrong_password_lets_nobody_in(client: Client, ana: User):
    assert log_in(client, password="wrong").status_code == 200
    assert not is_in(client)


def test_who_is_disabled_is_not_let_in(client: Client, ana: User):
    User.objects.update(is_active=False)
    log_in(client)
    assert not is_in(client)


def test_a_login_gets_a_new_session(client: Client, ana: User):
    log_in(client)
    first = client.session.session_key
    client.post(LOGOUT)
    log_in(client)
    assert client.session.session_key != first


def test_a_form_without_a_token_logs_nobody_in(ana: User):
    client = Client(enforce_csrf_checks=True)
    assert log_in(client).status_code == 403
    assert not is_in(client)


# What a wrong one is told


def told(username: str, password: str = "wrong") -> str:
    text = log_in(Client(), username, password).content.decode()
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"|value="\w*"', "", text)


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(ana: User):
    assert told("ana") == told("nobody")


def test_a_disabled_person_is_told_the_same(ana: User, ben: User):
    User.objects.filter(username="ben").update(is_active=False)
    assert told("ben", PASSWORD) == told("ana")


def test_the_error_is_announced_and_belongs_to_the_fields(ana: User):
    text = told("ana")
    assert 'role="alert" id="login-error"' in text
    assert text.count('aria-describedby="login-error"') == 2


def test_a_typed_name_makes_no_element():
    text = log_in(Client(), '"><script>alert(1)</script>', "x").content.decode()
    assert "&quot;&gt;&lt;script&gt;" in text
    assert "<script>" not in text


def test_a_typed_password_is_not_repeated():
    assert "a-secret-phrase" not in log_in(Client(), "ana", "a-secret-phrase").content.decode()


# The lock


def test_after_five_wrong_passwords_the_page_says_how_long_to_wait(ana: User):
    guess("ana", 5)
    answer = log_in(Client())
    assert answer.status_code == 429
    assert "Login locked for 15 minutes" in answer.content.decode()
    assert "15 minutes" in answer.content.decode()


def test_at_another_address_the_same_person_logs_in(client: Client, ana: User):
    guess("ana", 6)
    assert log_in(client, at="10.0.0.2").url == HOME


def test_at_the_same_address_another_person_logs_in(client: Client, ana: User, ben: User):
    guess("ana", 6)
    assert log_in(client, "ben").url == HOME


def test_the_admin_has_the_same_lock(client: Client, admin: User):
    guess("admin", 5)
    form = {"username": "admin", "password": PASSWORD}
    assert client.post("/admin/login/", form, REMOTE_ADDR="10.0.0.1").status_code == 429


def test_an_unknown_name_is_locked_like_a_known_one(ana: User):
    assert [guess(name, 6).status_code for name in ("ana", "nobody")] == [429, 429]


# Where it leads

ELSEWHERE = ["https://evil.test/", "//evil.test/", "///evil.test", "\\\\evil.test", "/\\evil.test", "http:evil.test",
             "javascript:alert(1)", " //evil.test", "/\t/evil.test", "https:///evil.test", "//evil.test\\@testserver",
             "https://testserver@evil.test/", "\x00//evil.test", "data:text/html,x"]  # fmt: skip


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_login_leads_to_no_other_site(client: Client, ana: User, target: str):
    assert log_in(client, next=target).url == HOME


@pytest.mark.parametrize("target", ELSEWHERE)
def test_who_is_logged_in_is_led_to_no_other_site(client: Client, ana: User, target: str):
    client.force_login(ana)
    assert client.get(LOGIN, {"next": target}).url == HOME


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_logout_leads_to_no_other_site(client: Client, ana: User, target: str):
    client.force_login(ana)
    assert client.post(LOGOUT, {"next": target}).url in {LOGIN, LOGOUT}


def test_a_login_leads_where_one_wanted_to_go(client: Client, ana: User):
    assert log_in(client, next="/vms/?cluster=building-b").url == "/vms/?cluster=building-b"


def test_a_page_that_needs_a_login_is_kept_for_later(client: Client):
    answer = client.get("/vms/7/stop/", follow=True)
    assert '<input type="hidden" name="next" value="/vms/7/stop/">' in answer.content.decode()


# Out


def test_a_logout_ends_the_session(client: Client, ana: User):
    log_in(client)
    cookie = client.cookies["sessionid"].value
    assert client.post(LOGOUT).url == LOGIN
    client.cookies["sessionid"] = cookie
    assert not is_in(client)


def test_a_logout_without_a_token_is_none(ana: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert client.post(LOGOUT).status_code == 403
    assert is_in(client)


def test_who_is_disabled_meanwhile_is_out(client: Client, ana: User):
    log_in(client)
    User.objects.update(is_active=False)
    assert not is_in(client)


def test_a_new_password_ends_the_other_sessions(client: Client, ana: User):
    log_in(client)
    ana.set_password("another horse battery")
    ana.save()
    assert not is_in(client)
