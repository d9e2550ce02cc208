"""The table of rights: who may do what in a class."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from accounts.models import User
from classes import access, co_owners
from classes.access import TABLE, Right, Role
from classes.enrolment import joining
from classes.models import LabClass
from clusters.models import Cluster
from tests.classes.conftest import invite, lab_class, logged_in, teacher
from tests.labs import Lab, queries
from vms.models import VirtualMachine


@pytest.fixture
def people(networks: LabClass, tess: User, lab_admin: User, auditor: User, ana: User) -> dict[Role, User]:
    cora = teacher("cora")
    co_owners.add(networks, cora, by=networks.owner)
    joining.join(invite(networks)[0], ana)
    running = {Role.OWNER: tess, Role.CO_OWNER: cora, Role.ADMINISTRATOR: lab_admin}
    return {**running, Role.MEMBER: ana, Role.AUDITOR: auditor}


@pytest.mark.django_db
@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("role", Role)
def test_the_table_holds(people: dict[Role, User], networks: LabClass, role: Role, right: Right):
    assert access.may(people[role], networks, right) == (role in TABLE[right])


PAGES: dict[str, tuple[str, Right]] = {
    "lesson": ("", Right.SEE),
    "machines": ("machines/", Right.RUN),
    "share": ("machines/share/", Right.RUN),
    "table": ("machines/table/", Right.RUN),
    "people": ("people/", Right.RUN),
    "add": ("people/add/", Right.RUN),
    "export": ("people/export/", Right.RUN),
    "invite": ("invite/", Right.RUN),
    "co-owners": ("co-owners/", Right.RUN),
    "settings": ("settings/", Right.RUN),
    "delete": ("delete/", Right.OWN),
}


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", Role)
def test_a_page_opens_by_the_table(people: dict[Role, User], networks: LabClass, role: Role, page: str):
    end, right = PAGES[page]
    refused = 404 if role in {Role.MEMBER, Role.AUDITOR} else 403
    answer = logged_in(people[role]).get(f"/classes/{networks.pk}/{end}")
    assert answer.status_code == (200 if role in TABLE[right] else refused)


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_a_foreign_class_is_not_there(networks: LabClass, theo: User, ben: User, page: str):
    for outsider in (theo, ben):
        assert logged_in(outsider).get(f"/classes/{networks.pk}/{PAGES[page][0]}").status_code == 404


@pytest.mark.django_db
def test_a_co_owner_does_not_choose_co_owners(people: dict[Role, User], networks: LabClass, theo: User):
    client, where = logged_in(people[Role.CO_OWNER]), f"/classes/{networks.pk}/co-owners/"
    assert client.post(where, {"username": "theo"}).status_code == 403
    assert client.post(f"{where}{people[Role.CO_OWNER].pk}/transfer/").status_code == 403
    assert not networks.co_owners.filter(pk=theo.pk).exists()


@pytest.mark.django_db
def test_an_administrator_is_active_of_the_staff_and_has_the_right(networks: LabClass, lab_admin: User, auditor: User):
    assert access.is_administrator(lab_admin)
    assert not access.is_administrator(auditor)
    for lacking in "is_staff", "is_active":
        setattr(lab_admin, lacking, False)
        assert not access.is_administrator(lab_admin)
        assert not access.may(lab_admin, networks, Right.SEE)
        setattr(lab_admin, lacking, True)
    assert access.may(lab_admin, networks, Right.SEE)


@pytest.mark.django_db
def test_a_person_who_is_switched_off_has_no_right_and_of_such_clusters_nothing_is_handed_on(
    networks: LabClass, tess: User
):
    tess.is_active = False
    assert not access.may(tess, networks, Right.SEE)
    assert access.own_grants(tess).exists()
    Cluster.objects.update(is_active=False, is_default=False)
    assert not access.own_grants(tess).exists()


@pytest.mark.django_db
def test_only_an_administrator_lets_a_student_run_the_class(people: dict[Role, User], networks: LabClass, ben: User):
    student, owner, admin = people[Role.MEMBER], people[Role.OWNER], people[Role.ADMINISTRATOR]
    assert access.co_owner_refusal(student, networks, by=owner)
    student.groups.add(Group.objects.get(name="Teacher"))
    student = User.objects.get(pk=student.pk)
    assert access.is_student(student, networks)
    assert not access.is_student(ben, networks)
    assert "ana is a student of this class" in access.co_owner_refusal(student, networks, by=owner)
    assert access.co_owner_refusal(student, networks, by=admin) == ""
    assert access.co_owner_refusal(teacher("cleo"), networks, by=owner) == ""


@pytest.mark.django_db
def test_the_top_of_the_page_offers_a_stranger_nothing_and_everybody_what_is_his(people: dict[Role, User], ben: User):
    with queries() as asked:
        assert not any(access.navigation(AnonymousUser()))
    assert not asked
    found = {role: access.navigation(person)[:2] for role, person in people.items()}
    assert found == {
        Role.OWNER: (True, True),
        Role.CO_OWNER: (True, True),
        Role.ADMINISTRATOR: (True, False),
        Role.MEMBER: (True, False),
        Role.AUDITOR: (True, False),
    }
    assert not any(access.navigation(ben))
    assert access.navigation(User.objects.create_superuser("root")).shows_classes


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_the_set_is_led_by_owner_and_co_owners(networks: LabClass, tess: User, ana: User):
    kept = networks.machine_set
    assert set(kept.stewards.values_list("username", flat=True)) == {"tess", "cora"}
    assert list(kept.members.all()) == [ana]
    co_owners.remove(networks, User.objects.get(username="cora"))
    assert list(kept.stewards.all()) == [tess]
    assert not VirtualMachine.objects.operable_by(User.objects.get(username="cora")).exists()


@pytest.mark.django_db
def test_teachers_are_no_staff_and_make_nobody_staff(tess: User):
    assert not tess.is_staff
    assert access.may_create(tess)
    assert logged_in(tess).get("/admin/").status_code == 302
    rights = Group.objects.get(name="Teacher").permissions.values_list("codename", flat=True)
    assert list(rights) == ["add_labclass"]


@pytest.mark.django_db
def test_who_is_no_teacher_makes_no_class(ana: User, building_a: Lab):
    assert logged_in(ana).get("/classes/new/").status_code == 403
    assert logged_in(ana).post("/classes/new/", {"name": "Mine"}).status_code == 403
    assert not LabClass.objects.exists()


@pytest.mark.django_db
def test_two_classes_of_one_name(tess: User, theo: User, building_a: Lab):
    first, second = lab_class(tess, building_a, 101), lab_class(theo, building_a, 102)
    assert first.machine_set.name != second.machine_set.name
