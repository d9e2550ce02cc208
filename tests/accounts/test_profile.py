"""A person's own page: what one may choose, and that it is one's own."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User

pytestmark = pytest.mark.django_db

OLD, NEW = "correct horse battery", "staple-paper-clip-9"
CHOSEN = {"language": "", "time_zone": "Asia/Tokyo", "theme": "dark"}


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna", password=OLD, email="anna@example.org")


@pytest.fixture
def as_anna(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


@pytest.mark.parametrize("page", ["profile", "password_change"])
def test_who_is_not_logged_in_is_sent_to_log_in(client: Client, page: str):
    assert client.get(reverse(page)).url.startswith(reverse("login"))


def test_what_one_chooses_holds_from_the_next_page_on(as_anna: Client, anna: User):
    page = as_anna.post(reverse("profile"), CHOSEN, follow=True).content.decode()
    assert 'data-theme="dark"' in page
    assert "times are shown in Asia/Tokyo" in page
    assert "Your settings are saved." in page


@pytest.mark.parametrize(("field", "value"), [("time_zone", "Mars/Olympus"), ("theme", "pink"), ("language", "xx")])
def test_what_does_not_exist_is_refused_and_nothing_saved(as_anna: Client, anna: User, field: str, value: str):
    answer = as_anna.post(reverse("profile"), CHOSEN | {field: value})
    assert (answer.status_code, b"field-error" in answer.content) == (400, True)
    anna.refresh_from_db()
    assert (anna.time_zone, anna.theme) == ("", "auto")


def test_rights_cannot_be_chosen(as_anna: Client, anna: User):
    as_anna.post(reverse("profile"), CHOSEN | {"is_staff": "on", "is_superuser": "on", "username": "root"})
    anna.refresh_from_db()
    assert (anna.is_staff, anna.is_superuser, anna.username, anna.theme) == (False, False, "anna", "dark")


def test_a_new_password_needs_the_old_one(as_anna: Client, anna: User):
    form = {"old_password": "guessed", "new_password1": NEW, "new_password2": NEW}
    assert b"field-error" in as_anna.post(reverse("password_change"), form).content
    anna.refresh_from_db()
    assert anna.check_password(OLD)


def test_a_new_password_logs_other_devices_out_and_not_this_one(as_anna: Client, anna: User):
    elsewhere = Client()
    elsewhere.force_login(anna)
    as_anna.post(reverse("password_change"), {"old_password": OLD, "new_password1": NEW, "new_password2": NEW})
    assert as_anna.get(reverse("profile")).status_code == 200
    assert elsewhere.get(reverse("profile")).status_code == 302


def test_who_has_no_password_here_is_not_offered_another(as_anna: Client, anna: User):
    anna.set_unusable_password()
    anna.save()
    as_anna.force_login(anna)
    assert reverse("password_change").encode() not in as_anna.get(reverse("profile")).content
