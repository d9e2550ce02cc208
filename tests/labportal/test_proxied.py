"""Proxies that change what the browser said: the page names it, and no page leads to itself."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.conftest import PASSWORD
from tests.labportal.test_security_headers import HEADERS, headers

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
OURS = "labs.example.org"


@pytest.fixture(autouse=True)
def others_reach_it(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [OURS, "127.0.0.1"]
    settings.SECURE_SSL_REDIRECT = settings.CSRF_COOKIE_SECURE = True


def log_in(*, secure: bool = True, host: str = OURS, **said: str) -> Any:
    """The login form as a browser sends it through a proxy that passes on this host."""
    client = Client(enforce_csrf_checks=True, SERVER_NAME=OURS)
    page = client.get(LOGIN, secure=secure, headers={"Host": host})
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    data = {"csrfmiddlewaretoken": token[1] if token else "", "username": "ana", "password": PASSWORD}
    return client.post(LOGIN, data, secure=secure, headers={"Host": host, **said})


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def test_as_it_should_be(ana: User):
    assert log_in(Origin=f"https://{OURS}").status_code == 302
    assert log_in(Referer=f"https://{OURS}{LOGIN}").status_code == 302
    assert log_in(host=f"{OURS}:8443", Origin=f"https://{OURS}:8443").status_code == 302


CHANGED = [
    ({"Origin": f"https://{OURS}:8443"}, OURS),  # the port is lost
    ({"Origin": f"https://{OURS}"}, "127.0.0.1:8000"),  # the proxy's own Host
    ({"Origin": f"https://{OURS}"}, f"{OURS}:443"),
    ({"Origin": f"http://{OURS}"}, OURS),  # the protocol
    ({"Origin": "https://evil.example"}, OURS),  # no proxy at all
    ({"Origin": "https://[2001:db8::1]:8443"}, OURS),
]


@pytest.mark.parametrize(("said", "host"), CHANGED)
def test_a_form_from_another_address_is_told_both(ana: User, said: dict[str, str], host: str):
    answer = log_in(host=host, **said)
    assert answer.status_code == 403
    assert f"<code>{said['Origin']}</code>" in text(answer)
    assert f"<code>https://{host}</code>" in text(answer)
    assert "the proxy changes host, port or protocol" in text(answer)
    assert "has expired" not in text(answer)


def test_an_old_browser_tells_it_by_the_page_it_comes_from(ana: User):
    answer = log_in(host=f"{OURS}:443", Referer=f"https://{OURS}/accounts/login/?next=/private/")
    assert f"<code>https://{OURS}</code>" in text(answer)
    assert "private" not in text(answer)


NO_ADDRESS = ["null", "<script>alert(1)</script>", "https://a.example<b>", f"https://{'a' * 400}.example",
              "javascript:alert(1)", "https://ana:s3cret@a.example", "x" * 3000]  # fmt: skip


@pytest.mark.parametrize("said", NO_ADDRESS)
def test_what_is_no_address_is_not_repeated(ana: User, said: str):
    answer = log_in(Origin=said)
    assert (answer.status_code, "report where the form was" in text(answer)) == (403, True)
    assert said not in text(answer)
    assert len(answer.content) < 3000


def test_an_old_form_is_still_one(ana: User):
    client = Client(enforce_csrf_checks=True, SERVER_NAME=OURS)
    answer = client.post(LOGIN, {"username": "ana"}, secure=True, headers={"Origin": f"https://{OURS}"})
    assert (answer.status_code, "This form has expired" in text(answer)) == (403, True)


# Protocols


def come(**said: str) -> Any:
    return Client(SERVER_NAME=OURS).get(LOGIN, headers={"Host": OURS, **said})


@pytest.mark.parametrize(("said", "why"), [
    ({"X-Forwarded-Proto": "https,http"}, "several values (https,http)"),
    ({"X-Forwarded-Proto": "https"}, "FORWARDED_ALLOW_IPS"),
    ({"X-Forwarded-Proto": "HTTPS"}, "must send X-Forwarded-Proto: https"),
    ({"X-Forwarded-Proto": "https; <b>"}, "X-Forwarded-Proto: https"),
    ({"Sec-Fetch-Mode": "navigate"}, "X-Forwarded-Proto: https"),
])  # fmt: skip
def test_who_came_by_tls_is_not_sent_in_a_circle(said: dict[str, str], why: str):
    answer = come(**said)
    assert (answer.status_code, why in text(answer), "<b>" in text(answer)) == (400, True, False)
    assert headers(answer) == HEADERS


def test_who_came_without_is_sent_to_tls():
    for said in ({}, {"X-Forwarded-Proto": "http"}):
        answer = come(**said)
        assert (answer.status_code, answer["Location"]) == (301, f"https://{OURS}{LOGIN}")


def test_browsers_on_this_machine_prove_nothing():
    answer = Client().get(LOGIN, headers={"Host": "127.0.0.1:8000", "Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 301


def test_probes_need_no_tls():
    assert Client().get("/healthz", headers={"Host": OURS, "X-Forwarded-Proto": "https"}).status_code in {200, 503}


# Hosts

TITLES = {"en": "This is not the portal", "es": "Esta no es la dirección del portal"}


@pytest.mark.parametrize("redirects", [True, False])
@pytest.mark.parametrize("language", TITLES)
@pytest.mark.parametrize(
    "host", ["evil.example", "labs.example.org.evil.example", "<script>", "labs evil", "10.0.0.1:8000"]
)
def test_an_address_that_is_not_ours(settings: Any, caplog: Any, host: str, language: str, redirects: bool):
    settings.SECURE_SSL_REDIRECT = redirects
    answer = Client(raise_request_exception=False).get(LOGIN, headers={"Host": host, "Accept-Language": language})
    assert (answer.status_code, f"<h1>{TITLES[language]}" in text(answer)) == (400, True)
    assert "ALLOWED_HOSTS" in text(answer)
    assert host not in text(answer)
    (record,) = [record for record in caplog.records if record.name == "django.security.DisallowedHost"]
    assert record.exc_info is None


def test_too_much_text_is_told_in_words(admin: User):
    client = Client(SERVER_NAME=OURS)
    client.force_login(admin)
    answer = client.post("/admin/accounts/user/import/", {"text": "x" * 1_100_000}, secure=True)
    assert (answer.status_code, "at most 512 KB" in text(answer)) == (413, True)
