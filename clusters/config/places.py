"""Finds the entry and line of faults in a clusters.json: the standard library does not tell them."""

import json
import re
import sys
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[\[\]{}:,])|(?P<constant>-?Infinity|NaN)|(?P<number>-?\d+)""", re.DOTALL
)


@dataclass
class _Level:
    """A list or an object that is open. `items` counts what a list has so far, `keys` are those of an object."""

    is_list: bool
    items: int = 0
    keys: set[str] = field(default_factory=set)


def of_refused(text: str) -> str:
    """The entry and the line of the first repeated key, constant that is no JSON, or number that is too long.

    `text` is what the standard library could decode, but for these. Empty where there is none of them.
    """
    levels: list[_Level] = []
    entries: _Level | None = None  # the list of clusters: the outermost one
    last = ""
    for token in _TOKEN.finditer(text):
        kind, found = token.lastgroup, token[0]
        if levels and levels[-1].is_list and not levels[-1].items and found != "]":
            levels[-1].items = 1
        if found in ("[", "{"):
            levels.append(_Level(found == "["))
            entries = entries or (levels[-1] if found == "[" else None)
        elif found in ("]", "}"):
            levels.pop()
        elif found == "," and levels[-1].is_list:
            levels[-1].items += 1
        elif _is_refused(kind, found) or (found == ":" and _is_repeated(last, levels[-1])):
            return _place(text.count("\n", 0, token.start()) + 1, entries)
        last = found
    return ""


def _is_refused(kind: str | None, found: str) -> bool:
    most = sys.get_int_max_str_digits()
    return kind == "constant" or (kind == "number" and 0 < most < len(found.lstrip("-")))


def _is_repeated(written: str, level: _Level) -> bool:
    key = json.loads(written)
    is_repeated = key in level.keys
    level.keys.add(key)
    return is_repeated


def _place(line: int, entries: _Level | None) -> str:
    if entries is None or not entries.items:
        return _("line %(line)s") % {"line": line}
    return _("entry %(number)s, line %(line)s") % {"number": entries.items, "line": line}
