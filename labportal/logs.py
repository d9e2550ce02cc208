"""What must not stand in a log."""

import logging
import re

TOKEN = re.compile(r"((?:/|%2F)join(?:/|%2F))[^/%\s?&\"']+", re.IGNORECASE)


class WithoutInvites(logging.Filter):
    """The address of an invite is its secret; the framework writes addresses down that answered with an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_masked(value) for value in record.args)
        record.msg = _masked(record.msg)
        return True


class OneLine(logging.Filter):
    """Of what anybody can cause from outside, as a wrong Host, a traceback says nothing more."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


def _masked(value: object) -> object:
    return TOKEN.sub(lambda found: f"{found[1]}***", value) if isinstance(value, str) else value
