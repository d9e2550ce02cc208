"""Whose account a Lab administrator may change in the admin: none that would give the administrator more rights."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


def by_group(person: User) -> None:
    person.groups.add(Group.objects.create(name="Pupils"), Group.objects.get(name="Lab administrator"))


def by_name(person: User) -> None:
    person.user_permissions.add(Permission.objects.get(codename="add_user"))


def by_staff(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_staff=True)


def by_superuser(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_superuser=True)


HOLDERS = [by_group, by_name, by_staff, by_superuser]


def gives_password(client: Client, person: User) -> bool:
    url = reverse("admin:accounts_user_new_password", args=[person.pk])
    asked = client.get(url)
    answer = client.post(url, {"shown": (asked.context or {}).get("shown", "")})
    password = (answer.context or {}).get("password", "")
    person.refresh_from_db()
    return bool(password) and person.check_password(password)


@pytest.mark.parametrize("give", HOLDERS)
def test_the_password_of_who_has_rights_is_for_superusers(lena: Client, ana: User, give: Callable[[User], None]):
    give(ana)
    assert not gives_password(lena, ana)


@pytest.mark.parametrize("give", HOLDERS)
def test_the_account_of_who_has_rights_is_for_superusers(lena: Client, ana: User, give: Callable[[User], None]):
    give(ana)
    pages = [reverse(f"admin:accounts_user_{page}", args=[ana.pk]) for page in ("change", "delete")]
    assert [lena.post(page, {"username": "ana", "email": "evil@school.test"}).status_code for page in pages] == [
        403
    ] * 2


def test_the_password_of_who_is_in_a_group_without_rights_is_set(lena: Client, ana: User):
    ana.groups.add(Group.objects.create(name="Pupils"))
    assert gives_password(lena, ana)


def test_a_superuser_sets_the_password_of_who_has_rights(admin_client: Client, ana: User):
    by_group(ana)
    assert gives_password(admin_client, ana)
