"""A person's own page: what one may choose, and that it is one's own."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.forms import BaseForm
from django.test import Client
from django.urls import reverse

from accounts.forms import OwnPasswordForm, ProfileForm
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
    assert 'colours-dark.css">' in page  # whatever the device prefers
    assert "times are shown in Asia/Tokyo" in page
    assert "Your settings were saved." in page


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


# What others decide while a form of one's own is under way


def meanwhile(monkeypatch: pytest.MonkeyPatch, form: type[BaseForm], anna: User, **fields: Any) -> None:
    """Somebody writes these between the check of a form and its end."""
    is_valid = form.is_valid

    def checked(self: BaseForm) -> bool:
        found = is_valid(self)
        User.objects.filter(pk=anna.pk).update(**fields)
        return found

    monkeypatch.setattr(form, "is_valid", checked)


TAKEN = {"is_staff": False, "is_superuser": False, "is_active": False}


FORMS = {"profile": ProfileForm, "password_change": OwnPasswordForm}
SENT = CHOSEN | {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}


@pytest.mark.parametrize("page", FORMS)
def test_rights_that_are_taken_meanwhile_do_not_come_back(
    as_anna: Client, anna: User, monkeypatch: pytest.MonkeyPatch, page: str
):
    User.objects.filter(pk=anna.pk).update(is_staff=True, is_superuser=True)
    meanwhile(monkeypatch, FORMS[page], anna, **TAKEN)
    as_anna.post(reverse(page), SENT)
    anna.refresh_from_db()
    assert {name: getattr(anna, name) for name in TAKEN} == TAKEN
    assert (anna.theme, anna.check_password(NEW)) == (("dark", False) if page == "profile" else ("auto", True))


@pytest.mark.parametrize("page", FORMS)
def test_a_first_password_that_is_given_meanwhile_stays(
    as_anna: Client, anna: User, monkeypatch: pytest.MonkeyPatch, page: str
):
    meanwhile(monkeypatch, FORMS[page], anna, password=make_password("given"), must_change_password=True)
    said = as_anna.post(reverse(page), SENT, follow=True).content.decode()
    anna.refresh_from_db()
    assert (anna.check_password("given"), anna.must_change_password) == (True, True)
    assert page == "profile" or "Somebody else changed your password in the meantime." in said
    assert "sessionid" not in as_anna.cookies or as_anna.get("/vms/").status_code == 302


def test_the_admin_changes_ones_own_password_on_the_same_page(as_anna: Client, anna: User):
    User.objects.filter(pk=anna.pk).update(is_staff=True)
    assert as_anna.get("/admin/password_change/").url == reverse("password_change")
