"""Stored messages: a code and its parameters, rendered in the language of whoever reads them.

What a cluster said, how an operation ended and what an alert is about is written by a worker and read by people of
different languages. A column keeps it in English, for reports and logs; the column beside it, `…_message`, keeps code
and parameters. The wording may change, the codes may not: rows of every earlier version have them.
"""

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

# By code, what is said, marked for translation; each app adds its own.
_texts: dict[str, str] = {}


def register(texts: Mapping[str, str]) -> None:
    """Add sentences. A code means one of them, in all rooms."""
    if twice := _texts.keys() & texts.keys():
        raise ValueError(f"These codes are taken: {sorted(twice)}")
    _texts.update(texts)


def codes() -> frozenset[str]:
    return frozenset(_texts)


class Message(str):
    """The result of `say`: a text in the active language, which can be rendered in any other one later."""

    code: str
    parameters: dict[str, object]

    def __new__(cls, code: str, parameters: Mapping[str, object]) -> Self:
        made = super().__new__(cls, _rendered(code, parameters))
        made.code, made.parameters = code, dict(parameters)
        return made

    @property
    def rendered(self) -> str:
        """In the language that is active now."""
        return _rendered(self.code, self.parameters)

    @property
    def english(self) -> str:
        with translation.override(None):
            return self.rendered

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.code, self.parameters)


def say(code: str, **parameters: object) -> Message:
    """A sentence of this code. Parameters are text, numbers, a day, or messages themselves."""
    return Message(code, parameters)


def render(text: str) -> str:
    """In the reader's language; unchanged what is no message, for instance a cluster's own words."""
    return text.rendered if isinstance(text, Message) else text


def english(text: str) -> str:
    return text.english if isinstance(text, Message) else text


def columns(name: str, text: str, *, most: int) -> dict[str, Any]:
    """The values of a text column of so many characters, and of the one beside it."""
    written = english(text)[:most]
    message = {**_stored(text), "of": zlib.crc32(written.encode())} if isinstance(text, Message) else None
    return {name: written, f"{name}_message": message}


def of(row: models.Model, name: str) -> str:
    """The content of these columns of a row: a message, or the text alone."""
    return read(getattr(row, name), getattr(row, f"{name}_message"))


def read(text: str, stored: object) -> str:
    """A worker of an earlier version, which runs beside this one for a while, writes the text alone."""
    if not isinstance(stored, Mapping) or stored.get("of") != zlib.crc32(text.encode()):
        return text
    try:
        message: Message = _from_stored(stored)
    except (KeyError, TypeError, ValueError):  # of a later version
        return text
    return message


def mentions(stored: object, code: str) -> bool:
    """Whether a stored message has this code, or one of its parameters has."""
    if not isinstance(stored, Mapping):
        return False
    parameters = stored.get("parameters")
    parts = parameters.values() if isinstance(parameters, Mapping) else ()
    return stored.get("code") == code or any(mentions(part, code) for part in parts)


def _rendered(code: str, parameters: Mapping[str, object]) -> str:
    text = _(_texts[code])
    return text % {name: _shown(value) for name, value in parameters.items()} if parameters else text


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "Y-m-d")
    return render(value) if isinstance(value, str) else value


def _stored(value: object) -> Any:
    if isinstance(value, Message):
        return {"code": value.code, "parameters": {name: _stored(one) for name, one in value.parameters.items()}}
    return {"day": value.isoformat()} if isinstance(value, datetime) else value


def _from_stored(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "day" in value:
        return datetime.fromisoformat(value["day"])
    return Message(value["code"], {name: _from_stored(one) for name, one in value["parameters"].items()})
