"""Places in classes that come from groups of a sign-in source."""

import pytest

from accounts.models import SignInSource, User
from accounts.sign_in import preview
from classes.enrolment import class_machines, membership
from classes.models import ClassSignInRule, LabClass, Membership
from tests.accounts.sign_in.people import directory, enter, let_in, person
from tests.classes.conftest import lab_class, rows, teacher
from tests.labs import Lab
from vms.models import Assignment

pytestmark = pytest.mark.django_db

NETWORKS, DATABASES = (f"CN={name},OU=Classes,DC=school,DC=example" for name in ("Networks", "Databases"))


@pytest.fixture
def school() -> SignInSource:
    made = directory()
    let_in(made)
    return made


@pytest.fixture
def networks(building_a: Lab, school: SignInSource) -> LabClass:
    made = lab_class(teacher("tess"), building_a)
    class_machines.add(made, [machine.pk for machine in rows(building_a, 2)], by=made.owner)
    ClassSignInRule.objects.create(source=school, value=NETWORKS, lab_class=made)
    return made


def classes_of(user: User) -> list[str]:
    return [row.lab_class.name for row in Membership.objects.joined().filter(user=user)]


def machines_of(user: User) -> int:
    return int(Assignment.objects.live().filter(user=user).count())


def test_a_group_gives_a_place_and_a_machine(school: SignInSource, networks: LabClass):
    cora = enter(school, person(groups=[NETWORKS.lower()]))
    assert (classes_of(cora), machines_of(cora)) == ([networks.name], 1)
    enter(school, person(groups=[NETWORKS]))
    assert Membership.objects.filter(user=cora).count() == 1
    ben = enter(school, person("ben", groups=[DATABASES]))
    assert (classes_of(ben), machines_of(ben)) == ([], 0)


def test_leaving_the_group_frees_and_reverts_nothing(school: SignInSource, networks: LabClass):
    cora = enter(school, person(groups=[NETWORKS]))
    enter(school, person(groups=None))
    assert classes_of(cora) == [networks.name]
    enter(school, person(groups=[]))
    assert (classes_of(cora), machines_of(cora)) == ([], 1)
    assert not networks.machine_set.members.filter(pk=cora.pk).exists()
    enter(school, person(groups=[NETWORKS]))
    assert (classes_of(cora), machines_of(cora)) == ([networks.name], 1)


def test_a_place_that_a_person_gave_stays(school: SignInSource, networks: LabClass):
    cora = enter(school, person())
    membership.add_people(networks, [cora], at_once=False)
    enter(school, person(groups=[NETWORKS]))
    assert classes_of(cora) == [networks.name]
    enter(school, person(groups=[]))
    assert classes_of(cora) == [networks.name]


def test_whom_a_teacher_took_out_is_not_put_in_again(school: SignInSource, networks: LabClass):
    cora = enter(school, person(groups=[NETWORKS]))
    membership.remove(Membership.objects.get(user=cora), way="as-it-is", by=networks.owner)
    enter(school, person(groups=[NETWORKS]))
    assert classes_of(cora) == []


def test_a_class_that_is_over_takes_nobody(school: SignInSource, networks: LabClass):
    LabClass.objects.filter(pk=networks.pk).update(starts_on="2020-01-01", ends_on="2020-06-30")
    assert classes_of(enter(school, person(groups=[NETWORKS]))) == []


def test_a_preview_says_the_same_and_writes_nothing(school: SignInSource, networks: LabClass):
    name = networks.name
    assert preview.foresee(school, person(groups=[NETWORKS])).further == (f"Joins {name}.",)
    assert not Membership.objects.exists()
    enter(school, person(groups=[NETWORKS]))
    assert preview.foresee(school, person(groups=[NETWORKS])).further == (f"Is in {name} already.",)
    assert preview.foresee(school, person(groups=[])).further == (f"Leaves {name}.",)
    assert preview.foresee(school, person(groups=None)).further == ()


def test_a_rule_of_a_directory_names_a_whole_dn(client, admin: User, school: SignInSource, networks: LabClass):
    client.force_login(admin)
    page = client.get(f"/admin/classes/labclass/{networks.pk}/change/").content.decode()
    assert NETWORKS in page
    rule = ClassSignInRule(source=school, value="Networks", lab_class=networks)
    with pytest.raises(Exception, match="whole DN"):
        rule.full_clean()
