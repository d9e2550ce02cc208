"""People: names without regard to case, and each person's own settings."""

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import RequestFactory

from accounts.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def anna() -> User:
    return User.objects.create_user("Anna", password=PASSWORD)


@pytest.mark.parametrize("name", ["Anna", "anna", "ANNA"])
def test_the_database_refuses_the_same_name_written_otherwise(name):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user(name)


def test_renaming_into_somebody_elses_name_is_refused():
    other = User.objects.create_user("bert")
    other.username = "aNNA"
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()


def test_validation_says_it_in_words():
    with pytest.raises(ValidationError, match="already exists"):
        User(username="anna", password="x").full_clean()


def test_a_person_may_change_the_case_of_the_own_name(anna):
    anna.username = "anna"
    anna.full_clean()
    anna.save()
    assert User.objects.get().username == "anna"


@pytest.mark.parametrize("name", ["Anna", "anna", "ANNA"])
def test_a_person_logs_in_however_the_name_is_written(anna, name):
    request = RequestFactory().post("/accounts/login/", REMOTE_ADDR="192.0.2.7")
    assert authenticate(request, username=name, password=PASSWORD) == anna


@pytest.mark.parametrize("name", ["Ann", "Annaa", "A%", "Ann_", "%"])
def test_a_name_is_no_pattern(name):
    request = RequestFactory().post("/accounts/login/", REMOTE_ADDR="192.0.2.7")
    assert authenticate(request, username=name, password=PASSWORD) is None


@pytest.mark.parametrize("zone", ["", "UTC", "Europe/Madrid"])
def test_a_time_zone_is_one_that_exists(anna, zone):
    anna.time_zone = zone
    anna.full_clean()


@pytest.mark.parametrize("zone", ["Madrid", "../../etc/passwd", "Europe/Nowhere"])
def test_another_time_zone_is_refused(anna, zone):
    anna.time_zone = zone
    with pytest.raises(ValidationError, match="is not a time zone"):
        anna.full_clean()
