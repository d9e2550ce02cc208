"""Teachers are people of the portal, not of the administration."""

import pytest
from django.contrib.auth.models import Group

from accounts import importing
from accounts.importing import Options
from accounts.models import User

pytestmark = pytest.mark.django_db


def in_group(group: str) -> User:
    text, options = f"mia,Mia,Moll,,{group}", Options(by_superuser=True)
    importing.apply(text, options, expected=importing.plan(text, options).digest)
    return User.objects.get(username="mia")


def test_an_imported_teacher_is_no_staff():
    mia = in_group("Teacher")
    assert (mia.is_staff, mia.has_perm("classes.add_labclass")) == (False, True)


def test_an_imported_auditor_is_staff():
    assert in_group("Auditor").is_staff


def test_one_more_right_makes_staff_of_who_is_imported_into_the_group(auditor: User):
    Group.objects.get(name="Teacher").permissions.add(auditor.groups.get().permissions.first())
    assert in_group("Teacher").is_staff


def test_the_right_to_make_classes_is_none_of_staff(tess: User, auditor: User):
    assert list(User.objects.with_rights()) == [auditor]


def test_a_group_with_another_right_besides_is_one_of_staff(tess: User, auditor: User):
    tess.groups.get().permissions.add(auditor.groups.get().permissions.first())
    assert set(User.objects.with_rights()) == {tess, auditor}
