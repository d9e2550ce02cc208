"""Sentences that were stored, told in the language of whoever reads them.

What a cluster said, how an operation ended and what an alert is about is stored in English, and read by people of
different languages. So it is written with `gettext_noop`, and `told` finds the sentence again when it is shown.
"""

import re
import struct
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

PLACE = re.compile(r"%\((\w+)\)s")

# What stands in a place, where another one is beside it.
FORMS = {"quoted": r"(?: \(.*\))?"}

# What has fewer letters of its own would match nearly everything.
LEAST_LETTERS = 5


def told(text: str) -> str:
    """The translation; unchanged what is no sentence of the portal, for instance a cluster's own words."""
    return _told(text, translation.get_language() or "") if text else ""


@lru_cache(maxsize=4096)
def _told(text: str, language: str) -> str:
    patterns = _patterns(language)
    if not patterns:
        return text
    whole = _(text)
    if whole != text:
        return whole
    for pattern, msgid in patterns:
        if match := pattern.fullmatch(text):
            return _(msgid) % {name: _told(part, language) for name, part in match.groupdict().items()}
    return text


@lru_cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Sentences with places in them; those with the most words of their own first."""
    files = (Path(folder, translation.to_locale(language), "LC_MESSAGES/django.mo") for folder in settings.LOCALE_PATHS)
    msgids = [msgid for file in files if language and file.is_file() for msgid in _msgids(file.read_bytes())]
    weighed = [(len(re.findall(r"\w", PLACE.sub("", msgid))), msgid) for msgid in msgids if PLACE.search(msgid)]
    return [(_pattern(msgid), msgid) for letters, msgid in sorted(weighed, reverse=True) if letters >= LEAST_LETTERS]


def _pattern(msgid: str) -> re.Pattern[str]:
    seen: set[str] = set()
    parts = []
    for index, part in enumerate(PLACE.split(msgid)):
        if index % 2 == 0:
            parts.append(re.escape(part.replace("%%", "%")))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>{FORMS.get(part, '.*?')})")
            seen.add(part)
    return re.compile("".join(parts), flags=re.DOTALL)


def _msgids(content: bytes) -> list[str]:
    """Of a .mo file, without plurals: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html"""
    order = "<" if content.startswith(b"\xde\x12\x04\x95") else ">"
    count, begin = struct.unpack_from(f"{order}8xII", content)
    places = (struct.unpack_from(f"{order}II", content, begin + 8 * index) for index in range(count))
    texts = (content[at : at + length].decode() for length, at in places)
    return [text for text in texts if text and "\0" not in text and "\4" not in text]
