"""What an entry says about a person, and who is in which groups: without a server, and without its library."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Directory
from accounts.sign_in.facts import Closed
from accounts.sign_in.ldap import entries
from accounts.sign_in.ldap.entries import Entry
from accounts.sign_in.ldap.group_tree import GroupTree, key

NOW = datetime(2026, 11, 29, tzinfo=UTC)
BEGAN = datetime(1601, 1, 1, tzinfo=UTC)


def entry(dn: str = "CN=Cora,DC=school", **values: object) -> Entry:
    attributes = {
        name.replace("_", "-"): [one if isinstance(one, bytes) else str(one).encode()] for name, one in values.items()
    }
    return Entry.of(dn, attributes)


def filetime(moment: datetime) -> int:
    return int((moment - BEGAN).total_seconds()) * 10_000_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, None),
        (2**63 - 1, None),
        (filetime(NOW + timedelta(days=1)), None),
        (filetime(NOW - timedelta(days=1)), Closed.EXPIRED),
        (2**63 - 2, None),  # later than any date
        ("", None),
    ],
)
def test_an_account_of_active_directory_expires(value: object, expected: Closed | None):
    assert entries.closed_for_good(entry(accountExpires=value), NOW) == expected


def test_disabled_locked_and_must_change_are_told_by_two_attributes():
    assert entries.closed(entry(userAccountControl=514), NOW) == Closed.DISABLED
    computed = "msDS_User_Account_Control_Computed"
    assert entries.closed(entry(userAccountControl=512, **{computed: 16}), NOW) == Closed.LOCKED
    must = entry(userAccountControl=512, **{computed: 8388608})
    assert entries.closed(must, NOW) == Closed.MUST_CHANGE_PASSWORD
    assert entries.closed_for_good(must, NOW) is None
    assert entries.closed(entry(userAccountControl=512, **{computed: 0}), NOW) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("52e", None),
        ("533", None),  # disabled: told like a wrong password
        ("532", Closed.MUST_CHANGE_PASSWORD),
        ("773", Closed.MUST_CHANGE_PASSWORD),
        ("701", Closed.EXPIRED),
        ("775", Closed.LOCKED),
    ],
)
def test_active_directory_says_why_it_refuses(code: str, expected: Closed | None):
    text = f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {code}, v4563"
    assert entries.closed_by_refusal(text) == expected


def test_an_id_is_read_whether_or_not_its_bytes_look_like_text():
    source = Directory(id_attribute="objectGUID")
    assert (
        entries.subject(source, entry(objectGUID=bytes(range(0xF0, 0x100)))) == "f3f2f1f0-f5f4-f7f6-f8f9-fafbfcfdfeff"
    )
    assert entries.subject(source, entry(objectGUID=b"ABCDEFGHIJKLMNOP")) == "44434241-4645-4847-494a-4b4c4d4e4f50"
    assert entries.subject(source, entry(objectGUID=b"too short")) == ""
    assert entries.subject(source, entry()) == ""
    assert entries.subject(Directory(id_attribute="entryUUID"), entry(entryUUID="c856e04c-8097")) == "c856e04c-8097"


def test_the_primary_group_is_the_persons_sid_with_another_number():
    sid = bytes.fromhex("010500000000000515000000") + bytes(12) + (1104).to_bytes(4, "little")
    assert entries.primary_group_sid(entry(objectSid=sid, primaryGroupID=513)) == sid[:-4] + (513).to_bytes(4, "little")
    assert entries.primary_group_sid(entry(objectSid=sid)) is None
    assert entries.primary_group_sid(entry(primaryGroupID=513)) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CN=Cora,DC=School", "cn=cora, dc=school", True),
        ("CN=Cora\\, T.,DC=x", "cn=cora\\2c t.,dc=x", True),
        ("CN=a\\,ou=b,DC=x", "CN=a,ou=b,DC=x", False),
        ("CN=a,DC=x", "CN=b,DC=x", False),
    ],
)
def test_ways_of_writing_a_name_are_one_name(one: str, other: str, same: bool):
    assert (key(one) == key(other)) is same


def test_a_tree_of_groups_gives_each_person_theirs():
    tree = GroupTree(is_nested=True, is_active_directory=False)
    cora = tree.add_person(entry("CN=Cora,DC=x", uid="cora", gidNumber=5))
    ben = tree.add_person(entry("CN=Ben,DC=x", uid="Ben", memberOf="CN=elsewhere,DC=y"))
    tree.add_group(entry("CN=a,DC=x"), [("member", "cn=cora, dc=x"), ("memberuid", "ben")])
    tree.add_group(entry("CN=b,DC=x"), [("member", "CN=a,DC=x"), ("member", "CN=b,DC=x")])
    tree.add_group(entry("CN=c,DC=x", gidNumber=5), [("member", "CN=PC-1,OU=Machines,DC=x")])
    assert tree.groups_of(cora) == {"CN=a,DC=x", "CN=b,DC=x", "CN=c,DC=x"}
    assert tree.groups_of(ben) == {"CN=elsewhere,DC=y"}
