"""Reaching a provider: TLS, addresses, what it publishes of itself, and the test of all that."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import Provider, User
from accounts.sign_in import health
from accounts.sign_in.oidc import discovery, testing, transport
from accounts.sign_in.oidc.person import person
from accounts.sign_in.oidc.problems import Problem
from accounts.sign_in.testing import BAD, NOT_ASKED, OK
from pvesim.tls import Authority, server_context
from tests.accounts.oidc import small_provider
from tests.accounts.oidc.conftest import described
from tests.accounts.oidc.small_provider import SECRET, SmallProvider, key_for

WELL_KNOWN = "/.well-known/openid-configuration"
AUTHORITY = Authority("School")


@pytest.fixture(scope="module")
def secured() -> Iterator[SmallProvider]:
    """With a certificate of the school's own authority, for the name localhost."""
    context = server_context(AUTHORITY.issue("login", names=["localhost"]))
    with small_provider.running(context, host="localhost") as provider:
        yield provider


def code_of(address: str, **how: Any) -> str:
    with pytest.raises(Problem) as raised:
        transport.fetch(address, **how)
    return raised.value.code


class TestTransport:
    def test_the_schools_own_authority_is_believed(self, secured: SmallProvider):
        answer = transport.fetch(f"{secured.issuer}/jwks", ca=AUTHORITY.certificate.pem)
        assert answer.status == 200
        assert answer.certificate_ends_at
        assert answer.certificate_ends_at.timestamp() > time.time()

    def test_another_authority_is_not(self, secured: SmallProvider):
        assert code_of(f"{secured.issuer}/jwks") == "certificate"
        assert code_of(f"{secured.issuer}/jwks", ca=Authority("Other").certificate.pem) == "certificate"

    def test_nor_is_a_certificate_for_another_name(self, secured: SmallProvider):
        other = secured.issuer.replace("localhost", "127.0.0.1")
        assert code_of(f"{other}/jwks", ca=AUTHORITY.certificate.pem) == "certificate"

    @pytest.mark.parametrize("address", [
        "http://login.school.example/", "ftp://login.school.example/", "//login.school.example/", "", "https://",
        "https://user:pass@login.school.example/", "https://login.school.example:99999/", "https://[::1/", "https://é.example/",
        "https://login.school.example/\r\nX: y", "https://login.school.example/ x",
        "file:///etc/passwd",
    ])  # fmt: skip
    def test_only_https_is_asked(self, address: str):
        assert code_of(address) == "not-https"

    def test_on_this_machine_alone_http_is(self, there: SmallProvider, settings: Any):
        assert transport.fetch(f"{there.issuer}/jwks").status == 200
        settings.LOOPBACK_ONLY = False
        assert code_of(f"{there.issuer}/jwks") == "not-https"

    @pytest.mark.parametrize(
        "address",
        ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1", "[::ffff:169.254.169.254]"],  # noqa: S104
    )
    def test_an_address_of_no_machine_is_not_asked(self, address: str):
        assert code_of(f"https://{address}/") == "address-refused"

    def test_a_name_that_leads_there_is_not_asked(self, monkeypatch: pytest.MonkeyPatch):
        leads = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("192.0.2.1", "169.254.169.254")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: leads)
        assert code_of("https://login.school.example/") == "address-refused"

    def test_a_name_that_nobody_answers_for_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch):
        ended = threading.Event()
        monkeypatch.setattr(transport, "DEADLINE", 0.2)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: ended.wait(20))
        assert code_of("https://login.school.example/") == "timed-out"
        ended.set()

    def test_a_header_that_cannot_be_sent_is_no_error_of_ours(self, there: SmallProvider):
        headers = {"Authorization": "Bearer a\r\nX: y"}
        assert code_of(f"{there.issuer}/me", headers=headers) == "unreachable"

    def test_who_sends_byte_by_byte_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(transport, "DEADLINE", 0.4)
        ended = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as server:

            def drip() -> None:
                line, _ = server.accept()
                with line:
                    for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: " + b"x" * 1000:
                        if ended.wait(0.05):
                            return
                        line.sendall(bytes([letter]))

            thread = threading.Thread(target=drip, daemon=True)
            thread.start()
            began = time.monotonic()
            assert code_of(f"http://127.0.0.1:{server.getsockname()[1]}/") == "timed-out"
            assert time.monotonic() - began < 20
            ended.set()
            thread.join(20)

    def test_no_redirect_is_followed(self, there: SmallProvider):
        there.answers["/jwks"] = (302, f"{there.issuer}/elsewhere".encode())
        assert transport.fetch(f"{there.issuer}/jwks").status == 302
        assert there.asked == ["/jwks"]

    def test_it_wants_tls_of_today(self):
        assert transport._context("").minimum_version == ssl.TLSVersion.TLSv1_2


