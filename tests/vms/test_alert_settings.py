"""Addresses of the portal and of the webhook, and what is half set up."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from labportal import settings as product
from labportal.errors import WithoutValues
from tests.waits import TIMEOUT

GOOD = ["https://hooks.school.example/a?b=c%20d", "https://h:8443", "http://127.0.0.1:9/x", "http://localhost/",
        "http://[::1]:80/", "https://[2001:db8::1]/x", ""]  # fmt: skip
BAD = ["http://hooks.school.example/", "ftp://localhost/", "https://", "https://user:s3cret@h/", "https://h:port/",
       "https://h/a b", "//h/s3cret", "https://h\\@evil/", "https://[::1", "s3cret", "http://127.0.0.1.evil.example/",
       "https://h/\x7f"]  # fmt: skip


@pytest.mark.parametrize("address", GOOD)
def test_where_a_webhook_may_be(monkeypatch: pytest.MonkeyPatch, address: str):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", address)
    assert product.web_address("ALERT_WEBHOOK_URL", loopback_only=True) == address


@pytest.mark.parametrize("address", BAD)
def test_where_no_webhook_is_and_the_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch, address: str):
    monkeypatch.setenv("ALERT_WEBHOOK_URL", address)
    with pytest.raises(ImproperlyConfigured) as raised:
        product.web_address("ALERT_WEBHOOK_URL", loopback_only=True)
    assert "s3cret" not in str(raised.value)


def test_the_portal_may_be_without_tls(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PORTAL_URL", "http://portal.school.example")
    assert product.web_address("PORTAL_URL") == "http://portal.school.example"


def noticed() -> set[str | None]:
    return {message.id for message in checks.run_checks()} & {"vms.W001", "vms.W002"}


def test_mail_without_a_server_is_noticed(settings: Any):
    assert noticed() == set()
    settings.ALERT_MAIL_TO = ["boss@school.test"]
    assert noticed() == {"vms.W001"}
    settings.EMAIL_URL = "smtp://mail.school.test"
    assert noticed() == set()


def test_a_secret_without_a_webhook_is_noticed(settings: Any):
    settings.ALERT_WEBHOOK_SECRET = "between us"
    assert noticed() == {"vms.W002"}


def test_addresses_with_secrets_are_in_no_report(settings: Any):
    settings.ALERT_WEBHOOK_URL = settings.EMAIL_URL = "https://h/s3cret"
    shown = WithoutValues().get_safe_settings()
    assert "s3cret" not in f"{shown['ALERT_WEBHOOK_URL']}{shown['EMAIL_URL']}"


def test_the_address_of_a_mail_server_is_taken_apart():
    asked = (
        "from django.conf import settings as s; print(s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.EMAIL_HOST_USER)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.process_settings"}
    environment["EMAIL_URL"] = "smtp+tls://me:pa%40ss@mail.school.test:587"
    told = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True, timeout=TIMEOUT
    )
    assert told.stdout.split() == ["mail.school.test", "587", "True", "me"]
