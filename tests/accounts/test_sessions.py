"""A login costs few statements, writes its session once, and leaves nothing of the earlier key."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import sessions
from accounts.models import User
from accounts.sessions import SessionStore

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", password=PASSWORD)


def log_in(client: Client, password: str = PASSWORD) -> int:
    return client.post("/accounts/login/", {"username": "ANA", "password": password}).status_code


def test_a_login_asks_ten_times_and_writes_its_session_once(ana: User) -> None:
    client = Client()
    with CaptureQueriesContext(connection) as queries:
        assert log_in(client) == 302
    asked = [one["sql"] for one in queries if one["sql"].split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}]
    assert len(asked) <= 10
    assert [sql.split()[0] for sql in asked if "django_session" in sql] == ["INSERT"]
    before = timezone.now() - timedelta(minutes=1)
    assert User.objects.get(pk=ana.pk, last_login__gt=before)
    assert client.get("/vms/").status_code == 200


def test_failures_of_the_person_and_old_ones_of_everybody_are_gone_after_a_login(ana: User) -> None:
    client, long_ago = Client(), timezone.now() - timedelta(hours=1)
    for name, moment in (("ben", long_ago), ("cora", timezone.now())):
        AccessAttempt.objects.create(username=name, ip_address="192.0.2.1", failures_since_start=1)
        AccessAttempt.objects.filter(username=name).update(attempt_time=moment)
    assert (log_in(client, "wrong"), log_in(client)) == (200, 302)
    assert set(AccessAttempt.objects.values_list("username", flat=True)) == {"cora"}


def test_another_key_keeps_the_data_and_the_earlier_one_is_void() -> None:
    session = SessionStore()
    session["crumb"] = 1
    session.save()
    before = session.session_key
    session.cycle_key()
    assert not Session.objects.filter(session_key=before).exists()
    session.save()
    assert SessionStore(before).get("crumb") is None
    assert (session.session_key != before, SessionStore(session.session_key)["crumb"]) == (True, 1)


def test_a_key_that_is_taken_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = iter(["a" * 32, "a" * 32, "b" * 32])
    monkeypatch.setattr(sessions, "get_random_string", lambda *_: next(keys))
    first, second = SessionStore(), SessionStore()
    first["who"], second["who"] = 1, 2
    first.save(), second.save()
    assert (first.session_key, second.session_key) == ("a" * 32, "b" * 32)
    assert (SessionStore("a" * 32)["who"], SessionStore("b" * 32)["who"]) == (1, 2)


def test_an_expired_session_is_none_and_gets_no_key_of_its_own() -> None:
    session = SessionStore()
    session["crumb"] = 1
    session.save()
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    again = SessionStore(session.session_key)
    assert (again.get("crumb"), again.session_key) == (None, None)
