"""The API as a whole: its errors, limits, schema and documentation, and tokens that come to light nowhere."""

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from accounts import jobs, tokens
from accounts.api import rate
from accounts.models import ApiToken, User
from labportal import api as portal_api
from labportal import logs, middleware
from tests.api_client import Api, fields
from tests.conftest import PASSWORD
from vms import database_connectivity
from vms.access import lookups

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent.parent
READING = {"get": "read"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "", 404), ("GET", "nothing/here", 404), ("GET", "machines/0", 422), ("GET", "operations/1", 404),
     ("GET", f"machines/{'9' * 30}", 422), ("PUT", "machines", 405), ("DELETE", "token", 405),
     ("GET", "clusters/a%00b", 422), ("GET", "clusters/%ff", 404)],
)  # fmt: skip
def test_every_error_is_a_problem(ana: User, method: str, path: str, status: int):
    answer = Api(ana).call(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail", "errors"}


@pytest.mark.parametrize("path", ["nothing/here", "operations/1/cancel", "runs/1/undo"])
def test_a_write_to_an_address_that_does_not_exist_is_a_problem_too(ana: User, path: str):
    api = Api(ana)
    api.client.handler.enforce_csrf_checks = True
    answer = api.post(path, {})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(("is_outage", "status"), [(False, 500), (True, 503)])
def test_a_fault_is_a_problem_and_says_nothing_of_itself(
    ana: User, monkeypatch: pytest.MonkeyPatch, is_outage: bool, status: int
):
    def fails(user: object) -> None:
        raise RuntimeError("told to nobody")

    monkeypatch.setattr(lookups, "groups_for", fails)
    monkeypatch.setattr(database_connectivity, "is_outage", lambda error: is_outage)
    api = Api(ana)
    api.client.raise_request_exception = False
    answer = api.get("groups")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert "told to nobody" not in answer.content.decode()


def test_an_outage_of_the_database_is_a_problem(ana: User, monkeypatch: pytest.MonkeyPatch):
    api = Api(ana)
    monkeypatch.setattr(database_connectivity, "is_outage", lambda error: True)
    monkeypatch.setattr(middleware.connection, "ensure_connection", _fails, raising=False)
    answer = api.get("groups")
    assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (503, 503, "10")


def _fails() -> None:
    raise OperationalError


def test_errors_are_in_the_callers_language(ana: User):
    assert "desconocido" in Client().get("/api/v1/token", headers={
        "Authorization": "Bearer labp_x", "Accept-Language": "es"
    }).json()["detail"]  # fmt: skip


def test_a_token_has_so_many_calls_a_minute(ana: User, ben: User, settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.API_CALLS_PER_MINUTE = 2
    monkeypatch.setattr(rate.time, "monotonic", lambda: 6000.0)
    api = Api(ana)
    answers = [api.get("token") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=2;w=60'
    assert [answer.headers["RateLimit"] for answer in answers] == [f'"token";r={left};t=60' for left in (1, 0, 0)]
    assert (answers[2].headers["Retry-After"], fields(answers[2])) == ("60", [])
    assert Api(ben).get("token").status_code == 200
    monkeypatch.setattr(rate.time, "monotonic", lambda: 6060.0)
    assert api.get("token").status_code == 200


def test_an_answer_is_kept_by_nobody_else(ana: User):
    headers = Api(ana).get("token").headers
    assert (headers["Cache-Control"], "Authorization" in headers["Vary"]) == ("private, no-cache", True)
    assert "Set-Cookie" not in headers


# The schema


def operations() -> list[tuple[str, dict[str, Any]]]:
    found = portal_api.schema()["paths"].values()
    return [(method, one) for path in found for method, one in path.items()]


def test_every_operation_says_what_it_needs_and_does():
    for method, one in operations():
        assert one["description"], one
        assert one["tags"], one
        assert one["security"] == [{"token": []}], one
        if method == "get":
            assert one["x-right"] == "read", one
        else:
            assert one["x-right"] in {"write", "destroy", "write or destroy"}, one
            assert "Idempotency-Key" in [each["name"] for each in one["parameters"]], one
        assert "4XX" in one["responses"], one


def test_the_documentation_shows_every_operation_and_runs_nothing(client: Client, ana: User):
    client.force_login(ana)
    page = client.get("/api/v1/docs/")
    text = page.content.decode()
    for _method, one in operations():
        assert f'id="{one["operationId"]}"' in text
    assert "as <code>If-None-Match</code>: 304" in text
    assert "`" not in text
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|https?://(?!testserver)", text)


def test_a_changed_schema_is_noticed(tmp_path: Path):
    """That the stored one is up to date is for bin/lint to see."""
    changed = tmp_path / "openapi.json"
    changed.write_text((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8").replace('"vmid"', '"number"', 1))
    command = [sys.executable, "bin/_openapi.py", "--check", str(changed)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "bin/_openapi.py" in done.stdout) == (1, True)


# Tokens in addresses, and anywhere else


@pytest.mark.parametrize("path", ["/api/v1/machines?token={}", "/vms/?x={}", "/{}/", "/?q={}&y=1"])
@pytest.mark.parametrize("form", ["{}", "%6Cabp_{}"])
def test_a_token_in_an_address_is_refused(ana: User, path: str, form: str):
    text = Api(ana).text
    answer = Client().get(path.format(form.format(text if form == "{}" else text[5:])))
    assert (answer.status_code, "never" in answer.json()["detail"] or "header" in answer.json()["detail"]) == (
        400,
        True,
    )
    assert text[5:] not in answer.content.decode()


def lines(caplog: pytest.LogCaptureFixture) -> str:
    """As the portal's own handler writes them."""
    for record in caplog.records:
        logs.WithoutInvites().filter(record)
    return "\n".join(record.getMessage() for record in caplog.records)


def rows() -> str:
    """The whole database as text."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
            found += cursor.fetchall()
    return repr(found)


def test_a_token_comes_to_light_nowhere(
    client: Client, ana: User, admin: User, settings: Any, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    settings.EMAIL_URL = "smtp://localhost"
    User.objects.filter(pk=ana.pk).update(email="ana@example.org")
    client.force_login(ana)
    wanted = {"name": "robot", "rights": ["read"], "scope": "", "days": "3", "password": PASSWORD}
    first = client.post("/accounts/profile/tokens/", wanted).content.decode()
    text = tokens.FORM.search(first)[0]  # type: ignore[index]
    said = {"Authorization": f"Bearer {text}"}
    pages = [
        Client().get(f"/api/v1/{path}", headers=said)
        for path in ("token", "machines", "nothing", "machines/1", "audit", "machines?limit=0", "openapi.json")
    ]
    pages += [Client().post("/api/v1/batches", {}, "application/json", headers=said)]
    pages += [
        Client().get(f"/api/v1/machines?t={text}"),
        Client().get("/api/v1/token", headers={"Authorization": text}),
    ]
    pages += [client.get("/accounts/profile/tokens/")]
    client.force_login(admin)
    pages += [client.get("/admin/accounts/apitoken/"), client.get("/admin/auditlog/logentry/")]
    jobs.warn_of_expiring_tokens()
    [letter] = mail.outbox
    places = {
        "pages": "".join(page.content.decode() + str(page.headers) for page in pages),
        "tables": rows(),
        "mail": letter.subject + letter.body,
        "logs": lines(caplog),
    }
    assert {name for name, content in places.items() if text[5:] in content} == set()
    assert "robot" in places["tables"]  # it looks where tokens are
    assert text[-4:] in places["pages"]
    logging.getLogger("django").warning("Not Found: /x?t=%s", text)
    ApiToken.objects.update(name=text[:60])
    assert (text[5:] in rows(), "labp_***" in lines(caplog)) == (True, True)


def test_the_end_of_a_token_is_announced_once(ana: User, settings: Any):
    settings.EMAIL_URL, settings.PORTAL_URL = "smtp://localhost", "https://labs.example.org"
    User.objects.update(email="ana@example.org")
    Api(ana)
    Api(ana, name="later", expires_at=timezone.now() + jobs.WARNED_BEFORE * 2)
    for _ in range(2):
        jobs.warn_of_expiring_tokens()
    [letter] = mail.outbox
    assert (letter.to, "robot" in letter.body, "/accounts/profile/tokens/" in letter.body) == (
        ["ana@example.org"], True, True,
    )  # fmt: skip


def test_tokens_that_ended_long_ago_are_forgotten(ana: User):
    Api(ana)
    Api(ana, name="old", expires_at=timezone.now() - jobs.ENDED_TOKENS_KEPT)
    jobs.forget_ended_tokens()
    assert [token.name for token in ApiToken.objects.all()] == ["robot"]
