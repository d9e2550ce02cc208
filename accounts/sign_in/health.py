"""What is known of the sources without asking them: the last answers, and what the settings tell by themselves.

Only active sources are looked at, and nothing here contacts anybody.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any

from cryptography import x509
from django.db.models import Exists, OuterRef

from accounts import stored_messages
from accounts.models import SignInRule, SignInSource
from accounts.sentences import say
from accounts.stored_messages import Message

MOST_TEXT = 2000  # characters of a stored sentence
WRITTEN_EVERY = timedelta(minutes=1)  # 300 people at the bell are one line in the database
CERTIFICATE_ENDS_SOON = timedelta(days=14)
MOST_CLOCK_OFFSET = 30.0  # seconds
LDAP_PACKAGES = ("ldap", "django_auth_ldap")


@dataclass(frozen=True)
class Finding:
    """`ok` is false for what keeps people from signing in, or soon will."""

    source: SignInSource
    ok: bool
    message: Message


def record_test(source: SignInSource, lines: Iterable[Any], *, now: datetime) -> None:
    """Keep the result of a connection test. `lines` are `TestLine`s; the first that is bad is what it says."""
    lines = list(lines)
    bad = next((line for line in lines if line.state == "bad"), None)
    sentence = say("sign-in-test-failed", what=bad.what, sentence=bad.sentence) if bad else say("sign-in-test-passed")
    values = stored_messages.columns("last_test_sentence", sentence, most=MOST_TEXT)
    values |= {"last_test_at": now, "last_test_ok": bad is None}
    values |= _learned(lines)
    SignInSource.objects.filter(pk=source.pk).update(**values)


def note(
    source: SignInSource,
    problem: Message | None,
    *,
    now: datetime,
    certificate_ends_at: datetime | None = None,
    clock_offset: float | None = None,
) -> None:
    """How a real sign-in went: `problem` None where the source answered, whatever it answered.

    Written when that changes, and once a minute otherwise: other sign-ins wait for no row.
    """
    was_ok = source.last_answer_at is not None and not is_failing(source)
    before = source.last_problem_at if problem else source.last_answer_at
    if was_ok is (problem is None) and before and now - before < WRITTEN_EVERY:
        return
    values: dict[str, Any] = {"last_problem_at" if problem else "last_answer_at": now}
    if problem:
        values |= stored_messages.columns("last_problem", problem, most=MOST_TEXT)
    if certificate_ends_at is not None:
        values["certificate_ends_at"] = certificate_ends_at
    if clock_offset is not None:
        values["clock_offset"] = clock_offset
    SignInSource.objects.filter(pk=source.pk).update(**values)
    for name, value in values.items():
        setattr(source, name, value)


def _learned(lines: list[Any]) -> dict[str, Any]:
    """The certificate that ends first, and the clock that differs most."""
    ends = [line.certificate_ends_at for line in lines if line.certificate_ends_at is not None]
    clocks = [line.clock_offset for line in lines if line.clock_offset is not None]
    learned: dict[str, Any] = {"certificate_ends_at": min(ends)} if ends else {}
    return learned | ({"clock_offset": max(clocks, key=abs)} if clocks else {})


def is_failing(source: SignInSource) -> bool:
    """Whether it did not answer when it was asked last, by a person who signs in or by a test."""
    tested = {source.last_test_ok: source.last_test_at}
    answered = _last(source.last_answer_at, tested.get(True))
    failed = _last(source.last_problem_at, tested.get(False))
    return failed is not None and (answered is None or answered < failed)


def _last(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)


def problem_of(source: SignInSource) -> str:
    """The sentence that belongs to the last failure, as a message or in English."""
    tested = source.last_test_at if source.last_test_ok is False else None
    if tested and (source.last_problem_at is None or tested >= source.last_problem_at):
        return stored_messages.of(source, "last_test_sentence")
    return stored_messages.of(source, "last_problem")


def findings(now: datetime) -> list[Finding]:
    """What is wrong with each active source, or that nothing is. One query, and none besides while none is active."""
    lets_in = SignInRule.objects.filter(source=OuterRef("pk"), gives=SignInRule.Gives.ENTRY)
    active = SignInSource.objects.filter(is_active=True).annotate(lets_somebody_in=Exists(lets_in))
    return [finding for source in active for finding in of(source, now)]


def of(source: SignInSource, now: datetime) -> list[Finding]:
    """`source` with `lets_somebody_in`, as `findings` reads it."""
    wrong = [Finding(source, False, message) for message in _wrong(source, now)]
    if wrong:
        return wrong
    asked = source.last_answer_at or source.last_test_at or source.kind == SignInSource.Kind.HEADER
    return [Finding(source, bool(asked), say("sign-in-health-well" if asked else "sign-in-health-never-asked"))]


def _wrong(source: SignInSource, now: datetime) -> Iterator[Message]:
    if source.kind == SignInSource.Kind.DIRECTORY and not packages_are_installed():
        yield say("sign-in-packages-needed")
    elif is_failing(source):
        yield say("sign-in-health-failing", problem=problem_of(source))
    if source.sync_held:
        yield say("sign-in-health-held", people=source.sync_held)
    if not getattr(source, "lets_somebody_in", True):
        yield say("sign-in-health-nobody")
    if ends := _certificate_end(source):
        if ends <= now:
            yield say("sign-in-health-certificate-ended", day=ends)
        elif ends <= now + CERTIFICATE_ENDS_SOON:
            yield say("sign-in-health-certificate-ends", day=ends)
    if source.clock_offset is not None and abs(source.clock_offset) > MOST_CLOCK_OFFSET:
        yield say("sign-in-health-clock", seconds=round(abs(source.clock_offset)))


def _certificate_end(source: SignInSource) -> datetime | None:
    """Of the server's certificate as it was last seen, or of the school's own authority, whichever is first."""
    ends = [source.certificate_ends_at] if source.certificate_ends_at else []
    if source.ca_certificates:
        try:
            known = x509.load_pem_x509_certificates(source.ca_certificates.encode())
        except ValueError:
            known = []
        # Of several authorities, one that is still good is enough.
        ends += [max(one.not_valid_after_utc for one in known)] if known else []
    return min(ends, default=None)


def packages_are_installed() -> bool:
    return all(map(find_spec, LDAP_PACKAGES))
