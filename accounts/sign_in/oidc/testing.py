"""The connection test of a provider: each step on the way to a sign-in, as far as it goes without a person."""

import secrets
from collections.abc import Iterator
from typing import Any, cast

from django.conf import settings
from django.urls import reverse

from accounts.models import Provider, SignInSource
from accounts.sign_in.oidc import discovery, tokens
from accounts.sign_in.oidc.discovery import Discovery
from accounts.sign_in.oidc.problems import Problem
from accounts.sign_in.testing import BAD, NOT_ASKED, OK, TestLine
from accounts.stored_messages import say

# The step that a problem belongs to. All others belong to the configuration.
STEP = {
    "not-https": "name", "no-name": "name", "address-refused": "name", "refused": "connection",
    "timed-out": "connection", "unreachable": "connection", "certificate": "certificate", "issuer-differs": "issuer",
    "no-keys": "keys",
}  # fmt: skip
STEPS = ("name", "connection", "certificate", "configuration", "issuer", "clock", "keys", "client")


def test(source: SignInSource) -> list[TestLine]:
    """One line for each step, and what has to be registered at the provider. Nobody is signed in."""
    provider = cast("Provider", source)
    discovery.forget()
    lines: list[TestLine] = []
    try:
        for line in _steps(provider):
            lines.append(line)  # noqa: PERF402 - what was found before a problem stays
    except Problem as problem:
        bad = STEPS.index(STEP.get(problem.code, "configuration"))
        lines += [_line(OK, step) for step in STEPS[len(lines) : bad]]
        lines.append(_line(BAD, STEPS[len(lines)], problem.sentence(provider.label)))
    lines += [_line(NOT_ASKED, step) for step in STEPS[len(lines) :]]
    return [*lines, *_addresses(provider)]


def _line(state: str, step: str, sentence: str = "", **learned: Any) -> TestLine:
    return TestLine(state, say(f"oidc-test-{step}"), sentence, **learned)


def _steps(provider: Provider) -> Iterator[TestLine]:
    """In the order of `STEPS`. Raises `Problem` at the one that fails."""
    there = discovery.read_discovery(provider)
    ends = there.certificate_ends_at
    yield _line(OK, "name", there.host)
    yield _line(OK, "connection")
    yield _line(
        OK,
        "certificate",
        say("oidc-test-until", day=ends) if ends else say("oidc-test-no-tls"),
        certificate_ends_at=ends,
    )
    yield _line(OK, "configuration")
    yield _line(OK, "issuer", there.issuer)
    yield _clock(there.clock_ahead)
    yield _keys(provider, there)
    yield _client(provider, there)


def _clock(ahead: int | None) -> TestLine:
    if ahead is None:
        return _line(NOT_ASKED, "clock", say("oidc-test-clock-unknown"))
    which = "ahead" if ahead >= 0 else "behind"
    state = OK if abs(ahead) <= tokens.LEEWAY else BAD
    return _line(state, "clock", say(f"oidc-test-clock-{which}", seconds=abs(ahead)), clock_offset=float(ahead))


def _keys(provider: Provider, there: Discovery) -> TestLine:
    known = discovery.read_keys(provider, there.jwks_uri)
    kinds = {key.key_type for key in known.usable}
    fitting = [name for name in provider.algorithm_list if tokens.ALGORITHMS.get(name) in kinds]
    if not fitting:
        return _line(BAD, "keys", say("oidc-test-keys-for-nothing"))
    told = say("oidc-test-keys-for", number=len(known.usable), algorithms=", ".join(fitting))
    return _line(OK, "keys", told)


def _client(provider: Provider, there: Discovery) -> TestLine:
    """Asked with a code that nobody was given: a provider that gets as far as the code accepted all else."""
    made_up = secrets.token_urlsafe(24)
    address = f"{settings.PORTAL_URL or 'http://localhost'}{_path('sign-in-callback', provider)}"
    try:
        tokens.redeem(provider, there, code=made_up, verifier=made_up * 2, redirect_uri=address)
    except Problem as problem:
        error = str(problem.parameters.get("error", problem.sentence(provider.label)))
        if error in {"invalid_client", "unauthorized_client"}:
            return _line(BAD, "client", say("oidc-test-client-refused", error=error))
        if error != "invalid_grant":
            return _line(NOT_ASKED, "client", say("oidc-test-client-unknown", error=error))
    return _line(OK, "client", say("oidc-test-client-well"))


def _addresses(provider: Provider) -> Iterator[TestLine]:
    """What the provider has to know of the portal."""
    for what, path in (("redirect", _path("sign-in-callback", provider)), ("after-sign-out", reverse("login"))):
        whole = f"{settings.PORTAL_URL}{path}" if settings.PORTAL_URL else say("oidc-test-portal-address", path=path)
        yield _line(NOT_ASKED, what, say("oidc-test-register", address=whole))


def _path(view: str, provider: Provider) -> str:
    return reverse(view, args=[provider.name])
