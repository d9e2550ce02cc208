"""The secret of an invite's address stands in no line of a log."""

import logging
from typing import Any

import pytest

from labportal.logs import WithoutInvites

SECRET = "9f2c-very-secret"


def line(message: str, *args: Any) -> str:
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, message, args, None)
    assert WithoutInvites().filter(record)
    return record.getMessage()


@pytest.mark.parametrize("path", [f"/join/{SECRET}/", f"%2Fjoin%2F{SECRET}%2F", f"/JOIN/{SECRET}?x=1"])
@pytest.mark.parametrize("written", ["in the message", "as an argument"])
def test_the_secret_is_masked(path: str, written: str):
    shown = line(f"Not Found: {path}") if written == "in the message" else line("%s: %s", "Not Found", path)
    assert "join" in shown.lower()
    assert "***" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("path", ["/join/", f"/vms/{SECRET}/"])
def test_what_is_no_secret_stays(path: str):
    assert line(f"Not Found: {path}") == line("Not Found: %s", path) == f"Not Found: {path}"
