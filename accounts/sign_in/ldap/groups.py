"""The groups of a person, those that groups of the person are in, and the primary group.

AD finds the nested ones itself, by its rule; elsewhere they are walked, a level at a time. None is an answer that is
not complete: it changes nobody's roles.
"""

import time
from collections.abc import Iterable
from typing import Any

import ldap
from ldap.controls import SimplePagedResultsControl
from ldap.filter import escape_filter_chars as escaped

from accounts.models.sources import SignInSource
from accounts.sign_in.ldap.connections import Pool
from accounts.sign_in.ldap.entries import Entry, primary_group_sid
from accounts.sign_in.ldap.people import found
from accounts.sign_in.syntax import parse_dn

IN_CHAIN = "1.2.840.113556.1.4.1941"
PAGE, MOST, LEVELS, AT_ONCE = 500, 2000, 10, 50
KNOWN_FOR = 300.0  # seconds

INCOMPLETE = (
    ldap.SIZELIMIT_EXCEEDED, ldap.TIMELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED, ldap.NO_SUCH_OBJECT,
    ldap.INSUFFICIENT_ACCESS, ldap.INVALID_DN_SYNTAX, ldap.OPERATIONS_ERROR, ldap.PARTIAL_RESULTS,
)  # fmt: skip


class _TooMany(Exception):
    """More groups, or levels of them, than anybody is in by intention."""


def of(pool: Pool, entry: Entry) -> frozenset[str] | None:
    """DNs as the directory writes them. Raises `SourceDown`."""

    def act(connection: Any) -> frozenset[str] | None:
        try:
            find = _of_active_directory if pool.source.flavour == SignInSource.Flavour.AD else _walked
            return frozenset({*entry.texts("memberOf"), *find(connection, pool, entry)})
        except (*INCOMPLETE, _TooMany):
            return None

    return pool.as_reader(act)


def base(source: SignInSource) -> str:
    return source.group_base_dn or source.base_dn


def _of_active_directory(connection: Any, pool: Pool, entry: Entry) -> Iterable[str]:
    """One question: AD walks from the person and from the primary group, which it counts among neither's groups."""
    primary = _primary(connection, pool, entry)
    if not pool.source.nested:
        return primary
    members = "".join(f"(member:{IN_CHAIN}:={escaped(dn)})" for dn in (entry.dn, *primary))
    return [*primary, *_search(connection, pool.source, f"(|{members})")]


def _primary(connection: Any, pool: Pool, entry: Entry) -> tuple[str, ...]:
    """Asked once for a while: nearly everybody has the same."""
    sid = primary_group_sid(entry)
    if sid is None:
        return ()
    asked_at, known = pool.primary_groups.get(sid, (-KNOWN_FOR, ()))
    if time.monotonic() - asked_at < KNOWN_FOR:
        return known
    rows = connection.search_s(f"<SID={sid.hex()}>", ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"])
    known = tuple(row.dn for row in found(rows))
    pool.primary_groups[sid] = time.monotonic(), known
    return known


def _walked(connection: Any, pool: Pool, entry: Entry) -> Iterable[str]:
    """Each group once, so groups that contain each other end it as well."""
    source = pool.source
    known: dict[Any, str] = {}
    level = [*entry.texts("memberOf"), *_search(connection, source, _direct(source, entry))]
    for _ in range(LEVELS):
        new = {key: dn for dn in level if (key := parse_dn(dn) or dn) not in known}
        known |= new
        if len(known) > MOST:
            raise _TooMany
        if not new or not source.nested:
            return known.values()
        dns, level = list(new.values()), []
        for begin in range(0, len(dns), AT_ONCE):
            level += _search(connection, source, _any_of(by_dn(source), dns[begin : begin + AT_ONCE]))
    raise _TooMany


def by_dn(source: SignInSource) -> str:
    """The attribute that has members by their DN: those by name alone are no groups."""
    return "uniqueMember" if source.group_attribute.lower() == "uniquemember" else "member"


def has_members_by_name(source: SignInSource) -> bool:
    return source.group_attribute.lower() == "memberuid"


def _direct(source: SignInSource, entry: Entry) -> str:
    """Members by name are compared with case, so the name counts that the entry has, not the typed one."""
    terms = [f"({by_dn(source)}={escaped(entry.dn)})"]
    if has_members_by_name(source):
        terms += [f"(memberUid={escaped(name)})" for name in entry.texts("uid")]
    if (number := entry.number("gidNumber")) is not None:
        terms.append(f"(&(objectClass=posixGroup)(gidNumber={number}))")
    return f"(|{''.join(terms)})"


def _any_of(attribute: str, values: Iterable[str]) -> str:
    return f"(|{''.join(f'({attribute}={escaped(value)})' for value in values)})"


def _search(connection: Any, source: SignInSource, wanted: str) -> list[str]:
    """In pages: more than a directory tells at once are not cut off."""
    control, dns = SimplePagedResultsControl(criticality=False, size=PAGE, cookie=""), []
    while True:
        number = connection.search_ext(base(source), ldap.SCOPE_SUBTREE, wanted, ["1.1"], serverctrls=[control])
        _kind, rows, _id, controls = connection.result3(number)
        dns += [row.dn for row in found(rows)]
        cookie = next((one.cookie for one in controls if one.controlType == control.controlType), b"")
        if len(dns) > MOST:
            raise _TooMany
        if not cookie:
            return dns
        control.cookie = cookie
