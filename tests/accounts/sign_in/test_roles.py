"""Roles that come from a source, and those that stay because a person gave them."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import OutsideRole, SignInRule, SignInSource, User
from accounts.sign_in import roles
from tests.accounts.sign_in.people import enter, gives, let_in, person, provider, roles_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def school() -> SignInSource:
    made = provider()
    let_in(made)
    gives(made, "Teacher", "teachers")
    gives(made, "Lab administrator", "admins")
    return made


def test_a_role_comes_and_goes_with_its_group(school: SignInSource):
    cora = enter(school, person(groups=["teachers"]))
    assert (roles_of(cora), cora.is_staff) == ({"Teacher"}, False)
    assert roles_of(enter(school, person(groups=[]))) == set()
    assert not OutsideRole.objects.exists()


def test_a_role_of_the_administration_makes_staff_while_it_lasts(school: SignInSource):
    cora = enter(school, person(groups=["admins"]))
    assert (roles_of(cora), cora.is_staff, cora.is_superuser) == ({"Lab administrator"}, True, False)
    cora = enter(school, person(groups=["teachers"]))
    assert (roles_of(cora), cora.is_staff) == ({"Teacher"}, False)


def test_who_was_staff_before_stays_so(school: SignInSource):
    cora = enter(school, person())
    User.objects.filter(pk=cora.pk).update(is_staff=True)
    enter(school, person(groups=["admins"]))
    assert enter(school, person()).is_staff


def test_whom_a_person_made_staff_meanwhile_stays_so(school: SignInSource):
    cora = enter(school, person(groups=["admins"]))
    roles.staff_by_hand(cora)
    assert enter(school, person()).is_staff


def test_a_role_given_by_hand_stays(school: SignInSource):
    cora = enter(school, person())
    cora.groups.add(Group.objects.get(name="Teacher"))
    assert roles_of(enter(school, person(groups=["teachers"]))) == {"Teacher"}
    assert OutsideRole.objects.get().also_by_hand
    assert roles_of(enter(school, person(groups=[]))) == {"Teacher"}
    assert not OutsideRole.objects.exists()


def test_a_role_taken_and_given_again_by_hand_is_no_longer_from_outside(school: SignInSource):
    cora = enter(school, person(groups=["teachers"]))
    teacher = Group.objects.get(name="Teacher")
    cora.groups.remove(teacher)
    cora.groups.add(teacher)
    assert not OutsideRole.objects.exists()
    assert roles_of(enter(school, person(groups=[]))) == {"Teacher"}


@pytest.mark.parametrize("way", ["set", "clear", "from the group"])
def test_whichever_way_a_person_takes_it(school: SignInSource, way: str):
    cora = enter(school, person(groups=["teachers"]))
    if way == "from the group":
        Group.objects.get(name="Teacher").user_set.remove(cora)
    else:
        {"set": lambda: cora.groups.set([]), "clear": cora.groups.clear}[way]()
    assert not OutsideRole.objects.exists()
    assert roles_of(enter(school, person(groups=["teachers"]))) == {"Teacher"}


def test_of_two_sources_one_is_enough(school: SignInSource):
    other = provider("other")
    cora = enter(school, person(groups=["teachers", "admins"]))
    teacher, admin = (Group.objects.get(name=name).pk for name in ("Teacher", "Lab administrator"))
    roles.apply(cora, other, frozenset({teacher, admin}), now=timezone.now())
    assert not OutsideRole.objects.filter(also_by_hand=True).exists()
    cora = enter(school, person())
    assert (roles_of(cora), cora.is_staff) == ({"Teacher", "Lab administrator"}, True)
    roles.apply(cora, other, frozenset(), now=timezone.now())
    cora.refresh_from_db()
    assert (roles_of(cora), cora.is_staff) == (set(), False)


def test_what_somebody_kept_by_hand_is_kept_from_every_source(school: SignInSource):
    other = provider("other")
    cora = enter(school, person(groups=["teachers"]))
    roles.apply(cora, other, frozenset({Group.objects.get(name="Teacher").pk}), now=timezone.now())
    OutsideRole.objects.filter(source=school).update(also_by_hand=True)
    enter(school, person())
    roles.apply(cora, other, frozenset(), now=timezone.now())
    assert roles_of(cora) == {"Teacher"}


def test_nothing_known_changes_nothing(school: SignInSource):
    cora = enter(school, person(groups=["teachers", "admins"]))
    enter(school, person(groups=None))
    cora.refresh_from_db()
    assert (roles_of(cora), cora.is_staff) == ({"Teacher", "Lab administrator"}, True)


@given(
    st.lists(
        st.one_of(st.none(), st.sets(st.sampled_from(["teachers", "admins", "Teachers", "superusers"]))), max_size=6
    )
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_last_complete_answer_counts_and_what_was_given_by_hand(school: SignInSource, answers):
    User.objects.all().delete()
    cora = enter(school, person())
    cora.groups.add(Group.objects.get(name="Auditor"))
    last: set[str] = set()
    for answer in answers:
        cora = enter(school, person(groups=answer))
        last = last if answer is None else answer
    wanted = {"Teacher"} if "teachers" in last else set()
    wanted |= {"Lab administrator"} if "admins" in last else set()
    cora.refresh_from_db()
    assert roles_of(cora) == wanted | {"Auditor"}
    assert (cora.is_staff, cora.is_superuser) == ("admins" in last, False)


def test_a_rule_gives_a_role_or_entry(school: SignInSource):
    for values in ({"gives": "role"}, {"gives": "entry", "role": Group.objects.first()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            SignInRule.objects.create(source=school, **values)
