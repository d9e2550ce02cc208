"""A secret with every character that something escapes, and a scanner that knows all the ways to write it down."""

import base64
import html
import json
import secrets
from collections.abc import Iterable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from django.utils.html import escape

AWKWARD = "&<'\"%"


class MarkerSecret:
    """Random, so that nothing else is taken for it. Its two ends are plain: no encoding that keeps letters hides it."""

    def __init__(self, middle: str = AWKWARD + "ü") -> None:
        self.head, self.tail = secrets.token_hex(6), secrets.token_hex(6)
        self.text = f"{self.head}{middle}{self.tail}"
        self.forms = _forms(self.text) | _in_base64(self.text)
        for name, part in {"head": self.head, "tail": self.tail}.items():
            self.forms |= {name: part.encode(), f"{name}, UTF-16": part.encode("utf-16-le")}
            self.forms |= {f"{name}, {form}": found for form, found in _in_base64(part).items()}

    def found_in(self, what: str | bytes) -> list[str]:
        """The names of the forms in which it stands there."""
        data = what.encode("utf-8", "surrogateescape") if isinstance(what, str) else what
        return [name for name, form in self.forms.items() if form in data]

    def found_anywhere_in(self, parts: Iterable[str | bytes]) -> list[str]:
        return sorted({name for part in parts for name in self.found_in(part)})


def _forms(text: str) -> dict[str, bytes]:
    written = {
        "UTF-8": text,
        "HTML of Django": escape(text),
        "HTML": html.escape(text),
        "HTML without quotes": html.escape(text, quote=False),
        "XML": xml_escape(text),
        "XML attribute": quoteattr(text)[1:-1],
        "URL": quote(text, safe=""),
        "URL of a form": quote_plus(text),
        "URL, Latin-1": quote(text, safe="", encoding="latin-1"),
        "JSON": json.dumps(text)[1:-1],
        "JSON in UTF-8": json.dumps(text, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(text))[3:-3],
        "repr": repr(text)[1:-1],
        "ascii": ascii(text)[1:-1],
        "repr of bytes": repr(text.encode())[2:-1],
        "SQL": text.replace("'", "''"),
        "hexadecimal": text.encode().hex(),
    }
    return {name: form.encode() for name, form in written.items()} | {
        "Latin-1": text.encode("latin-1"),
        "UTF-16": text.encode("utf-16-le"),
    }


def _in_base64(text: str) -> dict[str, bytes]:
    """As a part of something longer, whose beginning shifts it by nought to two bytes."""
    found = {}
    for shift in range(3):
        whole = bytes(shift) + text.encode()
        certain = slice((0, 2, 3)[shift], len(whole) * 8 // 6)
        found[f"base64, shifted {shift}"] = base64.b64encode(whole)[certain]
        found[f"base64 for URLs, shifted {shift}"] = base64.urlsafe_b64encode(whole)[certain]
    return found
