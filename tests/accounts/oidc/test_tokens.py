"""What an ID token has to be before it lets anybody in: signed by the provider, for us, for this sign-in, and now."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.models import Provider
from accounts.sign_in.oidc import discovery, tokens
from accounts.sign_in.oidc.problems import Problem
from tests.accounts.oidc import small_provider
from tests.accounts.oidc.conftest import described
from tests.accounts.oidc.small_provider import SECRET, SmallProvider, key_for, sign, symmetric

BACK = "http://testserver/back"
SAFE = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]


def token_of(there: SmallProvider, **asked: str) -> str:
    return there.id_token({"nonce": "n-1"} | asked)


def problem_with(source: Provider, token: object, *, nonce: str = "n-1") -> str:
    with pytest.raises(Problem) as raised:
        tokens.verify(source, token, nonce=nonce)
    assert raised.value.sentence("School account").rendered
    return raised.value.code


@pytest.mark.parametrize("algorithm", SAFE)
def test_each_algorithm_with_a_public_key_is_understood(there: SmallProvider, algorithm: str):
    there.algorithm = algorithm
    source = described(there, allowed_algorithms=algorithm.replace("Ed25519", "EdDSA"))
    assert tokens.verify(source, token_of(there), nonce="n-1")["sub"] == "248289"


@pytest.mark.parametrize("algorithm", ["RS512", "ES384"])
def test_an_algorithm_that_is_not_chosen_is_refused(there: SmallProvider, source: Provider, algorithm: str):
    there.algorithm = algorithm
    assert problem_with(source, token_of(there)) == "algorithm"


def test_nobody_can_sign_with_nothing_or_with_what_others_know(there: SmallProvider, source: Provider):
    source.allowed_algorithms = "RS256 HS256 none"  # as no form saves it
    body = json.dumps({"iss": there.issuer, "aud": source.client_id, "sub": "x", "nonce": "n-1"})
    forged = [sign({"alg": "none"}, body, key_for("RS256"))]
    forged += [sign({"alg": "HS256", "kid": "one"}, body, symmetric(text)) for text in (SECRET * 4, "k" * 64)]
    assert {problem_with(source, token) for token in forged} == {"algorithm"}


def test_a_symmetric_key_among_the_published_ones_is_no_key(there: SmallProvider, source: Provider):
    there.published = [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]
    with pytest.raises(Problem, match="no-keys"):
        discovery.keys(source)


@pytest.mark.parametrize(("claims", "code"), [
    ({"iss": "https://elsewhere.example"}, "foreign-issuer"),
    ({"aud": "another-client"}, "foreign-audience"),
    ({"aud": ["another-client"]}, "foreign-audience"),
    ({"aud": "another-client", "azp": "lab-portal"}, "foreign-audience"),
    ({"aud": ["lab-portal", "another-client"], "azp": "another-client"}, "foreign-audience"),
    ({"aud": ["lab-portal", "another-client"]}, "foreign-audience"),
    ({"azp": "another-client"}, "foreign-audience"),
    ({"nonce": "n-2"}, "nonce"),
    ({"sub": ""}, "malformed"),
    ({"sub": 7}, "malformed"),
    ({"sub": "x" * 256}, "malformed"),
    ({"sub": "x\0y"}, "malformed"),
    ({"exp": "tomorrow"}, "malformed"),
    ({"exp": True}, "malformed"),
    ({"exp": float("inf")}, "malformed"),
    ({"iat": None}, "malformed"),
    ({"at_hash": "AAAA"}, "malformed"),
])  # fmt: skip
def test_a_claim_that_is_not_for_us_lets_nobody_in(
    there: SmallProvider, source: Provider, claims: dict[str, Any], code: str
):
    there.overwritten = claims
    with pytest.raises(Problem) as raised:
        tokens.verify(source, token_of(there), nonce="n-1", access_token="access")
    assert raised.value.code == code


@pytest.mark.parametrize(("claim", "code"), [
    ("iss", "foreign-issuer"), ("aud", "foreign-audience"), ("sub", "malformed"), ("exp", "malformed"),
    ("iat", "malformed"), ("nonce", "nonce"),
])  # fmt: skip
def test_no_claim_may_be_missing(there: SmallProvider, source: Provider, claim: str, code: str):
    there.without = {claim}
    assert problem_with(source, token_of(there)) == code


@pytest.mark.parametrize(("ahead", "problem"), [
    (100, None), (-100 - 300, None), (200, "clock-ahead"), (-200 - 300, "clock-behind"),
])  # fmt: skip
def test_clocks_may_differ_by_two_minutes(there: SmallProvider, source: Provider, ahead: float, problem: str | None):
    there.ahead = ahead
    token = token_of(there)
    if problem:
        assert problem_with(source, token) == problem
    else:
        assert tokens.verify(source, token, nonce="n-1")


@pytest.mark.parametrize("token", [None, 7, "", "a.b.c", "....", "é", "a" * 200_000, "eyJhbGciOiJSUzI1NiJ9..x"])
def test_what_is_no_token_is_said(source: Provider, token: object):
    assert problem_with(source, token) in {"no-id-token", "malformed", "algorithm", "signature", "unknown-key"}


def test_a_changed_token_is_not_signed(there: SmallProvider, source: Provider):
    header, _body, signature = token_of(there).split(".")
    there.claims = {"sub": "somebody else"}
    assert problem_with(source, ".".join([header, token_of(there).split(".")[1], signature])) == "signature"


def test_a_critical_header_that_nobody_knows_is_refused(there: SmallProvider, source: Provider):
    token = token_of(there)
    there.header = {"crit": ["school"], "school": True}
    assert problem_with(source, token_of(there)) == "malformed"
    assert tokens.verify(source, token, nonce="n-1")


class TestKeys:
    def test_are_asked_for_once(self, there: SmallProvider, source: Provider):
        for _ in range(3):
            tokens.verify(source, token_of(there), nonce="n-1")
        assert there.asked.count("/jwks") == 1

    def test_a_new_one_is_looked_for_but_not_at_each_token(
        self, there: SmallProvider, source: Provider, monkeypatch: pytest.MonkeyPatch
    ):
        tokens.verify(source, token_of(there), nonce="n-1")
        there.kid, there.published = "two", [key_for("RS256", "two").as_dict(private=False)]
        assert problem_with(source, token_of(there)) == "unknown-key"  # too soon
        monkeypatch.setattr(discovery, "ASKED_AGAIN_AFTER", 0)
        assert tokens.verify(source, token_of(there), nonce="n-1")
        assert there.asked.count("/jwks") == 2

    def test_without_an_id_each_is_tried(self, there: SmallProvider, source: Provider):
        there.published = [
            {name: value for name, value in key_for(*one).as_dict(private=False).items() if name != "kid"}
            for one in (("RS256", "two"), ("ES256", "one"), ("RS256", "one"))
        ]
        there.header = {"kid": None}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(small_provider, "sign", _without_kid)
            token = token_of(there)
        assert tokens.verify(source, token, nonce="n-1")

    @pytest.mark.parametrize("odd", [
        None, "key", {}, {"kty": "RSA"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": ["RSA"]}, {"kty": "new"},
        {"kty": "OKP", "crv": "Ed25519", "x": "!"}, {"kty": "RSA", "n": 5, "e": 3},
        {"kty": "EC", "crv": "P-1", "x": "", "y": ""},
    ])  # fmt: skip
    def test_an_odd_one_disturbs_no_other(self, there: SmallProvider, source: Provider, odd: Any):
        there.published = [odd, key_for("RS256").as_dict(private=False)]
        assert len(discovery.keys(source).usable) == 1

    @pytest.mark.parametrize(("bits", "usable"), [(1024, 0), (2048, 1)])
    def test_of_rsa_have_2048_bits_at_least(self, there: SmallProvider, source: Provider, bits: int, usable: int):
        numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
        size = bits // 8
        told = {"kty": "RSA", "n": urlsafe_b64encode(numbers.n.to_bytes(size)).rstrip(b"=").decode(), "e": "AQAB"}
        there.published = [told, key_for("ES256").as_dict(private=False)]
        assert len(discovery.keys(source).usable) == usable + 1

    def test_of_a_foreign_provider_sign_nothing(self, there: SmallProvider, source: Provider):
        there.published = [key_for("RS256", "one").as_dict(private=False)]
        there.signing_key = key_for("PS256", "foreign")
        assert problem_with(source, token_of(there)) == "signature"


def _without_kid(header: dict[str, Any], body: str, key: Any) -> str:
    return sign({"alg": header["alg"]}, body, key)


class TestRedeeming:
    """The code, for the ID token and what userinfo says."""

    def claims(self, there: SmallProvider, source: Provider) -> dict[str, Any]:
        verifier = "v" * 43
        asked = {
            "state": "s",
            "redirect_uri": BACK,
            "nonce": "n",
            "code_challenge": create_s256_code_challenge(verifier),
        }
        there.authorize(f"{there.issuer}/auth?{urlencode(asked)}")
        return tokens.claims_of(source, code=there.sent[-1], verifier=verifier, nonce="n", redirect_uri=BACK)

    def test_userinfo_adds_to_what_was_signed(self, there: SmallProvider, source: Provider):
        there.said = {"email": "ana@school.example", "iss": "https://elsewhere.example"}
        found = self.claims(there, source)
        assert (found["email"], found["iss"]) == ("ana@school.example", there.issuer)

    def test_userinfo_says_nothing_of_the_sign_in(self, there: SmallProvider, source: Provider):
        there.said = {"auth_time": "yesterday", "nonce": "x"}
        found = self.claims(there, source)
        assert (found.get("auth_time"), found["nonce"]) == (None, "n")

    def test_userinfo_of_somebody_else_lets_nobody_in(self, there: SmallProvider, source: Provider):
        there.said = {"sub": "somebody else"}
        with pytest.raises(Problem, match="subject-differs"):
            self.claims(there, source)

    def test_userinfo_is_not_asked_where_that_is_not_wanted(self, there: SmallProvider, source: Provider):
        source.ask_userinfo = False
        assert self.claims(there, source)["sub"] == "248289"
        assert "/me" not in there.asked

    def test_a_secret_that_is_wrong_is_said(self, there: SmallProvider, source: Provider):
        source.secret = "another"
        with pytest.raises(Problem) as raised:
            self.claims(there, source)
        assert (raised.value.code, raised.value.parameters) == ("code-refused", {"error": "invalid_client"})

    @pytest.mark.parametrize(("answer", "code"), [
        ((200, b"[]"), "not-json"), ((200, b"<html>"), "not-json"), ((200, b"{}"), "no-id-token"),
        ((500, b""), "status"),
        ((302, b"http://127.0.0.1/elsewhere"), "status"), ((200, b'{"a": "' + b"x" * 300_000 + b'"}'), "too-large"),
        ((200, b"[" * 100_000), "not-json"), ((400, b'{"error": "<b>"}'), "code-refused"),
    ])  # fmt: skip
    def test_an_odd_answer_is_said(self, there: SmallProvider, source: Provider, answer: tuple[int, bytes], code: str):
        there.answers["/token"] = answer
        with pytest.raises(Problem) as raised:
            self.claims(there, source)
        assert (raised.value.code, "<b>" in str(raised.value.parameters)) == (code, False)
