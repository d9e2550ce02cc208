"""Finds one person, tries the password, and says who it is."""

import unicodedata
from datetime import datetime
from typing import Any

import ldap
import ldap.filter
from django_auth_ldap.config import LDAPSearch
from ldap.controls import DecodeControlTuples, SimplePagedResultsControl
from ldap.controls.ppolicy import PasswordPolicyControl

from accounts.models.sources import SignInSource
from accounts.sign_in.facts import Closed, OutsidePerson
from accounts.sign_in.ldap import entries
from accounts.sign_in.ldap.entries import Entry

# Errors of draft-behera-ldap-password-policy.
_POLICY = {0: Closed.MUST_CHANGE_PASSWORD, 1: Closed.LOCKED, 2: Closed.MUST_CHANGE_PASSWORD}
# An entry without a password, and a policy that says no, are what a wrong password is.
_REFUSED = (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.UNWILLING_TO_PERFORM)


class Ambiguous(Exception):
    """Several entries have the name."""


class PersonSearch(LDAPSearch):  # type: ignore[misc]
    """Leaves DNs as they are written, and values as bytes.

    django-auth-ldap writes DNs in lower case, with which people called İbrahim cannot bind, and decodes values that
    look like text, as one of thousands of objectGUIDs does.
    """

    def execute(self, connection: Any, filterargs: Any = (), escape: bool = True) -> list[tuple[str, Entry]]:
        """Raises `Ambiguous`, and `ldap.LDAPError`."""
        wanted = self.filterstr % self._escape_filterargs(filterargs)
        rows = found(connection.search_s(self.base_dn, self.scope, wanted, self.attrlist))
        if len(rows) > 1:
            raise Ambiguous
        return [(row.dn, row) for row in rows]


def person_search(source: SignInSource) -> PersonSearch:
    narrowed = source.person_filter.replace("%", "%%")
    return PersonSearch(
        source.base_dn, ldap.SCOPE_SUBTREE, f"(&{narrowed}({source.name_attribute}=%(user)s))",
        entries.attributes_of(source),
    )  # fmt: skip


def search(source: SignInSource, connection: Any, text: str, *, most: int) -> list[Entry]:
    """Names that have this text in them, as far as so many."""
    typed = ldap.filter.escape_filter_chars(text)
    named = "".join(f"({name}=*{typed}*)" for name in (source.name_attribute, "cn", "sn", "givenName", "displayName"))
    wanted = f"(&{source.person_filter}({source.name_attribute}=*)(|{named}))"
    control = SimplePagedResultsControl(criticality=False, size=most, cookie="")
    number = connection.search_ext(
        source.base_dn, ldap.SCOPE_SUBTREE, wanted, entries.attributes_of(source), serverctrls=[control]
    )
    _kind, rows, _id, _controls = connection.result3(number)
    return found(rows)[:most]


def found(rows: list[Any]) -> list[Entry]:
    """Without referrals, which come as rows without a DN."""
    return [Entry.of(dn, attributes) for dn, attributes in (row[:2] for row in rows) if dn is not None]


def has_name(source: SignInSource, entry: Entry, typed: str) -> bool:
    """Whether it is this name but for upper and lower case.

    Directories find more by a name: with other spaces, and AD with other accents. Wrong passwords are counted by the
    name that was typed, so each further way to write one would be worth further guesses.
    """
    return _plain(typed) in map(_plain, entry.texts(source.name_attribute))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().lower()


def bind(connection: Any, dn: str, password: str) -> tuple[bool, Closed | None]:
    """Whether the password is right, and why the account cannot be used nevertheless.

    OpenLDAP lets somebody in who has to change the password, and says so to whoever asks for its policy.
    """
    try:
        _kind, _data, _id, controls = connection.simple_bind_s(dn, password, serverctrls=[PasswordPolicyControl()])
    except ldap.CONSTRAINT_VIOLATION:  # 389 Directory Server: too many wrong passwords
        return False, Closed.LOCKED
    except _REFUSED as error:
        told = error.args[0]
        by_policy = _policy(DecodeControlTuples(told.get("ctrls") or []))
        return False, by_policy or entries.closed_by_refusal(str(told.get("info", "")))
    return True, _policy(controls)


def _policy(controls: list[Any]) -> Closed | None:
    told = [control for control in controls if isinstance(control, PasswordPolicyControl)]
    return _POLICY.get(told[0].error) if told and told[0].error is not None else None


def facts(
    source: SignInSource, entry: Entry, now: datetime, *, groups: frozenset[str] | None, closed: Closed | None = None
) -> OutsidePerson:
    first, last = entries.names(entry)
    return OutsidePerson(
        subject=entries.subject(source, entry),
        username=entry.text(source.name_attribute),
        first_name=first,
        last_name=last,
        email=entry.text("mail"),
        number=entry.text(source.number_attribute),
        groups=groups,
        closed=closed or entries.closed(entry, now),
    )
