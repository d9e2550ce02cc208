"""A real Samba Active Directory: its reasons for refusing, its rule for groups in groups, its primary groups."""

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.utils import timezone

from accounts.encrypted_fields import Secret
from accounts.models import Directory, SignInIdentity, User
from accounts.sign_in import directories, testing
from accounts.sign_in.keeping_up import job
from tests.accounts.sign_in.ldap.conftest import is_in, log_in
from tests.accounts.sign_in.people import let_in
from tests.directories import samba
from tests.directories.samba import BASE, PASSWORD, Samba

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def server() -> Iterator[Samba]:
    """Made once: that takes a minute."""
    if not os.environ.get("SAMBA_TESTS") or not samba.tool():
        pytest.skip(
            "allowed: needs Samba, as root: bin/test --samba (apt install samba samba-ad-provision samba-dsdb-modules)"
        )
    made = Samba()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def school(server: Samba) -> Directory:
    made: Directory = Directory.objects.create(
        name="school", label="School directory", is_active=True, servers=server.uri, flavour="ad",
        bind_dn=f"CN=Administrator,CN=Users,{BASE}", secret=Secret(PASSWORD), base_dn=BASE,
        person_filter="(&(objectClass=user)(!(objectClass=computer)))", ca_certificates=server.ca,
    )  # fmt: skip
    let_in(made)
    return made


def groups(source: Directory) -> set[str]:
    found = directories.ask(source, "cora", PASSWORD)
    assert found
    return {one.partition(",")[0].removeprefix("CN=") for one in found.groups or ()}


def test_the_id_is_the_guid_and_the_base_s_referrals_are_nobody(school: Directory, client: Client):
    assert log_in(client, "CORA", PASSWORD).status_code == 302
    assert is_in(client)
    cora = User.objects.get()
    assert (cora.username, cora.get_full_name()) == ("cora", "A Cora")
    assert len(SignInIdentity.objects.get().subject) == 36
    lines = {str(getattr(line.what, "code", "")): line for line in testing.run(school, "cora")}
    assert {line.state for line in lines.values()} == {"ok"}, [
        (str(one.what), str(one.sentence)) for one in lines.values()
    ]
    assert abs(lines["sign-in-test-clock"].clock_offset or 0) < 60


def test_groups_in_groups_by_active_directory_s_rule_and_the_primary_group_with_what_it_is_in(school: Directory):
    """`teachers` is in `staff`. `pupils` is the primary group: in neither list of members, and itself in `everyone`."""
    assert groups(school) == {"teachers", "staff", "pupils", "everyone", "Domain Users", "Users"}
    assert token_groups(school) <= groups(school)


def token_groups(source: Directory) -> set[str]:
    """What Active Directory itself gives somebody who logs in there."""
    connections, people = (
        importlib.import_module(f"accounts.sign_in.ldap.{name}") for name in ("connections", "people")
    )

    def ask(connection: Any) -> set[str]:
        ((_dn, entry),) = people.person_search(source).execute(connection, {"user": "cora"})
        (row,) = people.found(connection.search_s(entry.dn, 0, "(objectClass=*)", ["tokenGroups"]))
        named = [
            people.found(connection.search_s(f"<SID={sid.hex()}>", 0, "(objectClass=*)", ["1.1"]))
            for sid in row.values("tokenGroups")
        ]
        return {one.dn.partition(",")[0].removeprefix("CN=") for found in named for one in found}

    found: set[str] = connections.pool_of(source).as_reader(ask)
    return found


@pytest.mark.parametrize(
    ("name", "told"),
    [("expired", "has expired"), ("mustchange", "change the password of your school account")],
)
def test_the_reason_is_told_and_no_wrong_password_counted(school: Directory, client: Client, name: str, told: str):
    answer = log_in(client, name, PASSWORD)
    assert (answer.status_code, told in answer.content.decode()) == (403, True)
    assert not AccessAttempt.objects.exists()


def test_a_disabled_account_and_a_wrong_password_are_told_alike(school: Directory, client: Client):
    assert log_in(client, "disabled", PASSWORD).status_code == 200
    assert log_in(client, "cora", "wrong").status_code == 200
    assert AccessAttempt.objects.count() == 2


def test_a_locked_account_is_said_to_be_locked(school: Directory, client: Client):
    for _ in range(3):
        log_in(client, "locked", "wrong")
    answer = log_in(client, "locked", PASSWORD)
    assert (answer.status_code, "is locked" in answer.content.decode()) == (403, True)


def test_a_pupil_who_was_moved_is_the_same_person(school: Directory, server: Samba):
    assert log_in(Client(), "moved", PASSWORD).status_code == 302
    before = User.objects.get().pk
    server.move("moved")
    assert log_in(Client(), "moved", PASSWORD).status_code == 302
    assert User.objects.get().pk == before


def test_the_nightly_listing_knows_who_is_disabled_or_expired_and_the_same_groups(school: Directory):
    listed = {one.username: one for one in job.everybody(school, timezone.now()).values()}
    assert {name: one.closed for name, one in listed.items() if one.closed} == {
        "disabled": "disabled", "expired": "expired", "Guest": "disabled", "krbtgt": "disabled",
    }  # fmt: skip
    asked = directories.ask(school, "cora", PASSWORD)
    assert asked
    assert listed["cora"].groups == asked.groups
