"""The secret of an invite's address, or of a callback's, stands in no line of a log."""

import logging
from typing import Any

import pytest
from uvicorn.logging import AccessFormatter

from labportal import asgi
from labportal.logs import WithoutInvites

SECRET = "9f2c-very-secret"


def line(message: str, *args: Any) -> str:
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, message, args, None)
    assert WithoutInvites().filter(record)
    return record.getMessage()


@pytest.mark.parametrize(
    "path",
    [f"/join/{SECRET}/", f"%2Fjoin%2F{SECRET}%2F", f"%2Fjoin/{SECRET}/", f"/JOIN/{SECRET}?x=1", f"/calendar/{SECRET}/"],
)
@pytest.mark.parametrize("written", ["in the message", "as an argument"])
def test_the_secret_is_masked(path: str, written: str):
    shown = line(f"Not Found: {path}") if written == "in the message" else line("%s: %s", "Not Found", path)
    assert "join" in shown.lower() or "calendar" in shown
    assert "***" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("path", ["school/callback/", "school/callback", "%73chool/callback/"])
def test_what_a_provider_sends_somebody_back_with_is_masked(path: str):
    shown = line('%s - "%s %s"', "192.0.2.7", "GET", f"/accounts/sign-in/{path}?code={SECRET}&state={SECRET}")
    assert (SECRET in shown, shown.endswith(f'{path}?***"')) == (False, True)


@pytest.mark.parametrize("path", ["/join/", f"/vms/{SECRET}/"])
def test_what_is_no_secret_stays(path: str):
    assert line(f"Not Found: {path}") == line("Not Found: %s", path) == f"Not Found: {path}"


def test_the_servers_own_log_of_requests_masks_it_too(caplog: pytest.LogCaptureFixture):
    assert asgi.application
    caplog.set_level(logging.INFO)
    for path in (f"/join/{SECRET}/", f"/accounts/login/?next=/join/{SECRET}/", "/vms/7/"):
        words = ("192.0.2.7:4711", "GET", path, "1.1", 302)
        logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *words)
    shown = [AccessFormatter(use_colors=False).format(record) for record in caplog.records]
    assert [SECRET in line for line in shown] == [False, False, False]
    assert [line.split()[3] for line in shown] == ["/join/***/", "/accounts/login/?next=/join/***/", "/vms/7/"]
