"""A whole listing of a directory, from servers that tell only so much at once."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Directory, SignInIdentity
from accounts.sign_in import directories, keeping_up
from accounts.sign_in.keeping_up import job
from accounts.sign_in.outages import SourceDown
from tests.accounts.sign_in.ldap.conftest import log_in, school
from tests.directories.slapd import BASE, PASSWORD, group, person

pytestmark = pytest.mark.django_db

PAGED = "1.2.840.113556.1.4.319"


class Cutting:
    """A server that keeps what Active Directory announces: 1000 entries at once, and 1500 values of an attribute."""

    def __init__(self, people: int, members: int, *, broken_at: int = -1) -> None:
        self._people = [(f"CN=p{n},DC=x", {"objectGUID": [n.to_bytes(16, "little")], "sAMAccountName": [b"p%d" % n]})
                        for n in range(people)]  # fmt: skip
        self._members = [b"CN=p%d,DC=x" % n for n in range(members)]
        self._broken_at = broken_at

    def search_ext(self, base: str, scope: int, wanted: str, attributes: Any, serverctrls: Any) -> Any:
        (control,) = serverctrls
        assert control.size <= 1000
        return wanted, control

    def result3(self, number: Any) -> Any:
        wanted, control = number
        rows: list[Any] = self._people if "sAMAccountName" in wanted else [("CN=all,DC=x", self._range(0))]
        begin = int(control.cookie or 0)
        end = begin + control.size
        told = SimpleNamespace(controlType=PAGED, cookie=str(end) if end < len(rows) else "")
        referral = (None, ["ldap://elsewhere.x/DC=x"])
        return 0, [*rows[begin:end], referral], 0, [] if begin == self._broken_at else [told]

    def search_s(self, base: str, scope: int, wanted: str, attributes: list[str]) -> Any:
        begin = re.fullmatch(r"member;range=(\d+)-\*", attributes[0])
        assert begin
        return [("CN=all,DC=x", self._range(int(begin[1])))]

    def _range(self, begin: int) -> Any:
        some = self._members[begin : begin + 1500]
        if len(some) == len(self._members):
            return {"member": some}
        last = "*" if begin + 1500 >= len(self._members) else str(begin + 1499)
        return {"member": [], f"member;range={begin}-{last}": some}


AD = Directory(
    flavour="ad", id_attribute="objectGUID", name_attribute="sAMAccountName", base_dn="DC=x", nested=True
)  # fmt: skip


def test_all_pages_and_all_ranges_are_read(room: Any):
    found = room("listing").read(Cutting(2600, 3600), AD, timezone.now())
    assert len(found) == 2600
    assert all(one.groups == {"CN=all,DC=x"} for one in found.values())


def test_an_answer_that_does_not_say_whether_there_is_more_is_none(room: Any):
    listing = room("listing")
    with pytest.raises(listing.Incomplete):
        listing.read(Cutting(2600, 10, broken_at=1000), AD, timezone.now())


def test_a_listing_is_what_signing_in_says(start: Any):
    """Or roles would come and go."""
    cora, dora = (
        person("cora"),
        person("dora", classes=["posixAccount"], uidNumber="7", gidNumber="5", homeDirectory="/"),
    )
    posix = (
        f"cn=pupils,ou=groups,{BASE}",
        {"objectClass": "posixGroup", "cn": "pupils", "gidNumber": "5", "memberUid": "cora"},
    )
    nested = group("all", posix[0], f"cn=a,ou=groups,{BASE}")
    server = start(cora, dora, posix, group("a", cora[0]), nested)
    source = school(server, group_attribute="memberUid")
    listed = {one.username: one for one in job.everybody(source, timezone.now()).values()}
    for name in ("cora", "dora"):
        asked = directories.ask(source, name, PASSWORD)
        assert asked
        assert (asked.subject, asked.groups) == (listed[name].subject, listed[name].groups)
        assert len(asked.groups or ()) >= 2


def test_the_nightly_job_finds_out_who_left(start: Any, client: Any):
    server = start(person("cora"), person("dora"))
    source = school(server)
    log_in(client, "cora")
    server.change(f"dn: cn=cora,ou=pupils,{BASE}\nchangetype: delete\n")
    keeping_up.compare_all()
    assert SignInIdentity.objects.get().left_at
    source.refresh_from_db()
    assert "1 people listed" in source.sync_sentence


def test_an_empty_listing_and_one_that_the_server_cuts_change_nothing(start: Any, client: Any):
    server = start(
        person("cora"), *(person(f"p{n}") for n in range(30)), size_limit="size.soft=10 size.hard=10 size.prtotal=20"
    )
    source = school(server)
    log_in(client, "cora")
    for values in ({}, {"person_filter": "(objectClass=device)"}):
        Directory.objects.update(**values)
        source.refresh_from_db()
        with pytest.raises(SourceDown):
            job.everybody(source, timezone.now())
        keeping_up.compare(source)
        assert SignInIdentity.objects.get().left_at is None
