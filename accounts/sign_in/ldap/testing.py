"""The connection test of a directory: name, certificate, clock, referral, bind, base, filter, person and groups.

Each step is asked by itself, so that its line says what to mend. Nobody is signed in.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any

import ldap
from django.utils import timezone

from accounts import name_lookup
from accounts.models.sources import SignInSource
from accounts.sentences import say
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.ldap import connections, groups, listing, people, problems, tls
from accounts.sign_in.ldap.entries import Entry
from accounts.sign_in.outages import SourceDown
from accounts.sign_in.testing import BAD, NOT_ASKED, OK, TestLine
from accounts.stored_messages import Message

MOST_OFFSET = 300.0  # seconds: with more, Kerberos and certificates fail
STEPS = ("bind", "clock", "base", "filter", "person", "groups")


def test(source: SignInSource, typed: str = "") -> list[TestLine]:  # noqa: PT028 - it is none of pytest's
    """`typed` is a name as a person would type it; without one, people are only counted as far as one page."""
    if not source.server_list:
        return [TestLine(BAD, say("sign-in-test-server"), say("sign-in-no-server"))]
    lines = [line for uri in source.server_list for line in _server(source, uri)]
    with ExitStack() as stack:
        connection = None
        for uri in source.server_list:
            with suppress(ldap.LDAPError, SourceDown):
                connection = connections.connect(source, uri, float(source.timeout_seconds))
                break
        if connection is None:
            return [*lines, *_not_asked(STEPS)]
        stack.callback(connections.close, connection)
        return [*lines, *_asked(source, connection, typed)]


test.__test__ = False  # type: ignore[attr-defined]  # it is none of pytest's


def find(source: SignInSource, typed: str) -> OutsidePerson | None:
    """Who has this name, without a password. None: nobody, or several. Raises `SourceDown`."""
    try:
        pool = connections.pool_of(source)
        entry = pool.as_reader(lambda connection: _find(source, connection, typed))
        if entry is None:
            return None
        return people.facts(source, entry, timezone.now(), groups=groups.of(pool, entry))
    except people.Ambiguous:
        return None


def search(source: SignInSource, text: str, *, most: int) -> list[OutsidePerson]:
    """People whose names have these letters, without groups. Raises `SourceDown`."""
    pool = connections.pool_of(source)
    found = pool.as_reader(lambda connection: people.search(source, connection, text, most=most))
    now = timezone.now()
    return [people.facts(source, entry, now, groups=None) for entry in found]


def _server(source: SignInSource, uri: str) -> Iterator[TestLine]:
    """The name, the port and the certificate of one server."""
    (host, port), seconds = tls.address(uri), float(source.timeout_seconds)
    what, certificate = say("sign-in-test-name", server=uri), say("sign-in-test-certificate", server=uri)
    try:
        answer = name_lookup.look_up(host, port, patience=seconds)
    except TimeoutError:
        answer = []
    found = sorted({str(one[4][0]) for one in answer})
    if not found:
        yield TestLine(BAD, what, say("sign-in-test-no-such-name", name=host))
        yield TestLine(NOT_ASKED, certificate)
        return
    try:
        name_lookup.connect(host, port, patience=seconds).close()
    except OSError:
        yield TestLine(BAD, what, say("sign-in-test-no-port", port=port, addresses=", ".join(found)))
        yield TestLine(NOT_ASKED, certificate)
        return
    yield TestLine(OK, what, ", ".join(found))
    yield _certificate(source, uri, certificate)


def _certificate(source: SignInSource, uri: str, what: Message) -> TestLine:
    if not connections.is_encrypted(source, uri):
        return TestLine(BAD, what, say("sign-in-not-encrypted", server=uri))
    try:
        presented = tls.certificate(source, uri, float(source.timeout_seconds))
    except tls.CannotStartTls:
        return TestLine(BAD, what, say("sign-in-test-no-start-tls"))
    except OSError:
        return TestLine(BAD, what, say("sign-in-no-answer"))
    if presented is None:
        return TestLine(OK, what, say("sign-in-test-this-machine"))
    if presented.problem:
        return TestLine(BAD, what, say("sign-in-untrusted", reason=presented.problem))
    told = say("sign-in-test-certificate-good", names=", ".join(presented.names), day=presented.ends_at)
    return TestLine(OK, what, told, certificate_ends_at=presented.ends_at)


def _asked(source: SignInSource, connection: Any, typed: str) -> Iterator[TestLine]:
    """A step after the other; those behind one that fails are not asked."""
    steps = {"bind": _bind, "clock": _clock, "base": _base, "filter": _filter}
    for done, (name, step) in enumerate(steps.items(), start=1):
        try:
            line = step(source, connection)
        except ldap.LDAPError as error:
            line = TestLine(BAD, _what(name), problems.of(error))
        yield line
        if line.state == BAD and name != "clock":
            yield from _not_asked(STEPS[done:])
            return
    yield from _person(source, connection, typed)


def _bind(source: SignInSource, connection: Any) -> TestLine:
    connections.bind_reader(source, connection)
    return TestLine(OK, _what("bind"), source.bind_dn or say("sign-in-test-anonymous"))


def _clock(source: SignInSource, connection: Any) -> TestLine:
    """Active Directory tells its time, others do not."""
    rows = people.found(connection.search_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["currentTime"]))
    told = rows[0].text("currentTime") if rows else ""
    if not told:
        return TestLine(NOT_ASKED, _what("clock"), say("sign-in-test-no-clock"))
    there = datetime.strptime(told.partition(".")[0].removesuffix("Z"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    offset = (there - timezone.now()).total_seconds()
    state = OK if abs(offset) <= MOST_OFFSET else BAD
    return TestLine(state, _what("clock"), say("sign-in-test-clock-is", seconds=round(offset)), clock_offset=offset)


def _base(source: SignInSource, connection: Any) -> TestLine:
    """And whether it leads elsewhere: a forest's other domains answer nobody who asks here."""
    rows = connection.search_s(source.base_dn, ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"])
    if not people.found(rows):
        return TestLine(BAD, _what("base"), say("sign-in-base-missing"))
    referred = [row for row in connection.search_s(source.base_dn, ldap.SCOPE_ONELEVEL, "(objectClass=*)", ["1.1"])
                if row[0] is None]  # fmt: skip
    told = say("sign-in-test-referrals", number=len(referred)) if referred else say("sign-in-test-no-referral")
    return TestLine(OK, _what("base"), told)


def _filter(source: SignInSource, connection: Any) -> TestLine:
    wanted = f"(&{source.person_filter}({source.name_attribute}=*))"
    attributes = [source.id_attribute, source.name_attribute]
    known = next(listing.pages(connection, source.base_dn, wanted, attributes), None)
    if known is None:
        return TestLine(BAD, _what("filter"), say("sign-in-test-nobody", attribute=source.name_attribute))
    if not known.values(source.id_attribute):
        return TestLine(BAD, _what("filter"), say("sign-in-test-no-id", attribute=source.id_attribute))
    return TestLine(OK, _what("filter"), say("sign-in-test-somebody", name=known.text(source.name_attribute)))


def _person(source: SignInSource, connection: Any, typed: str) -> Iterator[TestLine]:
    if not typed:
        yield from _not_asked(("person", "groups"))
        return
    try:
        entry = _find(source, connection, typed)
    except people.Ambiguous:
        yield TestLine(BAD, _what("person"), say("sign-in-ambiguous"))
    except ldap.LDAPError as error:
        yield TestLine(BAD, _what("person"), problems.of(error))
    else:
        if entry is not None:
            yield TestLine(OK, _what("person"), entry.dn)
            yield _groups(source, entry)
            return
        yield TestLine(BAD, _what("person"), say("sign-in-test-unknown", name=typed))
    yield from _not_asked(("groups",))


def _groups(source: SignInSource, entry: Entry) -> TestLine:
    try:
        found = groups.of(connections.Pool(source, None), entry)
    except SourceDown as error:
        return TestLine(BAD, _what("groups"), error.message)
    if found is None:
        return TestLine(BAD, _what("groups"), say("sign-in-test-groups-incomplete"))
    return TestLine(OK, _what("groups"), "; ".join(sorted(found)) or say("sign-in-test-no-groups"))


def _find(source: SignInSource, connection: Any, typed: str) -> Entry | None:
    rows = people.person_search(source).execute(connection, {"user": typed.strip()})
    return rows[0][1] if rows else None


def _what(step: str) -> Message:
    return say(f"sign-in-test-{step}")


def _not_asked(steps: tuple[str, ...]) -> list[TestLine]:
    return [TestLine(NOT_ASKED, _what(step)) for step in steps]
