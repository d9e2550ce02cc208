"""The connection test says at which step a directory fails."""

from typing import Any

import pytest

from accounts.encrypted_fields import Secret
from accounts.models import Directory
from accounts.sign_in import testing
from accounts.sign_in.testing import TestLine
from pvesim.tls import Authority
from tests.accounts.sign_in.ldap.conftest import school
from tests.directories.slapd import BASE, Slapd, group, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(start: Any) -> Slapd:
    server: Slapd = start(person("cora"), group("teachers", f"cn=cora,ou=pupils,{BASE}"))
    return server


def states(source: Directory, typed: str = "cora") -> dict[str, str]:
    return {step(line): line.state for line in testing.run(source, typed)}


def step(line: TestLine) -> str:
    return str(getattr(line.what, "code", line.what)).removeprefix("sign-in-test-")


def test_all_is_well(server: Slapd):
    lines = testing.run_and_record(source := school(server), "CORA")
    assert [(step(line), line.state) for line in lines] == [
        ("name", "ok"), ("certificate", "ok"), ("bind", "ok"), ("clock", "not_asked"), ("base", "ok"),
        ("filter", "ok"), ("person", "ok"), ("groups", "ok"),
    ]  # fmt: skip
    assert "cn=teachers" in lines[-1].shown_sentence
    source.refresh_from_db()
    assert (source.last_test_ok, source.certificate_ends_at is not None) == (True, True)
    assert testing.can_find(source)
    found = testing.find(source, "cora")
    assert found
    assert (found.username, len(found.groups or ())) == ("cora", 1)
    assert testing.find(source, "nobody") is None


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"servers": "ldaps://nowhere.invalid"}, "name"),
        ({"servers": "ldaps://127.0.0.1:1"}, "name"),
        ({"ca_certificates": Authority("Other").certificate.pem}, "certificate"),
        ({"secret": Secret("wrong")}, "bind"),
        ({"base_dn": f"ou=nowhere,{BASE}"}, "base"),
        ({"person_filter": "(objectClass=device)"}, "filter"),
        ({"id_attribute": "employeeNumber"}, "filter"),
        ({"group_base_dn": f"ou=nowhere,{BASE}"}, "groups"),
    ],
)
def test_the_step_that_fails_is_named_and_those_behind_it_are_not_asked(server: Slapd, wrong: dict[str, Any], at: str):
    told = states(school(server, **wrong))
    assert [name for name, state in told.items() if state == "bad"] == [at]
    behind = list(told)[list(told).index(at) + 1 :]
    assert {told[name] for name in behind} <= {"not_asked"}


def test_a_person_whom_nobody_knows_is_said(server: Slapd):
    told = states(school(server), "nobody")
    assert (told["filter"], told["person"], told["groups"]) == ("ok", "bad", "not_asked")
    assert states(school(server, name="other"), "")["person"] == "not_asked"