class TestDiscovery:
    @pytest.mark.parametrize(("changes", "code"), [
        ({"issuer": "https://login.school.example/"}, "issuer-differs"), ({"issuer": None}, "no-discovery"),
        ({"token_endpoint": None}, "no-discovery"), ({"jwks_uri": 7}, "no-discovery"),
        ({"token_endpoint": "http://elsewhere.example/"}, "not-https"),
        ({"userinfo_endpoint": "ftp://elsewhere.example/"}, "not-https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "not-https"),
        ({"end_session_endpoint": "javascript:alert(1)"}, "not-https"),
    ])  # fmt: skip
    def test_is_believed_where_it_is_right(
        self, there: SmallProvider, source: Provider, changes: dict[str, Any], code: str
    ):
        there.discovery = changes
        with pytest.raises(Problem, match=code):
            discovery.discover(source)

    def test_is_asked_for_once_also_by_many(self, there: SmallProvider, source: Provider):
        threads = [threading.Thread(target=discovery.discover, args=(source,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert there.asked == [WELL_KNOWN]

    def test_who_waits_for_one_that_is_away_fails_with_the_first(
        self, there: SmallProvider, source: Provider, monkeypatch: pytest.MonkeyPatch
    ):
        """Not one after the other, each for as long as the deadline."""
        asked, begun = [], threading.Barrier(6)

        def fetch(*args: Any, **kwargs: Any) -> None:
            asked.append(args)
            time.sleep(0.3)
            raise Problem("timed-out", host="login")

        def ask() -> None:
            begun.wait(20)
            with pytest.raises(Problem, match="timed-out"):
                discovery.discover(source)

        monkeypatch.setattr(discovery, "fetch", fetch)
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(asked) < 3

    def test_what_failed_is_asked_again(self, there: SmallProvider, source: Provider):
        there.answers[WELL_KNOWN] = (503, b"")
        with pytest.raises(Problem):
            discovery.discover(source)
        there.answers.clear()
        assert discovery.discover(source).issuer == there.issuer


class TestConnectionTest:
    def states(self, source: Provider) -> dict[str, str]:
        return {line.what.code.removeprefix("oidc-test-"): line.state for line in testing.test(source)}

    def test_everything_is_well(self, there: SmallProvider, source: Provider):
        found = self.states(source)
        assert {found.pop("redirect"), found.pop("after-sign-out")} == {NOT_ASKED}  # nobody can look there
        assert set(found.values()) == {OK}

    def test_it_says_what_to_register(self, there: SmallProvider, source: Provider, settings: Any):
        settings.PORTAL_URL = "https://portal.school.example"
        told = [line.sentence for line in testing.test(source)][-2:]
        assert [text.rpartition(" ")[2] for text in told] == [
            "https://portal.school.example/accounts/sign-in/school/callback/",
            "https://portal.school.example/accounts/login/",
        ]

    @pytest.mark.parametrize(("change", "bad"), [
        (lambda there, source: setattr(source, "issuer", "https://nothing.invalid"), "name"),
        (lambda there, source: setattr(source, "issuer", "https://169.254.169.254"), "name"),
        (lambda there, source: setattr(source, "issuer", "http://127.0.0.1:9"), "connection"),
        (lambda there, source: there.answers.update({WELL_KNOWN: (404, b"")}), "configuration"),
        (lambda there, source: there.discovery.update(issuer="https://other.example"), "issuer"),
        (lambda there, source: there.answers.update({"/jwks": (200, b'{"keys": []}')}), "keys"),
    ])  # fmt: skip
    def test_each_step_that_fails_is_named(self, there: SmallProvider, source: Provider, change: Any, bad: str):
        change(there, source)
        found = self.states(source)
        assert [name for name, state in found.items() if state == BAD] == [bad]
        after = testing.STEPS[testing.STEPS.index(bad) + 1 :]
        assert {found[name] for name in after} <= {NOT_ASKED}
        assert found["redirect"] == NOT_ASKED

    def test_the_certificate_is_named(self, secured: SmallProvider):
        source = described(secured)
        assert self.states(source)["certificate"] == BAD
        source.ca_certificates = AUTHORITY.certificate.pem
        assert self.states(source)["certificate"] == OK

    @pytest.mark.parametrize(("ahead", "state"), [(60, OK), (-300, BAD), (300, BAD)])
    def test_the_clock_is_looked_at(self, there: SmallProvider, source: Provider, ahead: float, state: str):
        there.ahead = ahead
        assert self.states(source)["clock"] == state

    def test_a_wrong_secret_is_found_without_a_person(self, there: SmallProvider, source: Provider):
        source.secret = "another"
        assert self.states(source)["client"] == BAD

    def test_keys_that_fit_no_allowed_algorithm_are_found(self, there: SmallProvider, source: Provider):
        source.allowed_algorithms = "ES384"
        assert self.states(source)["keys"] == BAD
        there.published = [key_for("ES384").as_dict(private=False)]
        assert self.states(source)["keys"] == OK


class TestPerson:
    @pytest.mark.parametrize(("claims", "groups"), [
        ({"groups": ["a", "b"]}, {"a", "b"}), ({"groups": "a b, c"}, {"a b, c"}), ({"groups": []}, set()), ({}, None),
        ({"groups": None}, None), ({"groups": ""}, set()), ({"groups": {"a": 1}}, None), ({"groups": ["a", 7]}, None),
        ({"groups": ["a", ""]}, None), ({"groups": ["a"] * 2001}, None), ({"groups": ["x" * 501]}, None),
        ({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}, None), ({"hasgroups": True}, None),
        ({"groups": ["a"], "_claim_names": {"groups": "src1"}}, None),
    ])  # fmt: skip
    def test_groups_are_complete_or_unknown(self, source: Provider, claims: dict[str, Any], groups: set[str] | None):
        assert person(source, {"sub": "1", **claims}).groups == groups

    @pytest.mark.parametrize(("groups_claim", "roles_claim", "claims", "groups"), [
        ("realm_access.roles", "", {"realm_access": {"roles": ["a"]}}, {"a"}),
        ("https://school.example/groups", "", {"https://school.example/groups": ["a"]}, {"a"}),
        ("groups", "roles", {"groups": ["a"], "roles": ["b"]}, {"a", "b"}),
        ("groups", "roles", {"groups": ["a"]}, {"a"}),
        ("groups", "roles", {"roles": ["b"]}, None),
        ("", "roles", {"roles": ["b"]}, {"b"}),
        ("", "roles", {}, None),
        ("", "", {"groups": ["a"]}, None),
    ])  # fmt: skip
    def test_groups_and_app_roles(
        self, source: Provider, groups_claim: str, roles_claim: str, claims: dict[str, Any], groups: set[str] | None
    ):
        source.groups_claim, source.roles_claim = groups_claim, roles_claim
        assert person(source, {"sub": "1", **claims}).groups == groups

    def test_names_are_taken_as_they_are_told(self, source: Provider):
        source.number_claim = "employee.number"
        told = {
            "sub": "S-1",
            "preferred_username": "ana@school.example",
            "name": "Ana Gómez",
            "employee": {"number": 17},
        }
        found = person(source, told)
        assert (found.subject, found.username, found.first_name, found.number) == (
            "S-1", "ana@school.example", "Ana Gómez", "17",
        )  # fmt: skip

    @pytest.mark.parametrize("odd", [["a", "b"], {"a": "b"}, True, 1.5, "x" * 501, None, "\u202e\x07"])
    def test_an_odd_name_is_none(self, source: Provider, odd: Any):
        assert person(source, {"sub": "S-1", "preferred_username": odd, "email": odd}).username == "S-1"

    def test_claims_are_texts_and_tell_nothing_of_the_token(self, source: Provider):
        told = {"sub": "1", "nonce": "n", "at_hash": "h", "a": {"b": {"c": [1, "x", True, None, 1.5]}}}
        assert person(source, told).claims == {"sub": ("1",), "a.b.c": ("1", "x", "true")}


@pytest.mark.django_db
class TestForAdministrators:
    """The same lines on the page, by the command, and kept for `doctor`."""

    def test_the_page_and_the_command_say_each_step(
        self, client: Client, admin: User, there: SmallProvider, school: Provider, capsys: pytest.CaptureFixture[str]
    ):
        client.force_login(admin)
        page = client.post(f"/admin/accounts/provider/{school.pk}/test/", {"person": ""}).content.decode()
        assert f"/accounts/sign-in/{school.name}/callback/" in page
        call_command("sign_in", "test", school.name)
        said = capsys.readouterr().out
        assert ("FAIL" in said, "Client ID and secret" in said, SECRET in said) == (False, True, False)
        school.refresh_from_db()
        assert (school.last_test_ok, school.clock_offset is not None) == (True, True)

    def test_what_a_sign_in_found_is_known_to_doctor(self, client: Client, there: SmallProvider, school: Provider):
        there.answers[WELL_KNOWN] = (500, b"")
        client.get(f"/accounts/sign-in/{school.name}/")
        school.refresh_from_db()
        assert health.is_failing(school)
        assert "HTTP 500" in str(health.problem_of(school))
        there.answers.clear()
        begun: Any = client.get(f"/accounts/sign-in/{school.name}/")
        parts = urlsplit(there.authorize(begun.url))
        client.get(f"{parts.path}?{parts.query}")
        school.refresh_from_db()
        assert not health.is_failing(school)
