"""HTML of cards, tiles and rows that is rendered once for all that say the same, with what differs filled in.

Fifty machines of a page have few *shapes*: a shape is a card whose name, address and other values of its own are
replaced by marks. Its HTML is kept in the process, and the values, escaped, take the places of the marks. Everything
else that the template looks at is part of the key, so that a kept page says no stale word and nobody gets somebody
else's buttons. Measured in one run (`bin/bench pages`), the list of 50 machines with nothing kept takes 10 times the
CPU of an empty page, and 36 times without this module.
"""

import re
import secrets
from collections.abc import Hashable, Mapping
from functools import lru_cache

from django.conf import settings
from django.template import loader
from django.urls import get_script_prefix
from django.utils import timezone, translation
from django.utils.html import escape

MOST_SHAPES = 2000

# No cluster and no person can write these: they are drawn when the process starts.
_SALT = secrets.token_hex(12)
_FIRST = 10**14 + secrets.randbelow(8 * 10**14)

PK, VMID, PERSON_PK, GROUP_PK = range(_FIRST, _FIRST + 4)
NAME, NODE, ADDRESS, ELAPSED, PERSON, CSRF = (f"{_SALT}{letter}" for letter in "abcdef")

_MARKS = (PK, VMID, PERSON_PK, GROUP_PK, NAME, NODE, ADDRESS, ELAPSED, PERSON, CSRF)
_MARK = re.compile(f"({'|'.join(map(str, _MARKS))})")


def render(
    template: str, context: Mapping[str, Hashable], values: Mapping[str | int, object], csrf_token: object
) -> str:
    """The HTML of `template`, with `values` in the places of the marks in `context`.

    `csrf_token` is looked at only if the HTML has a form. Raises `KeyError` when a mark has no value.
    """
    kept = _pieces.__wrapped__ if settings.DEBUG else _pieces  # templates change while somebody develops
    language, zone = translation.get_language() or "", timezone.get_current_timezone_name()
    texts, marks = kept(template, tuple(context.items()), language, zone, get_script_prefix())
    known: dict[str | int, str] = {mark: escape(value) for mark, value in values.items()}
    if CSRF in marks:
        known[CSRF] = escape(csrf_token)
    pieces = list(texts)
    pieces[1::2] = [known[mark] for mark in marks]
    return "".join(pieces)


@lru_cache(maxsize=MOST_SHAPES)
def _pieces(
    template: str, context: tuple[tuple[str, Hashable], ...], _language: str, _zone: str, _prefix: str
) -> tuple[tuple[str, ...], tuple[str | int, ...]]:
    """The text with its marks, alternating, and the marks again. Templates look at the last three arguments, too."""
    html = str(loader.render_to_string(template, {**dict(context), "csrf_token": CSRF}))
    pieces = tuple(_MARK.split(html))
    return pieces, tuple(int(mark) if mark.isdigit() else mark for mark in pieces[1::2])


def kept_count() -> int:
    return _pieces.cache_info().currsize


forget = _pieces.cache_clear
