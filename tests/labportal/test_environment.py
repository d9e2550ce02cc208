"""Variables as people write them: understood as they are meant, or refused in one line without a piece of a secret."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.checks import ERROR, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage

from labportal import checks, environment
from tests.labportal.portal_process import ROOT
from tests.waits import TIMEOUT

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cut", set())
    monkeypatch.setattr(environment, "kept", set())


# As written


@pytest.mark.parametrize("value", ["$HOME", "$ecret1", "$$", "\\$x", "${HOME}", "a#b", "$(id)", "#x"])
def test_a_secret_is_taken_as_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str):
    monkeypatch.setenv("A_SECRET", value)
    assert environment.secret("A_SECRET") == value
    monkeypatch.delenv("A_SECRET")
    (tmp_path / "secret").write_text(value + "\n")
    monkeypatch.setenv("ANOTHER_FILE", str(tmp_path / "secret"))
    monkeypatch.setattr(environment._variables, "cache", False)
    assert environment.secret("ANOTHER") == value


LINES = {
    "A_VALUE=$ecret": "$ecret",
    "A_VALUE='$ecret'": "$ecret",
    'A_VALUE="$ecret"': "$ecret",
    'A_VALUE="$ecret" # ours': "$ecret",
    "A_VALUE='pa # ss' # ours": "pa # ss",
    "export A_VALUE=a#b": "a#b",
    "\ufeffA_VALUE=a\r": "a",
    "  A_VALUE=a": "a",
}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that files are read into, in place of this process's."""
    found: dict[str, str] = {}
    monkeypatch.setattr(environment.environ.Env, "ENVIRON", found)
    return found


@pytest.mark.parametrize(("line", "value"), LINES.items())
def test_a_line_of_the_file(tmp_path: Path, variables: dict[str, str], line: str, value: str):
    (tmp_path / ".env").write_text(f"{line}\n\n  # a comment\n", newline="")
    environment.read(tmp_path / ".env")
    assert variables == {"A_VALUE": value}


def test_a_line_that_sets_nothing_is_refused_and_not_repeated(tmp_path: Path, variables: dict[str, str]):
    (tmp_path / ".env").write_text(f"A=1\nPVE_ADMIN_PASS = {SECRET}\n")
    with pytest.raises(ImproperlyConfigured, match="line 2") as raised:
        environment.read(tmp_path / ".env")
    assert SECRET not in str(raised.value)


def test_a_file_of_a_secret_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_SECRET_FILE", "/no/such/file")
    with pytest.raises(ImproperlyConfigured, match="A_SECRET_FILE"):
        environment.secret("A_SECRET")


# Comments


