"""The person comes with the session in one query, and is never older than that query."""

import pytest
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone

from accounts import sessions
from accounts.lockout import RecheckingBackend
from accounts.models import User
from tests.labs import queries

pytestmark = pytest.mark.django_db

PAGE = "/accounts/profile/"


@pytest.fixture
def logged_in(client: Client, ana: User) -> Client:
    client.force_login(ana)
    assert client.get(PAGE).status_code == 200
    return client


def test_session_and_person_are_one_query(logged_in: Client) -> None:
    with queries() as seen:
        assert logged_in.get("/vms/").status_code == 200
    asked = [q["sql"] for q in seen]
    assert sum("session_data" in sql for sql in asked) == 1
    assert not [sql for sql in asked if '"accounts_user"."password"' in sql and "session_data" not in sql]


def test_who_is_switched_off_is_out_at_once(logged_in: Client, ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert logged_in.get(PAGE).status_code == 302


def test_a_new_password_elsewhere_ends_the_session(logged_in: Client, ana: User) -> None:
    ana.set_password("another correct horse")
    ana.save()
    assert logged_in.get(PAGE).status_code == 302


def test_a_session_that_was_ended_elsewhere_is_over(logged_in: Client) -> None:
    Session.objects.all().delete()
    assert logged_in.get(PAGE).status_code == 302


def test_a_session_that_has_expired_is_over(logged_in: Client) -> None:
    Session.objects.update(expire_date=timezone.now())
    assert logged_in.get(PAGE).status_code == 302


def test_somebody_who_was_deleted_is_out(logged_in: Client, ana: User) -> None:
    ana.delete()
    assert logged_in.get(PAGE).status_code == 302


def test_the_next_person_at_the_computer_is_himself(logged_in: Client, ben: User) -> None:
    logged_in.logout()
    logged_in.force_login(ben)
    for _ in range(2):
        assert logged_in.get(PAGE).wsgi_request.user == ben


def test_so_many_sessions_are_remembered(monkeypatch: pytest.MonkeyPatch, ana: User) -> None:
    monkeypatch.setattr(sessions, "REMEMBERED", 2)
    monkeypatch.setattr(sessions, "_owners", {b"1": 1, b"2": 2, b"3": 3})
    numbers = []
    for _ in range(5):
        Client().force_login(ana)
        numbers.append(len(sessions._owners))
    assert numbers == [1, 2, 1, 2, 1]


def test_a_person_who_came_along_is_taken_once_and_in_his_request_alone(logged_in: Client, ana: User) -> None:
    def page(_request: HttpRequest) -> HttpResponse:
        sessions.SessionStore(logged_in.session.session_key).load()
        return HttpResponse(f"{sessions.take(ana.pk)} {sessions.take(ana.pk)}")

    assert sessions.person_along(page)(HttpRequest()).content == b"ana None"
    assert sessions.take(ana.pk) is None


def test_outside_of_a_request_the_person_is_looked_up(ana: User) -> None:
    assert RecheckingBackend().get_user(ana.pk) == ana
    User.objects.update(is_active=False)
    assert RecheckingBackend().get_user(ana.pk) is None
