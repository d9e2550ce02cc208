"""The way to a provider and back. Both are GET: a form that is answered by a redirect to elsewhere stops at the CSP."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from accounts.lockout import client_address
from accounts.models import Provider
from accounts.sign_in import going_in, health, throttle
from accounts.sign_in.entering import Refused
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.oidc import attempts, discovery, tokens
from accounts.sign_in.oidc.attempts import Attempt
from accounts.sign_in.oidc.person import person
from accounts.sign_in.oidc.problems import Problem

logger = logging.getLogger(__name__)

# It refuses prompt=login, which the standard has.
ASKS_FOR_NO_PASSWORD = {"https://accounts.google.com"}

# Somebody tried something, or a provider is set up wrongly: the audit trail has it.
SUSPICIOUS = {
    "algorithm", "unknown-key", "signature", "foreign-issuer", "foreign-audience", "nonce", "subject-differs",
    "issuer-differs", "not-asked-again", "other-person",
}  # fmt: skip


def begin(request: HttpRequest, provider: Provider, *, joining: going_in.Joining | None = None) -> HttpResponse:
    """To the provider. Nothing is stored here, and nothing of the person goes there."""
    next_page = going_in.next_page(request)
    try:
        with _asking(request, provider):
            there = discovery.discover(provider)
    except Problem as problem:
        return _problem_page(request, provider, problem, next_page, is_joining=bool(joining))
    state, name, cookie = attempts.begin(provider.pk, next_page, joining)
    address = prepare_grant_uri(
        there.authorization_endpoint,
        provider.client_id,
        "code",
        redirect_uri=callback_address(request, provider),
        scope=provider.scopes,
        state=state,
        nonce=attempts.nonce(state),
        response_mode="query",
        code_challenge=create_s256_code_challenge(attempts.verifier(state)),
        code_challenge_method="S256",
        # Who joins their account may sit where somebody else is still signed in at the provider.
        prompt=_prompt(there) if provider.ask_again or joining else None,
    )
    answer = HttpResponseRedirect(address)
    attempts.remember(request, answer, name, cookie)
    return answer


def _prompt(there: discovery.Discovery) -> str:
    """What makes the provider ask who is there: for the password, or else for a choice of accounts."""
    return "select_account" if there.issuer in ASKS_FOR_NO_PASSWORD else "login"


@never_cache
@require_GET
@sensitive_variables()
def callback(request: HttpRequest, name: str) -> HttpResponse:
    """Back from the provider. Whatever is wrong is a page with a way on."""
    provider = going_in.active_or_404(Provider, name)
    told = request.GET
    request.GET, request.META["QUERY_STRING"] = QueryDict(), ""  # the code: for no log and no report of an error
    state = told.get("state", "")
    attempt = attempts.take(request, state)
    next_page, is_joining = (attempt.next, bool(attempt.joining)) if attempt else ("", False)
    try:
        if attempt is None or attempt.source != provider.pk:
            raise Problem("done-already" if request.user.is_authenticated else "state-gone")
        found = _person(request, provider, attempt, told)
        answer = going_in.let_in(request, provider, found, attempt.next, joining=attempt.joining, now=timezone.now())
    except Problem as problem:
        answer = _problem_page(request, provider, problem, next_page, is_joining=is_joining)
    except Refused as refused:
        answer = going_in.refused_page(request, provider, refused, next_page, is_joining=is_joining)
    attempts.forget(answer, state)
    return answer


@sensitive_variables()
def _person(request: HttpRequest, provider: Provider, attempt: Attempt, told: Any) -> OutsidePerson:
    """Raises `Problem`."""
    if attempt.joining and attempt.joining.user != request.user.pk:
        raise Problem("other-person")
    if "error" in told:
        error = tokens.error_code(told["error"])
        raise Problem("cancelled") if error == "access_denied" else Problem("provider-error", error=error)
    state, code = told.get("state", ""), told.get("code", "")
    with _asking(request, provider):
        _check_issuer(provider, told.get("iss"))
        claims = tokens.claims_of(
            provider,
            code=code,
            verifier=attempts.verifier(state),
            nonce=attempts.nonce(state),
            redirect_uri=callback_address(request, provider),
        )
    _note_answer(provider)
    asked_again = provider.ask_again or attempt.joining
    if asked_again and claims.get("auth_time", attempt.begun_at) < attempt.begun_at - tokens.LEEWAY:
        raise Problem("not-asked-again")
    return person(provider, claims)


def _note_answer(provider: Provider) -> None:
    there = discovery.discover(provider)
    clock = None if there.clock_ahead is None else float(there.clock_ahead)
    now = timezone.now()
    health.note(provider, None, now=now, certificate_ends_at=there.certificate_ends_at, clock_offset=clock)


def _check_issuer(provider: Provider, said: str | None) -> None:
    """The answer names who gave it, where the provider announces that: no other provider can slip in its own."""
    if said != provider.issuer and (said is not None or discovery.discover(provider).names_issuer_on_return):
        raise Problem("foreign-issuer")


@contextmanager
def _asking(request: HttpRequest, provider: Provider) -> Iterator[None]:
    """Raises `Problem`, and counts those of the block. What fails on the provider's side is known to `doctor`."""
    address = client_address(request)
    try:
        with throttle.asking(address):
            yield
    except throttle.FailedTooOften:
        raise Problem("too-often") from None
    except throttle.Busy:
        raise Problem("busy") from None
    except Problem as problem:
        throttle.note_failure(address)
        if problem.status == 503 or problem.code in {"clock-ahead", "clock-behind"}:
            health.note(provider, problem.sentence(provider.label), now=timezone.now())
        raise


def callback_address(request: HttpRequest, provider: Provider) -> str:
    return request.build_absolute_uri(callback_path(provider))


def callback_path(provider: Provider) -> str:
    return reverse("sign-in-callback", args=[provider.name])


def _problem_page(
    request: HttpRequest, provider: Provider, problem: Problem, next_page: str, *, is_joining: bool
) -> HttpResponse:
    logger.info("Sign-in with %s ended: %s %s", provider.name, problem.code, problem.parameters or "")
    sentence = problem.sentence(provider.label)
    if problem.code in SUSPICIOUS:
        going_in.record_refusal(provider, problem.code)
    is_over = problem.code == "done-already"
    return going_in.problem_page(
        request, provider, sentence, next_page, status=problem.status, is_over=is_over, is_joining=is_joining
    )
