"""The rules, as values: nothing here needs a database."""

from dataclasses import dataclass, replace

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.sign_in import syntax
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.rules import decide
from tests.accounts.sign_in.people import PUPILS, TEACHERS, person


@dataclass(frozen=True)
class Rule:
    on: str = "group"
    value: str = ""
    claim: str = ""
    gives: str = "entry"
    role_id: int | None = None


CHECKED = {"email_verified": ("true",)}
EVERYONE = Rule("everyone")
TEACHER = Rule("group", TEACHERS, gives="role", role_id=1)


def roles(who: OutsidePerson, *rules: Rule, directory: bool = False) -> frozenset[int] | None:
    return decide([EVERYONE, *rules], who, directory=directory).roles


def allowed(who: OutsidePerson, *rules: Rule, directory: bool = False) -> bool:
    return decide(rules, who, directory=directory).allowed


def test_without_an_entry_rule_nobody_comes_in():
    decision = decide([TEACHER], person(groups=[TEACHERS]), directory=True)
    assert (decision.allowed, decision.code, decision.roles) == (False, "no-entry-rule", frozenset())


@pytest.mark.parametrize(
    ("rule", "who", "comes_in"),
    [
        (Rule("group", "staff"), person(groups=["staff", "x"]), True),
        (Rule("group", "staff"), person(groups=["staffroom"]), False),
        (Rule("group", ""), person(groups=[""]), False),
        (Rule("claim", "portal", claim="app"), person(claims={"app": ("x", "portal")}), True),
        (Rule("claim", "portal", claim="app"), person(claims={"other": ("portal",)}), False),
        (Rule("claim", "portal", claim="app"), person(claims={"app": ("Portal",)}), False),
        (Rule("claim", "", claim="app"), person(claims={"app": ("",)}), False),
        (Rule("domain", "school.example"), person(email="c@School.Example", claims=CHECKED), True),
        (Rule("domain", "@school.example"), person(email="c@school.example", claims=CHECKED), True),
        (Rule("domain", "school.example"), person(email="c@school.example"), False),
        (Rule("domain", "school.example"), person(email="c@x.school.example", claims=CHECKED), False),
        (Rule("domain", "school.example"), person(email="c@school.example.evil", claims=CHECKED), False),
        (Rule("domain", "school.example"), person(email="school.example", claims=CHECKED), False),
    ],
)  # fmt: skip
def test_who_comes_in(rule: Rule, who: OutsidePerson, comes_in: bool):
    assert allowed(who, rule) is comes_in


def test_a_directory_vouches_for_its_addresses():
    assert allowed(person(email="c@school.example"), Rule("domain", "school.example"), directory=True)


def test_incomplete_groups_give_and_take_no_role_and_say_so():
    decision = decide([EVERYONE, TEACHER], person(groups=None), directory=True)
    assert (decision.allowed, decision.roles, decision.code) == (True, None, "groups-incomplete")


def test_incomplete_groups_let_nobody_in_by_a_group():
    decision = decide([Rule("group", "staff"), TEACHER], person(groups=None), directory=False)
    assert (decision.allowed, decision.roles, decision.code) == (False, None, "groups-unknown")


def test_no_groups_is_a_complete_answer():
    assert roles(person(groups=[]), TEACHER) == frozenset()


@pytest.mark.parametrize("name", ["teachers", "TEACHERS", "Teachers ", "Teachers\u200b", "T\u0435achers"])
def test_names_at_a_provider_that_differ_are_different_groups(name: str):
    rule = Rule("group", "Teachers", gives="role", role_id=1)
    assert roles(person(groups=[name]), rule) == frozenset()
    assert roles(person(groups=["Teachers"]), rule) == {1}


@pytest.mark.parametrize(
    "same",
    [
        TEACHERS,
        "cn=teachers,ou=groups,dc=SCHOOL,dc=example",
        "CN=Teachers, OU=Groups , DC=school,DC=example",
        r"CN=\54eachers,OU=Groups,DC=school,DC=example",
    ],
)
def test_a_dn_names_one_group_however_it_is_written(same: str):
    assert roles(person(groups=[same]), TEACHER, directory=True) == {1}


@pytest.mark.parametrize(
    "other",
    [
        "Teachers",
        "CN=Teachers",
        "CN=Teachers,OU=Clubs,DC=school,DC=example",
        r"CN=Teachers\,OU\=Groups,OU=Clubs,DC=school,DC=example",
        r"CN=Teachers\,OU=Groups\,DC=school\,DC=example",
        f"CN=Teachers,{TEACHERS}",
        f"{TEACHERS},DC=evil",
        "OU=Teachers,OU=Groups,DC=school,DC=example",
        "",
    ],
)
def test_a_group_that_only_looks_like_it_gives_nothing(other: str):
    assert roles(person(groups=[other]), TEACHER, directory=True) == frozenset()