def test_a_comment_is_no_part_of_a_list(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_HOSTS", "a.example; b.example c.example,\td.example # ours, e.example")
    assert environment.words("SOME_HOSTS", "") == ["a.example", "b.example", "c.example", "d.example"]
    assert {message.id for message in checks.comments_are_apart(None)} == {"portal.W001"}


def test_what_looks_like_a_comment_stays_in_a_secret_and_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_SECRET", f"{SECRET} # ours")
    assert environment.secret("A_SECRET") == f"{SECRET} # ours"
    (message,) = checks.comments_are_apart(None)
    assert (message.id, "A_SECRET" in message.msg, SECRET in message.msg) == ("portal.W002", True, False)


# Servers

DATABASES: dict[str, tuple[str, ...]] = {
    "postgres://me:$pa#ss%2F@db.example:5433/lab?sslmode=require": ("me", "$pa#ss/", "db.example", "5433", "lab"),
    "postgresql://me@//srv/socket/lab": ("me", "", "/srv/socket", "", "lab"),
    "postgres:///lab": ("", "", "", "", "lab"),
    "postgres://me:pw@one.example:1,two.example:2/lab": ("me", "pw", "one.example,two.example", "1,2", "lab"),
    "sqlite:////srv/a#b.db": ("", "", "", "", "/srv/a#b.db"),
    "sqlite:///lab.db # ours": ("", "", "", "", "lab.db"),
}


@pytest.mark.parametrize(("url", "parts"), DATABASES.items())
def test_the_address_of_a_database(monkeypatch: pytest.MonkeyPatch, url: str, parts: tuple[str, ...]):
    monkeypatch.setenv("A_DATABASE", url)
    config = environment.database("A_DATABASE", "sqlite:///default.db")
    assert tuple(str(config[name]) for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")) == parts


def test_without_a_database_there_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("A_DATABASE", raising=False)
    assert environment.database("A_DATABASE", "sqlite:///default%23.db")["NAME"] == "default#.db"


NO_DATABASE = ["", "$DB", "/srv/s3cret.db", "mysql://u:s3cret@h/db", "postgres://u:pa/s3cret@h/db", "postgres:s3cret",
               "postgres://u:12/s3cret@h/db", "postgres://u:12?s3cret@h/db", "postgres://u:s3cret@h", "//u:s3cret@h/db",
               "postgres://u:[s3cret@h:x/db", "sqlite://s3cret/lab.db", "postgres://u:s3cret@h:port/db"]  # fmt: skip
NO_MAIL = ["s3cret", "smtp://u:pa/s3cret@h:25", "smtp://u:12/s3cret@h", "smtp://u:12?s3cret@h:25", "http://u:s3cret@h",
           "smtp:u:s3cret@h", "smtp://u:s3cret@h:port", "smtp://u:s3[cret@h:25"]  # fmt: skip
NO_REDIS = ["s3cret", "http://:s3cret@h", "redis://:s3/cret@h:6379"]
REFUSED: list[tuple[Any, str]] = [
    *[(lambda: environment.database("AN_ADDRESS", "sqlite:///x"), url) for url in NO_DATABASE],
    *[(lambda: environment.mail_server("AN_ADDRESS", "smtp://localhost"), url) for url in NO_MAIL],
    *[(lambda: environment.redis("AN_ADDRESS"), url) for url in NO_REDIS],
]


@pytest.mark.parametrize(("parse", "url"), REFUSED)
def test_a_wrong_address_is_one_line_without_a_piece_of_it(monkeypatch: pytest.MonkeyPatch, parse: Any, url: str):
    monkeypatch.setenv("AN_ADDRESS", url)
    with pytest.raises(ImproperlyConfigured) as raised:
        parse()
    told = str(raised.value)
    assert told.startswith(("AN_ADDRESS ", "AN_ADDRESS:"))
    assert not [piece for piece in ("s3", "cret", "pa/", "12", "\n", "$DB") if piece in told]


@pytest.mark.parametrize("url", ["smtp://u:pa#ss$@mail.example:25", "smtp+tls://u:pa%23ss%24@mail.example:25"])
def test_the_address_of_a_mail_server(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("A_MAIL_SERVER", url)
    found = environment.mail_server("A_MAIL_SERVER", "")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_HOST_PASSWORD"]) == ("mail.example", 25, "pa#ss$")


@pytest.mark.parametrize(("url", "by_starttls", "from_the_start"), [
    ("smtp+tls://h:587", True, False), ("smtps://h:587", True, False), ("smtps://h:465", False, True),
    ("smtp+tls://h:465", False, True), ("smtp+ssl://h:465", False, True), ("smtp://h:25", False, False),
])  # fmt: skip
def test_how_a_mail_server_is_encrypted(
    monkeypatch: pytest.MonkeyPatch, url: str, by_starttls: bool, from_the_start: bool
):
    monkeypatch.setenv("A_MAIL_SERVER", url)
    found = environment.mail_server("A_MAIL_SERVER", "")
    assert (found.get("EMAIL_USE_TLS", False), found.get("EMAIL_USE_SSL", False)) == (by_starttls, from_the_start)


WRONG = {"EMAIL_URL": "smtp://u:pa/s3cret@h:25", "DATABASE_URL": "/srv/s3cret.db"}
ENTRIES = {
    "manage": ["manage.py", "check"],
    "uvicorn": ["-m", "uvicorn", "labportal.asgi:application", "--port", "0"],
    "serve": ["bin/serve"],
}


@pytest.mark.parametrize(
    ("name", "entry"), [("EMAIL_URL", "manage"), ("DATABASE_URL", "uvicorn"), ("EMAIL_URL", "serve")]
)
def test_every_entry_says_one_line(name: str, entry: str):
    start = [] if entry == "serve" else [sys.executable]
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "labportal.settings", name: WRONG[name]}
    done = subprocess.run(
        [*start, *ENTRIES[entry]], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    (line,) = (done.stdout + done.stderr).splitlines()
    assert (done.returncode, line.startswith(f"Lab Portal cannot start: {name} "), "s3cret" in line) == (1, True, False)


# Hosts

HOSTS = {
    "https://labs.example.org": "labs.example.org",
    "labs.example.org:8443": "labs.example.org",
    "labs.example.org/labs": "labs.example.org",
    "HTTPS://Labs.Example.org:8443/labs?x": "labs.example.org",
    "labs.example.org.": "labs.example.org",
    "*.example.org": ".example.org",
    "labs.escueña.example": "labs.xn--escuea-0wa.example",
    "::1": "[::1]",
    "[2001:db8::1]:443": "[2001:db8::1]",
    "https://[2001:db8::1]/": "[2001:db8::1]",
    '"labs.example.org"': "labs.example.org",
}


@pytest.mark.parametrize(("written", "host"), HOSTS.items())
def test_what_is_no_host_is_named_with_the_value_to_write(settings: Any, written: str, host: str):
    settings.ALLOWED_HOSTS = ["127.0.0.1", written]
    (message,) = checks.hosts_are_names(None)
    assert (message.level, "ALLOWED_HOSTS" in message.msg, written in message.msg) == (ERROR, True, True)
    assert str(message.hint).startswith(f"Write ALLOWED_HOSTS=127.0.0.1,{host}:")


def test_what_has_no_host_in_it_is_named(settings: Any):
    settings.ALLOWED_HOSTS = ["lab_1.example", "https://"]
    (message,) = checks.hosts_are_names(None)
    assert "lab_1.example, https://" in message.msg


@pytest.mark.parametrize(
    "host", ["labs.example.org", ".example.org", "*", "10.0.0.1", "[::1]", "localhost", "LABS.example"]
)
def test_a_host_is_one(settings: Any, host: str):
    settings.ALLOWED_HOSTS = [host]
    assert checks.hosts_are_names(None) == []


def test_no_host_at_all_is_named(settings: Any):
    settings.ALLOWED_HOSTS = []
    assert [message.id for message in checks.hosts_are_names(None)] == ["portal.E001"]


@pytest.mark.parametrize(
    ("address", "found"), [("https://labs.example.org/labs", ["portal.E002"]), ("https://labs.example.org", [])]
)
def test_an_address_with_a_path_is_named(settings: Any, address: str, found: list[str]):
    settings.PORTAL_URL = address
    messages = checks.portal_has_a_host_of_its_own(None)
    assert [message.id for message in messages] == found
    assert all("PORTAL_URL=https://labs.example.org," in str(message.hint) for message in messages)


def test_the_checks_are_run(settings: Any):
    settings.ALLOWED_HOSTS, settings.PORTAL_URL, settings.ALERT_MAIL_TO = ["a:1"], "https://a/b", ["nobody"]
    found = {message.id for message in run_checks(include_deployment_checks=True)}
    assert {"portal.E001", "portal.E002", "portal.E003"} <= found
    assert "portal.E003" in {message.id for message in run_checks()}  # the worker sends, and runs these


# Recipients

RECIPIENTS: dict[str, list[str]] = {
    "IT Desk <it@school.example>; net@school.example": ["IT Desk <it@school.example>", "net@school.example"],
    "a@school.example b@school.example\tc@school.example": ["a@school.example", "b@school.example", "c@school.example"],
    "mailto:a@school.example,MAILTO:b@school.example": ["a@school.example", "b@school.example"],
    "Ana <mailto:a@school.example>": ["Ana <a@school.example>"],
    '"Gil, Ana; IT" <ana@school.example>, b@school.example': [
        '"Gil, Ana; IT" <ana@school.example>',
        "b@school.example",
    ],
    "Gil, Ana <ana@school.example>": ["Gil", "Ana <ana@school.example>"],
    "Peña <pena@school.example> # ours": ["Peña <pena@school.example>"],
    "<a@school.example>;;": ["a@school.example"],
    "root@localhost": ["root@localhost"],
}


@pytest.mark.parametrize(("written", "understood"), RECIPIENTS.items())
def test_recipients_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, settings: Any, written: str, understood: list[str]
):
    monkeypatch.setenv("SOME_RECIPIENTS", written)
    found = environment.recipients("SOME_RECIPIENTS")
    assert found == understood
    settings.ALERT_MAIL_TO = found
    if "Gil" in found:  # a name with a comma and no quotation marks
        assert [message.id for message in checks.mail_has_addresses(None)] == ["portal.E003"]
        return
    assert checks.mail_has_addresses(None) == []
    EmailMessage("subject", "body", to=found).send()
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    "written", ["root", "a@b@c", "a@b <c@d> e", "@school.example", "a@", "Ana <>", "a b@c", "<a@b", "a@b>", '"a@b']
)
def test_what_is_no_recipient(settings: Any, written: str):
    settings.ALERT_MAIL_TO = [written]
    (message,) = checks.mail_has_addresses(None)
    assert (message.level, "ALERT_MAIL_TO" in message.msg, written in message.msg) == (ERROR, True, True)


def test_with_a_host_name_there_is_nothing_to_warn_of():
    asked = [sys.executable, "manage.py", "check", "--deploy"]
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "labportal.settings", "ALLOWED_HOSTS": "labs.example.org"}
    done = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr
