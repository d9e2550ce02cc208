"""Which groups a person is in, as roles see it."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Directory, SignInIdentity, User
from accounts.sign_in import directories
from tests.accounts.sign_in.ldap.conftest import log_in, school
from tests.accounts.sign_in.people import gives, roles_of
from tests.directories.slapd import BASE, PASSWORD, group, person

pytestmark = pytest.mark.django_db

CORA = f"cn=cora,ou=pupils,{BASE}"


def dn(name: str) -> str:
    return f"cn={name},ou=groups,{BASE}"


def groups_of(source: Directory, username: str = "cora") -> set[str] | None:
    """Their names; None: the answer was not complete."""
    found = directories.ask(source, username, PASSWORD)
    assert found
    return None if found.groups is None else {one.partition(",")[0].removeprefix("cn=") for one in found.groups}


def posix(cn: str, number: int, *uids: str) -> Any:
    more = {"memberUid": list(uids)} if uids else {}
    return dn(cn), {"objectClass": "posixGroup", "cn": cn, "gidNumber": str(number)} | more


@pytest.mark.parametrize("member_of", [True, False])
def test_groups_in_groups_count_where_the_directory_is_said_to_have_them(start: Any, member_of: bool):
    chain = [group("a", CORA), group("b", dn("a")), group("c", dn("b")), group("other", dn("x"))]
    server = start(person("cora"), *chain, member_of=member_of)
    assert groups_of(school(server)) == {"a", "b", "c"}
    assert groups_of(school(server, name="flat", nested=False)) == {"a"}


def test_groups_that_contain_each_other_end_the_walk(start: Any):
    server = start(person("cora"), group("a", CORA, dn("b")), group("b", dn("a"), dn("b")))
    assert groups_of(school(server)) == {"a", "b"}


def test_a_chain_that_is_too_long_is_an_incomplete_answer(start: Any):
    server = start(person("cora"), group("g0", CORA), *(group(f"g{n}", dn(f"g{n - 1}")) for n in range(1, 12)))
    assert groups_of(school(server)) is None


def test_members_by_name_have_case_and_the_typed_name_does_not_matter(start: Any):
    server = start(person("ben"), posix("right", 1, "ben"), posix("wrong", 2, "Ben"))
    assert groups_of(school(server, group_attribute="memberUid"), "BEN") == {"right"}


def test_the_primary_group_counts(start: Any):
    account = {"classes": ["posixAccount"], "uidNumber": "7", "gidNumber": "5", "homeDirectory": "/"}
    server = start(person("cora", **account), posix("pupils", 5), posix("staff", 6), group("all", dn("pupils")))
    assert groups_of(school(server)) == {"pupils", "all"}


def test_unique_members_count_where_the_directory_is_said_to_have_them(start: Any):
    unique = dn("u"), {"objectClass": "groupOfUniqueNames", "cn": "u", "uniqueMember": CORA}
    server = start(person("cora"), unique)
    assert groups_of(school(server, group_attribute="uniqueMember")) == {"u"}


def test_more_groups_than_a_page_are_all_there(start: Any):
    server = start(person("cora"), *(group(f"g{n}", CORA) for n in range(620)), member_of=False)
    assert len(groups_of(school(server, nested=False)) or ()) == 620


def test_a_list_of_groups_that_the_directory_cuts_changes_no_role(start: Any):
    """And neither does a base of groups that is not there."""
    server = start(person("cora"), group("teachers", CORA), member_of=False)
    source = school(server)
    gives(source, "Teacher", dn("teachers"))
    log_in(Client(), "cora")
    cora = User.objects.get()
    assert roles_of(cora) == {"Teacher"}
    read_at = SignInIdentity.objects.get().groups_at
    source.group_base_dn = f"ou=gone,{BASE}"
    source.save()
    assert groups_of(source) is None
    assert log_in(Client(), "cora").status_code == 302
    assert (roles_of(cora), SignInIdentity.objects.get().groups_at) == ({"Teacher"}, read_at)
    source.group_base_dn = f"ou=pupils,{BASE}"  # a complete answer: none are there
    source.save()
    log_in(Client(), "cora")
    assert roles_of(cora) == set()
