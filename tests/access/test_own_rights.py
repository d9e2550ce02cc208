"""Staff who are not superusers cannot widen their own rights, whatever they post."""

import pytest
from django.contrib.auth.models import Group

from accounts.admin.permissions import offered
from accounts.models import User
from tests.access.school import World

pytestmark = pytest.mark.django_db

MORE = {"is_staff": "on", "is_superuser": "on", "is_active": "on"}


def rights(person: User) -> tuple[bool, bool, set[str]]:
    fresh = User.objects.get(pk=person.pk)
    return fresh.is_staff, fresh.is_superuser, fresh.get_all_permissions()


def ask_for_more(world: World, who: str, whom: User) -> int:
    """Post the form of a person with every right ticked. Returns the status."""
    everything = {"groups": list(Group.objects.values_list("pk", flat=True)),
                  "user_permissions": list(offered().values_list("pk", flat=True))}  # fmt: skip
    words = {"username": whom.username, "first_name": "Kim", "date_joined_0": "2026-01-01", "date_joined_1": "10:00"}
    url = f"/admin/accounts/user/{whom.pk}/change/"
    return int(world.ask(who, "POST", url, words | MORE | everything | {"theme": "auto"}).status_code)


@pytest.mark.parametrize("who", ["assignee", "manager", "staff", "auditor", "lab_admin"])
@pytest.mark.parametrize("whose", ["own", "another's"])
def test_nobody_but_a_superuser_gives_rights(world: World, who: str, whose: str):
    whom = world.people[who if whose == "own" else "other"]
    before = rights(whom)
    ask_for_more(world, who, whom)
    assert rights(whom) == before


@pytest.mark.parametrize("who", ["assignee", "staff", "auditor", "lab_admin"])
def test_the_page_of_ones_own_settings_gives_no_rights(world: World, who: str):
    before = rights(world.people[who])
    world.ask(who, "POST", "/accounts/profile/", {"theme": "dark", "username": "root", **MORE})
    assert rights(world.people[who]) == before


def test_a_superuser_gives_them_by_the_same_form(world: World):
    assert ask_for_more(world, "superuser", world.people["other"]) == 302
    assert rights(world.people["other"])[:2] == (True, True)
