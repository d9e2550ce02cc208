"""docs/deployment's nginx.conf and Caddyfile, tried with the real programs in front of the real server."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from axes.models import AccessAttempt
from django.contrib.auth import hashers
from websockets.exceptions import ConnectionClosed

from accounts.hashers import CappedArgon2PasswordHasher
from accounts.models import User
from tests.conftest import PASSWORD
from tests.labportal.reverse_proxies import HOST, VISITORS, Front, Visitor, portal, proxy
from tests.own_database import ON_POSTGRES, copy_of, default_connection
from vms.console import close_codes

LOGIN, LIST = "/accounts/login/", "/vms/"


@pytest.fixture(scope="module")
def served(migrated_template: str, tmp_path_factory: Any, django_db_blocker: Any) -> Iterator[int]:
    """One bin/serve for everything; its port."""
    folder: Path = tmp_path_factory.mktemp("portal")
    with (
        django_db_blocker.unblock(),
        copy_of(migrated_template, folder) as name,
        default_connection(NAME=name, OPTIONS={"pool": False} if ON_POSTGRES else {}),
    ):
        stored = CappedArgon2PasswordHasher().encode(PASSWORD, hashers.BasePasswordHasher().salt())
        User.objects.create(username="admin", is_staff=True, is_superuser=True, password=stored)
        with portal(folder) as port:
            yield port


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, served: int, tmp_path_factory: Any) -> Iterator[Front]:
    with proxy(request.param, served, tmp_path_factory.mktemp(request.param)) as started:
        yield started


@pytest.fixture
def visitor(front: Front) -> Iterator[Visitor]:
    made = Visitor(front)
    yield made
    made.close()


@pytest.fixture
def admin(visitor: Visitor) -> Visitor:
    """Logged in by the form."""
    answer = visitor.post(LOGIN, {"username": "admin", "password": PASSWORD})
    assert (answer.status, answer.headers.get("Location")) == (302, LIST)
    return visitor


def test_a_login_by_tls_holds(admin: Visitor):
    assert admin.get(LIST).status == 200
    assert "Strict-Transport-Security" in admin.get(LIST).headers


def test_a_failure_is_counted_at_the_visitors_own_address(visitor: Visitor):
    AccessAttempt.objects.all().delete()
    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    assert visitor.post(LOGIN, {"username": "admin", "password": "wrong"}, **claimed).status == 200
    assert AccessAttempt.objects.get().ip_address == VISITORS
    AccessAttempt.objects.all().delete()


@pytest.mark.parametrize("told", ["unknown", "_hidden", "squid.example", "192.0.2.7:x", "fe80::1%eth0"])
def test_a_proxy_that_tells_no_address_breaks_no_login(served: int, told: str):
    """Past nginx and Caddy, which never do: others pass on what they were told."""
    AccessAttempt.objects.all().delete()
    said = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": told, "Origin": f"https://{HOST}"}
    page = requests.get(f"http://127.0.0.1:{served}{LOGIN}", headers=said, timeout=30)
    token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    form = {"csrfmiddlewaretoken": token, "username": "admin", "password": "wrong"}
    said["Cookie"] = f"csrftoken={page.cookies['csrftoken']}"
    answer = requests.post(f"http://127.0.0.1:{served}{LOGIN}", form, headers=said, timeout=30)
    assert (answer.status_code, "User name and password don" in answer.text) == (200, True)
    assert AccessAttempt.objects.get().ip_address == ("fe80::1" if told.startswith("fe80") else None)
    AccessAttempt.objects.all().delete()


def test_a_websocket_passes_both_ways(admin: Visitor):
    """The portal lets it in, and closes it with a reason of its own: there is no such permit."""
    with admin.websocket(f"/ws/console/{'x' * 32}/") as line, pytest.raises(ConnectionClosed) as ended:
        line.recv(timeout=30)
    assert ended.value.rcvd
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (
        close_codes.DENIED,
        "this permit is used, too old or not yours",
    )


@pytest.mark.parametrize("size", [3_500_000, 19_000_000])
def test_the_portal_itself_says_that_a_file_is_too_large(admin: Visitor, size: int):
    answer = admin.post("/admin/accounts/user/import/", {"upload": ("people.csv", b"x" * size)})
    assert (answer.status, "The table is larger than 512 KB." in answer.data.decode()) == (400, True)


def test_who_comes_without_tls_is_sent_to_it(front: Front):
    line = http.client.HTTPConnection("127.0.0.1", front.http, timeout=30)
    line.request("GET", "/accounts/login/?next=/vms/", headers={"Host": HOST})
    answer = line.getresponse()
    line.close()
    assert answer.status in {301, 308}
    assert str(answer.headers["Location"]).startswith(f"https://{HOST}")
    assert str(answer.headers["Location"]).endswith("/accounts/login/?next=/vms/")


def test_styles_and_scripts_arrive(visitor: Visitor):
    page = visitor.get(LOGIN).data.decode()
    style = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    assert (style.startswith("/static/"), visitor.get(style).status) == (True, 200)
