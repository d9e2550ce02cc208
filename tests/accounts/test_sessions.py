"""A session ends as soon as the account, the password or the session itself says so."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User

pytestmark = pytest.mark.django_db

PAGE = "/accounts/profile/"


@pytest.fixture
def logged_in(client: Client, ana: User) -> Client:
    client.force_login(ana)
    assert client.get(PAGE).status_code == 200
    return client


def test_an_account_that_is_switched_off_is_logged_out_at_once(logged_in: Client, ana: User) -> None:
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


def test_a_deleted_account_is_logged_out(logged_in: Client, ana: User) -> None:
    ana.delete()
    assert logged_in.get(PAGE).status_code == 302


def test_the_next_person_at_the_computer_is_not_the_last_one(logged_in: Client, ben: User) -> None:
    logged_in.logout()
    logged_in.force_login(ben)
    for _ in range(2):
        assert logged_in.get(PAGE).wsgi_request.user == ben
