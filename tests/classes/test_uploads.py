"""Every form that takes a file: says in words that one is too large, and lets the page say it before."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from classes.models import LabClass
from tests.classes.conftest import logged_in

pytestmark = pytest.mark.django_db

FORMS = [
    "/classes/{pk}/people/add/",
    "/classes/{pk}/machines/table/",
    "/admin/accounts/user/import/",
    "/admin/vms/assignment/bulk/?way=table",
    "/admin/clusters/cluster/import/",
]


@pytest.fixture
def owner(networks: LabClass, admin: User) -> Client:
    LabClass.objects.update(owner=admin)
    return logged_in(admin)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_too_large_is_told_in_words(owner: Client, networks: LabClass, form: str):
    where = form.format(pk=networks.pk)
    page = owner.get(where).content.decode()
    assert 'data-most-bytes="' in page
    assert "portal/upload.js" in page
    for size, told in ((3_500_000, True), (10, False)):
        answer = owner.post(where, {"upload": SimpleUploadedFile("a.csv", b"x" * size)})
        text = re.sub(r'data-too-large="[^"]+"', "", answer.content.decode())
        assert (answer.status_code < 500, "larger than" in text) == (True, told)
