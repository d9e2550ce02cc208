"""Logging: its format, and the filters that keep secrets out of it."""

import logging
import re
from typing import Any

TOKEN = re.compile(r"((?:/|%2F)(?:join|calendar)(?:/|%2F))[^/%\s?&\"']+", re.IGNORECASE)
# With what a provider sends somebody back: a code, which is good for a session.
RETURN = re.compile(r"(/sign-in/[^/\s]+/callback/?\?)[^\s\"']+")
# A token of the API, wherever somebody wrote it.
API_TOKEN = re.compile(r"(labp_)[A-Za-z0-9]{8,}", re.IGNORECASE)


# Proxmoxer prints request bodies at INFO and answers at DEBUG: these loggers never go below WARNING.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {
        "without invites": {"()": "labportal.logs.WithoutInvites"},
        "one line": {"()": "labportal.logs.OneLine"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without invites"]},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        **{
            f"django.security.{name}": {"filters": ["one line"]}
            for name in ("DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent")
        },
        **{name: {"level": "WARNING"} for name in ("proxmoxer", "urllib3", "requests", "axes", "django_tasks", "rq")},
    },
}


class WithoutInvites(logging.Filter):
    """The address of an invite, a calendar or a callback is its secret; the framework logs addresses of errors.

    A token of the API has no business in an address, and people put it there.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_masked(value) for value in record.args)
        record.msg = _masked(record.msg)
        return True


class OneLine(logging.Filter):
    """Cuts tracebacks of errors that anybody can cause from outside, as a wrong Host: they say nothing more."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


def _masked(value: object) -> object:
    if not isinstance(value, str):
        return value
    for secret in (TOKEN, RETURN, API_TOKEN):
        value = secret.sub(r"\1***", value)
    return value
