"""django-auth-ldap with the settings of a row of the database: it finds the person, and here the password is tried."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ldap
from django.db import connections as databases
from django.dispatch import receiver
from django.utils import timezone
from django_auth_ldap.backend import LDAPBackend, ldap_error
from django_auth_ldap.config import LDAPSettings

from accounts.concurrency import release_slot
from accounts.models.sources import SignInSource
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.ldap import connections, groups, people
from accounts.sign_in.ldap.entries import Entry


class LDAPDirectory(LDAPBackend):  # type: ignore[misc]
    """Of one directory. It makes no accounts: `accounts.sign_in.entering` does."""

    def __init__(self, source: SignInSource) -> None:
        self.source = source
        self.settings = settings_of(source)
        self.was_tried = False  # whether somebody has the name that was asked for

    def person(self, username: str, password: str) -> OutsidePerson | None:
        """Who has this name and this password. None: nobody. Raises `SourceDown` and `Ambiguous`."""
        found: OutsidePerson | None = self.authenticate(None, username=username, password=password)
        return found

    def authenticate_ldap_user(self, ldap_user: Any, password: str) -> OutsidePerson | None:
        """Two questions besides the password: for the person, and for the groups where it is right."""
        pool = connections.pool_of(self.source)
        with away_from_the_portal(), pool.turn():
            entry = pool.as_reader(lambda connection: _find(ldap_user, connection))
            if entry is None or not people.has_name(self.source, entry, ldap_user._username):
                return None
            self.was_tried = True
            is_right, closed = pool.as_nobody(lambda connection: people.bind(connection, entry.dn, password))
            if not (is_right or closed):
                return None
            told = groups.of(pool, entry) if is_right and not closed else None
        return people.facts(self.source, entry, timezone.now(), groups=told, closed=closed)


def settings_of(source: SignInSource) -> LDAPSettings:
    """What holds for connections is given to them by `connections`."""
    settings = LDAPSettings()
    settings.USER_SEARCH = people.person_search(source)
    settings.CACHE_TIMEOUT = 0  # it would keep the DN of somebody who is moved
    settings.PERMIT_EMPTY_PASSWORD = False  # a bind without one succeeds as nobody
    return settings


def _find(ldap_user: Any, connection: Any) -> Entry | None:
    """Lets django-auth-ldap search on a connection that is bound already."""
    ldap_user._connection, ldap_user._connection_bound = connection, True
    return ldap_user.attrs if ldap_user.dn else None


@receiver(ldap_error, sender=LDAPDirectory)
def _outage_is_no_wrong_password(exception: ldap.LDAPError, **kwargs: Any) -> None:
    """django-auth-ldap would answer that there is no such person."""
    raise exception


@contextmanager
def away_from_the_portal() -> Iterator[None]:
    """While a page waits for a directory it keeps no other page waiting, and no connection to a database server.

    SQLite has no server, and takes longer to open than a directory to answer.
    """
    for database in databases.all(initialized_only=True):
        if database.vendor != "sqlite" and not database.in_atomic_block:
            database.close()
    with release_slot():
        yield
