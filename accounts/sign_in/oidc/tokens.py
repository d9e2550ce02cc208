"""From the code of a callback to verified claims: what is signed, for this portal, for this sign-in, and now."""

import base64
import json
import re
import time
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from authlib.oidc.core import CodeIDToken
from django.views.decorators.debug import sensitive_variables
from joserfc import jws
from joserfc.errors import BadSignatureError, InvalidClaimError, JoseError, MissingClaimError, SecurityWarning

from accounts.models import Provider
from accounts.sign_in.oidc import discovery
from accounts.sign_in.oidc.discovery import Discovery, PublicKey
from accounts.sign_in.oidc.problems import Problem
from accounts.sign_in.oidc.transport import fetch

LEEWAY = 120  # seconds that the two clocks may differ
MOST_SUBJECT = 255  # characters, as in the standard

# The kind of key by algorithm. What is not here is never accepted: not `none`, and not HS…, whose key is a password.
ALGORITHMS = {
    **{f"{kind}{size}": "RSA" for kind in ("RS", "PS") for size in (256, 384, 512)},
    **{f"ES{size}": "EC" for size in (256, 384, 512)},
    **dict.fromkeys(["EdDSA", "Ed25519", "Ed448"], "OKP"),
}

Claims = dict[str, Any]


@sensitive_variables()
def claims_of(provider: Provider, *, code: str, verifier: str, nonce: str, redirect_uri: str) -> Claims:
    """The claims of the person who brings this code. Raises `Problem`.

    Those of the ID token, and above them those of userinfo where the provider is asked for it.
    """
    there = discovery.discover(provider)
    answer = redeem(provider, there, code=code, verifier=verifier, redirect_uri=redirect_uri)
    access = str(answer.get("access_token") or "")
    claims = verify(provider, answer.get("id_token"), nonce=nonce, access_token=access)
    if not provider.ask_userinfo or not there.userinfo_endpoint:
        return claims
    asked = fetch(there.userinfo_endpoint, ca=provider.ca_certificates, headers={"Authorization": f"Bearer {access}"})
    if asked.status != 200:
        raise Problem("status", host=asked.host, status=asked.status)
    said = asked.object
    if said.get("sub") != claims["sub"]:
        raise Problem("subject-differs")
    return claims | {name: value for name, value in said.items() if name not in CodeIDToken.REGISTERED_CLAIMS}


@sensitive_variables()
def redeem(provider: Provider, there: Discovery, *, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
    """The provider's answer to this code. Raises `Problem`."""
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
    }  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    secret = provider.secret.reveal() if provider.secret else ""
    if secret and "client_secret_basic" in there.client_authentication:
        # Both parts are encoded as in a form, which matters for a secret with + or %.
        pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": provider.client_id} | ({"client_secret": secret} if secret else {})
    answer = fetch(there.token_endpoint, ca=provider.ca_certificates, body=urlencode(form), headers=headers)
    if answer.status == 200:
        return answer.object
    if answer.status in {400, 401}:
        raise Problem("code-refused", error=error_code(answer.object.get("error")))
    raise Problem("status", host=answer.host, status=answer.status)


def error_code(told: object) -> str:
    """An error of the provider as far as it may be shown: anybody can write one into an address."""
    return told if isinstance(told, str) and re.fullmatch(r"[a-z_]{1,60}", told) else "?"


@sensitive_variables()
def verify(provider: Provider, token: object, *, nonce: str, access_token: str = "") -> Claims:
    """The claims of an ID token whose signature and content are right. Raises `Problem`."""
    if not isinstance(token, str) or not token:
        raise Problem("no-id-token")
    header, claims = _verified(provider, token)
    _check_clocks(claims)
    options: Any = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
    }
    expected = {"nonce": nonce, "client_id": provider.client_id, "access_token": access_token}
    try:
        CodeIDToken(claims, header, options, expected).validate(leeway=LEEWAY)
    except (InvalidClaimError, MissingClaimError) as error:
        raise _wrong_claim(str(getattr(error, "claim", ""))) from None
    except (JoseError, ValueError, TypeError):
        raise Problem("malformed", claim="ID token") from None
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= MOST_SUBJECT or "\x00" in claims["sub"]:
        raise Problem("malformed", claim="sub")
    return claims


def _wrong_claim(claim: str) -> Problem:
    code = {"iss": "foreign-issuer", "aud": "foreign-audience", "azp": "foreign-audience", "nonce": "nonce"}.get(claim)
    return Problem(code) if code else Problem("malformed", claim=claim)


def _check_clocks(claims: Claims) -> None:
    """In words of their own: of all that goes wrong this is the commonest, and no person's fault."""
    now = time.time()
    for name in ("exp", "iat", "nbf", "auth_time"):
        value = claims.get(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | None)
            or not (value is None or abs(value) < 1e12)
        ):
            raise Problem("malformed", claim=name)
    if claims.get("exp") is None or claims.get("iat") is None:
        raise Problem("malformed", claim="exp, iat")
    ahead = max(claims["iat"], claims.get("nbf") or 0) - now
    if ahead > LEEWAY:
        raise Problem("clock-ahead", seconds=round(ahead))
    if now - claims["exp"] > LEEWAY:
        raise Problem("clock-behind", seconds=round(now - claims["exp"]))


@sensitive_variables()
def _verified(provider: Provider, token: str) -> tuple[Mapping[str, Any], Claims]:
    """Header and claims. An unknown key, or a wrong signature, lets the keys be read again: they may have changed."""
    algorithm, kid = _named_in(token)
    if algorithm not in allowed(provider):
        raise Problem("algorithm", algorithm=algorithm)
    kind = ALGORITHMS[algorithm]
    seen: list[PublicKey] = []
    for known in (discovery.keys, discovery.newer_keys):
        fitting = known(provider).fitting(kid, kind)
        for key in fitting:
            if (found := _decoded(token, key, algorithm)) is not None:
                return found
        seen += fitting
    raise Problem("signature" if seen else "unknown-key")


def allowed(provider: Provider) -> set[str]:
    """The algorithms that may sign. EdDSA has newer names, one for each curve."""
    chosen = {*provider.algorithm_list} & {*ALGORITHMS}
    return chosen | {"Ed25519", "Ed448"} if "EdDSA" in chosen else chosen


def _named_in(token: str) -> tuple[str, str | None]:
    """Algorithm and key id that the token claims for itself."""
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, AttributeError):
        raise Problem("malformed", claim="ID token") from None
    kid = header.get("kid")
    algorithm = header.get("alg")
    named = algorithm if isinstance(algorithm, str) and re.fullmatch(r"\w{1,12}", algorithm) else "?"
    return named, kid if isinstance(kid, str) else None


@sensitive_variables()
def _decoded(token: str, key: PublicKey, algorithm: str) -> tuple[Mapping[str, Any], Claims] | None:
    """None: this key did not sign it."""
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # that EdDSA has newer names
            found = jws.deserialize_compact(token, key, registry=registry)
        claims = json.loads(found.payload)
    except BadSignatureError:
        return None
    except (JoseError, ValueError, TypeError, RecursionError):
        raise Problem("malformed", claim="ID token") from None
    if not isinstance(claims, dict):
        raise Problem("malformed", claim="ID token")
    return found.headers(), claims
