"""What every answer tells the browser to refuse, and who is made to use TLS."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as project
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.models import User
from clusters.models import DeletedCluster
from tests.labportal.portal_process import ROOT
from tests.labs import Lab, queries, writes
from tests.samples import SEED, TURNS
from tests.waits import TIMEOUT
from vms import operations
from vms.models import VirtualMachine

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.labportal.failing_urls")]

HEADERS = {
    "Content-Security-Policy": (
        "base-uri 'none'; connect-src 'self'; default-src 'none'; font-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PUBLIC = ["/", "/accounts/login/", "/healthz", "/api/clusters", "/no/such/page", "/bug/", "/forbidden/", "/suspicious/",
          "/admin/", "/admin/login/", "/vms/", "/vms/switch-cluster/"]  # fmt: skip
STAFF = ["/vms/", "/admin/", "/admin/clusters/cluster/", "/admin/clusters/cluster/add/", "/admin/vms/operation/",
         "/admin/no/such/page", "/vms/1/start/", "/api/clusters"]  # fmt: skip


def headers(answer: Any) -> dict[str, str | None]:
    found = {name: answer.headers.get(name) for name in HEADERS}
    policy = found["Content-Security-Policy"] or ""
    return {**found, "Content-Security-Policy": "; ".join(sorted(policy.split("; ")))}


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("page", PUBLIC)
def test_every_answer_to_a_visitor_has_the_headers(visitor: Client, page: str):
    assert headers(visitor.get(page)) == HEADERS


@pytest.mark.parametrize("page", STAFF)
def test_every_answer_to_staff_has_the_headers(visitor: Client, admin: User, page: str):
    visitor.force_login(admin)
    assert headers(visitor.get(page)) == HEADERS


def test_a_refused_form_has_the_headers(admin: User):
    assert headers(Client(enforce_csrf_checks=True).post("/accounts/login/")) == HEADERS


def test_a_refused_host_has_the_headers(visitor: Client):
    assert headers(visitor.get("/", headers={"Host": "evil.test"})) == HEADERS


def test_nothing_in_a_page_needs_more_than_the_policy_gives(client: Client, building_a: Lab, admin: User):
    client.force_login(admin)
    for page in ("/vms/", "/accounts/login/", f"/vms/{building_a.machine(102).pk}/stop/"):
        text = client.get(page, follow=True).content.decode()
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<style" not in text
        assert text.count("<script") == text.count("src=")


# Cookies


def test_the_session_cookie_is_out_of_reach(client: Client, admin: User):
    client.force_login(admin)
    client.post("/vms/switch-cluster/", {"cluster": ""})
    cookie = client.cookies[project.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_the_csrf_cookie_stays_on_this_site(client: Client):
    client.get("/accounts/login/")
    assert client.cookies["csrftoken"]["samesite"] == "Lax"


def test_a_visitor_gets_no_session(client: Client):
    client.get("/accounts/login/")
    assert project.SESSION_COOKIE_NAME not in client.cookies


# Reading changes nothing


def addresses(patterns: list[Any], before: str = "/") -> Iterator[str]:
    """Every route of the site, with the number of a row that is there."""
    for entry in patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, route)
        elif "(?P" not in route:  # what catches everything else
            yield re.sub(r"<[^>]+>", row_of(route), route.replace("<slug:action>", "start"))


def row_of(route: str) -> str:
    """The key of the first row of the model that the route is about; without one, a number."""
    named = re.match("/admin/([a-z]+)/([a-z]+)/", route)
    model = apps.get_model(*named.groups()) if named and named[1] != "r" else VirtualMachine
    row = model._base_manager.first()
    return str(row.pk) if row else "1"


def rows() -> dict[str, list[str]]:
    return {model.__name__: sorted(map(repr, model._base_manager.values_list())) for model in apps.get_models()}


@pytest.fixture
def lived_in(building_a: Lab, ana: User) -> Lab:
    """A portal with a row of everything."""
    operations.request(building_a.assign(101, ana), "start", by=ana)
    DeletedCluster.objects.remember(["gone"])
    return building_a


# Of the others one a day, and both with `bin/test --long`.
OTHERS = ["head", "options"] if TURNS >= 10 else [["head", "options"][SEED % 2]]


@pytest.mark.parametrize("method", ["get", *OTHERS])
def test_reading_changes_no_row_and_asks_no_cluster(visitor: Client, admin: User, lived_in: Lab, method: str):
    visitor.force_login(admin)
    before, guilty = rows(), []
    routes = sorted(addresses(get_resolver("labportal.urls").url_patterns))
    for route in routes:
        with queries() as asked:
            getattr(visitor, method)(route)
        # The rows themselves take longer to look at than all else.
        guilty += [route] if (writes(asked) and rows() != before) or lived_in.pve.count() else []
    assert (len(routes) > 70, guilty, rows()) == (True, [], before)


def test_reading_does_not_log_out(client: Client, admin: User):
    client.force_login(admin)
    assert [client.get(page).status_code for page in ("/accounts/logout/", "/admin/logout/", "/vms/")] == [
        405,
        405,
        200,
    ]


# For others than this machine

PROBE = """
import json, django
from django.conf import settings
from django.test import Client
from django.test.utils import override_settings
django.setup()
plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
with override_settings(STORAGES=plain):
    client = Client(SERVER_NAME="portal.example.org")
    insecure, health = client.get("/vms/?page=2"), client.get("/healthz")
    secure = client.get("/accounts/login/", secure=True)
print(json.dumps({
    "redirect": [insecure.status_code, insecure.headers["Location"]],
    "health": health.status_code,
    "hsts": secure.headers.get("Strict-Transport-Security"),
    "csrf": bool(client.cookies["csrftoken"]["secure"]),
    "session": settings.SESSION_COOKIE_SECURE,
}))
"""


def told(database: Path, **environment: str) -> dict[str, Any]:
    keys = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEY")}
    keys |= {"DATABASE_URL": f"sqlite:///{database}", "DJANGO_SETTINGS_MODULE": "labportal.settings", "DEBUG": "off"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, env={**os.environ, **keys, **environment},
        capture_output=True, text=True, check=True, timeout=TIMEOUT,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def database(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(migrated_file, tmp_path_factory.mktemp("public") / "portal.db"))


@pytest.fixture(scope="module")
def public(database: Path) -> dict[str, Any]:
    """What a portal answers that others than this machine can reach."""
    return told(database, ALLOWED_HOSTS="portal.example.org")


def test_who_comes_without_tls_is_sent_to_it(public: dict[str, Any]):
    assert public["redirect"] == [301, "https://portal.example.org/vms/?page=2"]


def test_a_probe_may_come_without_tls(public: dict[str, Any]):
    assert public["health"] in {200, 503}


def test_cookies_travel_by_tls_alone(public: dict[str, Any]):
    assert (public["csrf"], public["session"]) == (True, True)


def test_the_browser_remembers_to_use_tls(public: dict[str, Any]):
    assert public["hsts"] == "max-age=31536000"


def test_one_public_host_among_others_is_enough(database: Path):
    assert told(database, ALLOWED_HOSTS="127.0.0.1,portal.example.org")["csrf"] is True


def test_on_this_machine_alone_no_tls_is_needed(client: Client):
    answer = client.get("/accounts/login/")
    assert (answer.status_code, "Strict-Transport-Security" in answer.headers) == (200, False)
    assert not client.cookies["csrftoken"]["secure"]
