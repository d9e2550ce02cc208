"""The way to a class: *Join a class* for everyone who is no staff, and what staff who only look around see."""

import pytest

from accounts.models import User
from classes.models import LabClass
from tests.classes.conftest import logged_in
from tests.labs import Lab

pytestmark = pytest.mark.django_db

JOIN = '<a href="/join/"'


def test_joining_is_always_there(building_a: Lab, networks: LabClass, ana: User, ben: User, tess: User):
    """Ana has a machine and no class, Ben has nothing."""
    building_a.assign(104, ana)
    assert all(JOIN in logged_in(person).get("/vms/").content.decode() for person in (ana, ben, tess))
    assert 'aria-current="page">Join a class' in logged_in(ana).get("/join/").content.decode()


def test_an_auditor_sees_classes_and_changes_nothing(networks: LabClass, auditor: User, building_a: Lab):
    client = logged_in(auditor)
    page = client.get("/classes/").content.decode()
    assert ('href="/classes/"' in page, networks.name in page, "If your teacher" in page) == (True, True, False)
    assert client.get(f"/classes/{networks.pk}/").status_code == 200
    assert client.get(f"/classes/{networks.pk}/people/").status_code == 404


def test_an_auditor_is_not_sent_to_a_teacher(auditor: User, building_a: Lab):
    machine = building_a.machine(102)
    machine.addresses = ["10.0.0.7"]
    machine.save()
    page = logged_in(auditor).get(f"/vms/{machine.pk}/").content.decode()
    assert ("10.0.0.7" in page, 'id="rdp"' in page) == (True, False)
    said = logged_in(auditor).get(f"/vms/{machine.pk}/console/").content.decode()
    assert "your permissions don&#x27;t include operating it" in said
    assert 'data-barred="yes"' in said  # the script offers no other try
    assert "Ask your teacher" not in said.partition('id="panel"')[2]
