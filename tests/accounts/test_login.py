"""What a login costs and leaves behind."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.conftest import PASSWORD
from tests.labs import queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def kim(db: None) -> User:
    return User.objects.create_user("kim", password=PASSWORD)


def log_in(client: Client, password: str = PASSWORD) -> int:
    return client.post("/accounts/login/", {"username": "KIM", "password": password}).status_code


def test_a_login_costs_few_statements(kim: User) -> None:
    client = Client()
    with queries() as found:
        assert log_in(client) == 302
    asked = [one["sql"] for one in found if one["sql"].split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}]
    assert len(asked) <= 12
    assert sum("accounts_user" in sql and sql.startswith("SELECT") for sql in asked) <= 3
    assert User.objects.get(pk=kim.pk, last_login__gt=timezone.now() - timedelta(minutes=1))
    assert client.get("/vms/").status_code == 200


def test_failures_of_the_person_and_old_ones_of_everybody_are_gone_after_a_login(kim: User) -> None:
    client, long_ago = Client(), timezone.now() - timedelta(hours=1)
    for name, moment in (("ben", long_ago), ("cora", timezone.now())):
        AccessAttempt.objects.create(username=name, ip_address="192.0.2.1", failures_since_start=1)
        AccessAttempt.objects.filter(username=name).update(attempt_time=moment)
    assert (log_in(client, "wrong"), log_in(client)) == (200, 302)
    assert set(AccessAttempt.objects.values_list("username", flat=True)) == {"cora"}
