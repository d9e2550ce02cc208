"""What the login page offers besides the portal's own password."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.models.sources import Directory, Provider, TrustedHeader
from tests.labs import queries

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"


def made(kind: Any, name: str, label: str, *, position: int = 0, is_active: bool = True) -> None:
    kind(name=name, label=label, position=position, is_active=is_active, issuer=f"https://{name}.example").save()


def links(page: Any) -> list[str]:
    return [
        line.split('href="')[1].split('"')[0] for line in page.content.decode().splitlines() if "Log in with" in line
    ]


def test_without_sources_it_is_the_form_alone(client: Client):
    page = client.get(LOGIN)
    assert (links(page), b"<h2" in page.content, b"autofocus" in page.content) == ([], False, True)


@pytest.mark.parametrize("number", [0, 3])
def test_sources_are_one_question_whatever_their_number(client: Client, number: int):
    for one in range(number):
        made(Provider, f"p{one}", f"Provider {one}")
    with queries() as asked:
        client.get(LOGIN)
    assert len(asked) == 1


def test_links_are_in_their_order_and_keep_the_page(client: Client):
    made(Provider, "second", "Second", position=2)
    made(TrustedHeader, "first", "First", position=1)
    made(Provider, "off", "Off", is_active=False)
    made(Directory, "ad", "School <AD>")
    page = client.get(LOGIN, {"next": "/classes/?a=1&b=2"})
    query = "?next=%2Fclasses%2F%3Fa%3D1%26b%3D2"
    assert links(page) == [f"/accounts/sign-in/first/{query}", f"/accounts/sign-in/second/{query}"]
    assert b"Use your account of School &lt;AD&gt;, or an account of this portal." in page.content


def test_no_foreign_page_is_kept(client: Client):
    made(Provider, "school", "School")
    assert links(client.get(LOGIN, {"next": "https://elsewhere.example/"})) == ["/accounts/sign-in/school/"]


def test_the_administration_offers_the_same(client: Client):
    made(Provider, "school", "School")
    page = client.get("/admin/login/", {"next": "/admin/accounts/user/"})
    assert links(page) == ["/accounts/sign-in/school/?next=%2Fadmin%2Faccounts%2Fuser%2F"]


def test_who_is_logged_in_is_sent_on(client: Client, ana: User):
    made(Provider, "school", "School")
    client.force_login(ana)
    assert client.get(LOGIN).headers["Location"] == "/vms/"
