"""What is known of sources without asking them, and where it is said."""

import io
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from encrypted_model_fields import fields

from accounts import checks
from accounts.models import SignInSource, User
from accounts.sentences import say
from accounts.sign_in import health
from accounts.sign_in.testing import TestLine
from clusters import keys
from labportal.management.commands import doctor
from tests.accounts.sign_in.people import directory, let_in, provider

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DOWN = say("sign-in-packages-needed")


@pytest.fixture
def school() -> SignInSource:
    made = provider()
    let_in(made)
    return made


def found() -> list[tuple[bool, str]]:
    return [(one.ok, one.message.english) for one in health.findings(NOW)]


def test_nothing_is_known_of_what_is_not_active():
    provider(is_active=False)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert found() == []
    assert len(asked) == 1


def test_an_active_source_is_never_asked_or_well_or_failing(school: SignInSource):
    assert found() == [(False, "It is active and was never asked. Test the connection.")]
    health.note(school, None, now=NOW - timedelta(hours=1))
    assert found() == [(True, "No problem is known.")]
    health.note(school, DOWN, now=NOW - timedelta(minutes=1))
    ((ok, told),) = found()
    assert not ok
    assert "requirements-ldap.txt" in told
    health.note(school, None, now=NOW)
    assert found() == [(True, "No problem is known.")]


def test_a_class_at_the_bell_writes_one_row(school: SignInSource):
    health.note(school, None, now=NOW)
    with CaptureQueriesContext(connection) as asked:
        for second in range(50):
            health.note(school, None, now=NOW + timedelta(seconds=second))
    assert len(asked) == 0
    health.note(school, DOWN, now=NOW + timedelta(seconds=51))
    health.note(school, None, now=NOW + timedelta(seconds=52))
    school.refresh_from_db()
    assert not health.is_failing(school)


def test_a_test_says_what_was_wrong_first(school: SignInSource):
    lines = [TestLine("ok", "name"), TestLine("bad", "clock", "late"), TestLine("bad", "claim", "none")]
    health.record_test(school, lines, now=NOW)
    assert found() == [(False, "The last attempt failed. clock: late")]
    health.record_test(school, [TestLine("ok", "name")], now=NOW)
    assert found() == [(True, "No problem is known.")]


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        ({"certificate_ends_at": NOW + timedelta(days=3)}, "Its certificate ends on"),
        ({"certificate_ends_at": NOW - timedelta(days=3)}, "Its certificate ended on"),
        ({"clock_offset": -95.4}, "differ by 95 seconds"),
        ({"certificate_ends_at": NOW + timedelta(days=300), "clock_offset": 2.0}, "No problem is known."),
    ],
)
def test_certificate_and_clock(school: SignInSource, learned: dict[str, Any], said: str):
    health.record_test(school, [TestLine("ok", "certificate", "", **learned)], now=NOW)
    ((ok, told),) = found()
    assert said in told
    assert ok is (said == "No problem is known.")


def test_a_source_that_lets_nobody_in(school: SignInSource):
    health.note(school, None, now=NOW)
    school.rules.all().delete()
    assert found() == [(False, "No rule lets anybody in. Add one.")]


def test_missing_packages_are_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "packages_are_installed", lambda: False)
    assert checks.directories_have_packages(None, databases=["default"]) == []
    let_in(directory(is_active=False))
    assert checks.directories_have_packages(None, databases=["default"]) == []
    SignInSource.objects.update(is_active=True)
    (warning,) = checks.directories_have_packages(None, databases=["default"])
    assert warning.id == "accounts.W001"
    assert "requirements-ldap.txt" in str(warning.hint)
    assert "requirements-ldap.txt" in found()[0][1]
    assert checks.directories_have_packages(None, databases=None) == []


def test_doctor_the_index_and_the_status_page_say_it(school: SignInSource, client: Client, admin: User):
    assert next(iter(doctor._sign_in()))[0] == doctor.WARN
    client.force_login(admin)
    assert "1 with a problem" in client.get("/admin/").content.decode()
    assert "was never asked" in client.get("/clusters/").content.decode()
    SignInSource.objects.update(is_active=False)
    assert list(doctor._sign_in()) == [(doctor.OK, "with the portal's own passwords alone")]
    assert "with a problem" not in client.get("/admin/").content.decode()
    assert "was never asked" not in client.get("/clusters/").content.decode()


def test_the_key_of_secrets_is_changed_like_that_of_clusters(settings: Any, monkeypatch: pytest.MonkeyPatch):
    old, new = settings.FIELD_ENCRYPTION_KEY[0], Fernet.generate_key().decode()
    made = provider(secret="client secret")
    assert [one.owner for one in keys.stored()] == ["sign-in source school"]
    for held in ([new, old], [new]):
        settings.FIELD_ENCRYPTION_KEY = held
        monkeypatch.setattr(fields, "CRYPTER", fields.get_crypter())
        assert keys.count() == {len(held) - 1: 1}
        assert keys.rotate() == len(held) - 1
    made.refresh_from_db()
    assert made.secret.reveal() == "client secret"


def test_no_secret_leaves_by_a_fixture(school: SignInSource):
    provider("other", secret="client secret")
    out = io.StringIO()
    call_command("dumpdata", "accounts.SignInSource", stdout=out)
    assert "client secret" not in out.getvalue()
    assert "gAAAA" not in out.getvalue()
