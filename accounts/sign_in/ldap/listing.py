"""Everybody in a directory with all their groups, for the nightly comparison: whole, or not at all.

Directories tell at most so many entries at once (AD: 1000) and so many values of an attribute (AD: 1500). People and
groups come in pages, and long lists of members in ranges. Of 20,000 people in 500 groups that takes some 30 MiB.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import ldap
from ldap.controls import SimplePagedResultsControl

from accounts.models.sources import SignInSource
from accounts.sentences import say
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.ldap import connections, entries, people, problems
from accounts.sign_in.ldap.entries import Entry
from accounts.sign_in.ldap.group_tree import GroupTree
from accounts.sign_in.ldap.groups import base, by_dn, has_members_by_name
from accounts.sign_in.outages import SourceDown

PAGE = 500
SECONDS = 30.0  # for a page, which may take a directory longer than one person
GROUPS = "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"

_RANGE = re.compile(r"(?P<name>[a-z]+);range=(?P<first>\d+)-(?P<last>\d+|\*)")


class Incomplete(Exception):
    """A part of the answer is missing. Nothing may be concluded from the rest."""


def everybody(source: SignInSource, now: datetime) -> dict[str, OutsidePerson]:
    """By subject. Raises `SourceDown`, also for an answer that is cut, empty or otherwise not whole."""
    problem: Exception | None = None
    for uri in source.server_list:
        try:
            connection = connections.connect(source, uri, SECONDS)
            try:
                connections.bind_reader(source, connection)
                found = read(connection, source, now)
            finally:
                connections.close(connection)
        except connections.NO_ANSWER as error:
            problem = error
        except ldap.LDAPError as error:
            raise SourceDown(source, problems.of(error)) from None
        except Incomplete:
            raise SourceDown(source, say("sign-in-cut")) from None
        else:
            if not found:
                raise SourceDown(source, say("sign-in-nobody-found"))
            return found
    raise SourceDown(source, problems.of(problem) if isinstance(problem, ldap.LDAPError) else say("sign-in-no-server"))


def read(connection: Any, source: SignInSource, now: datetime) -> dict[str, OutsidePerson]:
    """On a bound connection. Raises `Incomplete` and `ldap.LDAPError`."""
    tree = GroupTree(is_nested=source.nested, is_active_directory=source.flavour == SignInSource.Flavour.AD)
    wanted = f"(&{source.person_filter}({source.name_attribute}=*))"
    found: dict[str, tuple[OutsidePerson, int]] = {}
    for entry in pages(connection, source.base_dn, wanted, entries.attributes_of(source)):
        person = people.facts(source, entry, now, groups=None)
        if person.subject:
            person = replace(person, closed=entries.closed_for_good(entry, now))
            found[person.subject] = person, tree.add_person(entry)
    attributes = [by_dn(source), *["memberUid"] * has_members_by_name(source)]
    for entry in pages(connection, base(source), GROUPS, [*attributes, "gidNumber", "objectSid"]):
        tree.add_group(entry, members(connection, entry, attributes))
    return {subject: replace(person, groups=tree.groups_of(number)) for subject, (person, number) in found.items()}


def pages(connection: Any, base_dn: str, wanted: str, attributes: list[str]) -> Iterator[Entry]:
    """Raises `Incomplete` where the directory does not say whether there is more."""
    control = SimplePagedResultsControl(criticality=True, size=PAGE, cookie="")
    while True:
        number = connection.search_ext(base_dn, ldap.SCOPE_SUBTREE, wanted, attributes, serverctrls=[control])
        _kind, rows, _id, controls = connection.result3(number)
        yield from people.found(rows)
        told = [one for one in controls if one.controlType == control.controlType]
        if not told:
            raise Incomplete
        if not told[0].cookie:
            return
        control.cookie = told[0].cookie


def members(connection: Any, group: Entry, attributes: list[str]) -> Iterator[tuple[str, str]]:
    """Attribute, in lower case, and value of each member, all of them."""
    wanted = {name.lower() for name in attributes}
    for name, values in group.attributes.items():
        told = _RANGE.fullmatch(name)
        attribute = told["name"] if told else name
        if attribute not in wanted:
            continue
        yield from ((attribute, value.decode(errors="replace")) for value in values)
        if told and told["last"] != "*":
            for value in _further(connection, group.dn, attribute, int(told["last"]) + 1):
                yield attribute, value


def _further(connection: Any, dn: str, attribute: str, begin: int) -> Iterator[str]:
    while True:
        wanted = [f"{attribute};range={begin}-*"]
        rows = people.found(connection.search_s(dn, ldap.SCOPE_BASE, "(objectClass=*)", wanted))
        told = [
            (match, values)
            for row in rows
            for name, values in row.attributes.items()
            if (match := _RANGE.fullmatch(name)) and match["name"] == attribute and int(match["first"]) == begin
        ]
        if len(told) != 1 or not told[0][1]:
            raise Incomplete
        match, values = told[0]
        yield from (value.decode(errors="replace") for value in values)
        if match["last"] == "*":
            return
        begin = int(match["last"]) + 1
