"""Five wrong passwords lock a name at an address, and nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import authenticate, login
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import F
from django.test import RequestFactory

from accounts import lockout
from accounts.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
SCHOOL, HOME = "192.0.2.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def people() -> None:
    User.objects.create_user("anna", password=PASSWORD)
    User.objects.create_user("bert", password=PASSWORD)


def log_in(username: str, password: str = PASSWORD, *, address: str = SCHOOL, **headers: str) -> Any:
    data = {"username": username, "password": password}
    request = RequestFactory().post("/accounts/login/", data, REMOTE_ADDR=address, **headers)
    return authenticate(request, username=username, password=password)


def fail(times: int, username: str = "anna", **where: str) -> None:
    for _ in range(times):
        assert log_in(username, "wrong", **where) is None


def test_the_right_password_is_let_in():
    assert log_in("anna").username == "anna"


def test_four_wrong_passwords_lock_nobody():
    fail(4)
    assert log_in("anna")


def test_five_wrong_passwords_lock_even_the_right_one():
    fail(5)
    assert log_in("anna") is None


def test_a_right_password_that_was_looked_at_before_the_lock_came_is_refused_after_it():
    request = RequestFactory().post("/accounts/login/", {"username": "anna"}, REMOTE_ADDR=SCHOOL)
    backend = lockout.RecheckingBackend()
    assert backend.authenticate(request, username="anna", password=PASSWORD)
    fail(5)
    assert backend.authenticate(request, username="anna", password=PASSWORD) is None
    assert backend.authenticate(None, username="anna", password=PASSWORD)  # a program, without a browser


def test_another_address_is_not_locked():
    fail(5)
    assert log_in("anna", address=HOME)


def test_another_person_at_the_address_is_not_locked():
    fail(5)
    assert log_in("bert")


def test_failures_at_two_addresses_are_not_added_up():
    fail(4)
    fail(4, address=HOME)
    assert log_in("anna")


def test_an_address_that_a_client_claims_does_not_evade_the_lock():
    for number in range(5):
        fail(1, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}", HTTP_X_REAL_IP=f"203.0.113.{number}")
    assert log_in("anna", HTTP_X_FORWARDED_FOR="203.0.113.77") is None


def test_an_address_that_a_client_claims_locks_nobody_there():
    fail(5, address=HOME, HTTP_X_FORWARDED_FOR=SCHOOL)
    assert log_in("anna", address=SCHOOL)


def test_writing_the_name_otherwise_does_not_evade_the_lock():
    for name in "anna", "ANNA", "Anna", "aNNa", "annA":
        fail(1, name)
    assert log_in("anna") is None


def test_another_browser_does_not_evade_the_lock():
    for number in range(5):
        fail(1, HTTP_USER_AGENT=f"browser {number}")
    assert log_in("anna", HTTP_USER_AGENT="browser 99") is None


def test_a_name_that_nobody_has_is_counted_too():
    fail(5, "nobody")
    User.objects.create_user("later", password=PASSWORD)
    assert AccessAttempt.objects.get().failures_since_start == 5


def test_a_success_forgets_the_failures():
    fail(4)
    request = RequestFactory().post("/accounts/login/", {"username": "anna"}, REMOTE_ADDR=SCHOOL)
    request.session = SessionStore()
    login(request, authenticate(request, username="anna", password=PASSWORD))
    fail(4)
    assert log_in("anna")


def test_the_lock_ends_after_a_quarter_of_an_hour():
    fail(5)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=15, seconds=1))
    assert log_in("anna")


def test_the_lock_does_not_end_sooner():
    fail(5)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14))
    assert log_in("anna") is None


def test_trying_again_does_not_prolong_the_lock():
    fail(5)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14))
    fail(3)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=1, seconds=1))
    assert log_in("anna")


def written_down() -> str:
    return str([list(model.objects.values()) for model in (AccessAttempt, AccessFailureLog, AccessLog)])


def test_a_password_typed_as_a_name_is_not_kept():
    fail(1, PASSWORD)
    assert SCHOOL in written_down()
    assert PASSWORD not in written_down()


def test_a_password_is_not_kept():
    assert log_in("anna", "nearly the right one") is None
    assert "anna" in written_down()
    assert "nearly the right one" not in written_down()


def test_a_typed_name_that_is_kept_would_be_noticed(settings):
    settings.AXES_USERNAME_CALLABLE = None
    fail(1, PASSWORD)
    assert PASSWORD in written_down()


# Without an address

NONE = ["unknown", "_hidden", "labs.example.org", "192.0.2.7:4711", "", "192.0.2.7, 10.0.0.1", "::1::", "1" * 300]
ADDRESSES = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:DB8:0::1": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
}


@pytest.mark.parametrize(("given", "address"), [*ADDRESSES.items(), *((given, None) for given in NONE)])
def test_what_is_no_address_is_none(given: str, address: str | None):
    assert lockout.client_address(RequestFactory().get("/", REMOTE_ADDR=given)) == address


@pytest.mark.parametrize("given", NONE)
def test_who_has_no_address_logs_in_and_is_counted(given: str):
    fail(1, address=given)
    assert AccessAttempt.objects.get().ip_address is None
    assert log_in("anna", address=given).username == "anna"


def test_without_an_address_a_name_is_locked_and_no_other():
    for given in NONE[:5]:
        fail(1, address=given)
    assert log_in("anna", address="unknown") is None
    assert log_in("bert", address="unknown")
    assert log_in("anna", address=HOME)


def test_rows_that_two_processes_made_of_the_same_failures_become_one():
    fail(1, address="unknown")
    AccessAttempt.objects.create(**{**AccessAttempt.objects.values().get(), "id": None, "failures_since_start": 2})
    fail(1, address="unknown")
    assert AccessAttempt.objects.get().failures_since_start == 4
    fail(1, address="unknown")
    assert log_in("anna", address="unknown") is None


def test_unknown_names_in_other_letters_are_one_name():
    """Who guesses names does not begin anew with each way of writing them."""
    names = {"nobody", "Nobody", "NOBODY", "nobodY"}
    keys = {lockout.known_username(RequestFactory().get("/"), {"username": name}) for name in names}
    assert len(keys) == 1
    assert lockout.known_username(RequestFactory().get("/"), {"username": "nobody else"}) not in keys