def test_a_rule_of_a_directory_that_is_no_dn_is_about_nobody():
    rule = Rule("group", "Teachers", gives="role", role_id=1)
    assert roles(person(groups=["Teachers", TEACHERS]), rule, directory=True) == frozenset()


texts = st.text(max_size=12)
groups = st.one_of(st.none(), st.frozensets(st.sampled_from(["a", "A", "b", TEACHERS, PUPILS]) | texts, max_size=4))
some_rules = st.lists(
    st.builds(
        Rule,
        on=st.sampled_from(["group", "claim", "domain", "everyone", "nonsense"]),
        value=st.sampled_from(["a", "A", "b", "", TEACHERS]) | texts,
        claim=st.sampled_from(["", "a"]),
        gives=st.sampled_from(["entry", "role"]),
        role_id=st.sampled_from([None, 1, 2]),
    ),
    max_size=6,
)
people = st.builds(
    OutsidePerson,
    subject=texts,
    username=texts,
    email=texts | st.sampled_from(["a@a", "x@b"]),
    groups=groups,
    claims=st.dictionaries(st.sampled_from(["a", "email_verified"]), st.tuples(st.sampled_from(["a", "true"]) | texts)),
)


@given(some_rules, people, st.booleans())
def test_whatever_is_answered(rules: list[Rule], who: OutsidePerson, directory: bool):
    decision = decide(rules, who, directory=directory)
    if who.groups is None:
        assert decision.roles is None
    else:
        assert decision.roles is not None
        offered = {rule.role_id for rule in rules if rule.gives == "role"}
        assert decision.roles <= offered - {None}
        assert decision.allowed or not decision.roles
    if not any(rule.gives == "entry" for rule in rules):
        assert not decision.allowed
    assert str(decision.why)


@given(some_rules, people, st.booleans())
def test_another_group_never_takes_a_role_and_a_missing_answer_never_lets_in_more(
    rules: list[Rule], who: OutsidePerson, directory: bool
):
    before = decide(rules, who, directory=directory)
    more = decide(rules, replace(who, groups=(who.groups or frozenset()) | {"more"}), directory=directory)
    less = decide(rules, replace(who, groups=None), directory=directory)
    assert before.allowed <= more.allowed
    assert less.allowed <= before.allowed
    if before.roles is not None and more.roles is not None:
        assert before.roles <= more.roles


@given(texts, texts)
def test_a_value_cannot_leave_its_part_of_a_dn(value: str, other: str):
    escaped = "".join(f"\\{ord(c):02x}" if c.isascii() else c for c in value)
    parsed = syntax.parse_dn(f"CN={escaped}x,DC=school")
    assert parsed is not None
    assert len(parsed) == 2
    assert parsed[1] == (("dc", "school"),)


@pytest.mark.parametrize(
    ("check", "sound", "wrong"),
    [
        (syntax.validate_servers, "ldaps://dc1.school.example\nldap://10.0.0.1:389", "http://dc1"),
        (syntax.validate_servers, "ldap://[::1]:389", "ldaps://reader:secret@dc1"),
        (syntax.validate_dn, "OU=People,DC=school", "People"),
        (syntax.validate_filter, "(&(a=b)(c=d))", "(a=b)(c=d)"),
        (syntax.validate_filter, "(objectClass=user)", "objectClass=user"),
        (syntax.validate_attribute, "employeeNumber", "a)(b"),
        (syntax.validate_claim, "realm_access.roles", "a b"),
        (syntax.validate_header, "Remote-User", "Remote User"),
        (syntax.validate_issuer, "https://login.example/realms/x", "http://login.example"),
        (syntax.validate_issuer, "http://127.0.0.1:3000", "https://a.example/?x=1"),
        (syntax.validate_scopes, "openid email", "email"),
        (syntax.validate_algorithms, "RS256 EdDSA", "RS256 none"),
        (syntax.validate_algorithms, "PS256", "HS256"),
        (syntax.validate_networks, "10.0.0.1\n2001:db8::/32", "0.0.0.0/0"),
        (syntax.validate_networks, "127.0.0.1", "proxy.example"),
    ],
)
def test_what_may_be_entered(check, sound: str, wrong: str):
    check(sound)
    with pytest.raises(ValidationError):
        check(wrong)
