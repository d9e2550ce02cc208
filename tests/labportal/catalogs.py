"""The translations of the portal as they stand in `locale/`, read without gettext's tools."""

import ast
import gettext
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "locale"

KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")')


@dataclass
class Entry:
    """A text with its translations: one, or one a plural form. Flags are those of gettext, like `fuzzy`."""

    context: str = ""
    msgid: str = ""
    plural: str = ""
    translations: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """As .mo files and Python's gettext write it."""
        return f"{self.context}\4{self.msgid}" if self.context else self.msgid


def files() -> list[Path]:
    return sorted(FOLDER.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> list[Entry]:
    """All but the header."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    return [entry for entry in (_entry(block.splitlines()) for block in blocks) if entry.msgid]


def compiled(path: Path) -> dict[str | tuple[str, int], str]:
    """What the .mo file beside it says."""
    with path.with_suffix(".mo").open("rb") as file:
        catalogue: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key != ""}


def written(entries: Iterable[Entry]) -> dict[str | tuple[str, int], str]:
    """The same of the .po file."""
    found: dict[str | tuple[str, int], str] = {}
    for entry in entries:
        forms = list(entry.translations.values())
        found |= {(entry.key, form): text for form, text in enumerate(forms)} if entry.plural else {entry.key: forms[0]}
    return found


def _entry(lines: Iterable[str]) -> Entry:
    texts: dict[str, str] = {}
    entry, keyword = Entry(), ""
    for line in lines:
        if line.startswith("#:"):
            entry.places += line[2:].split()
        elif line.startswith("#,"):
            entry.flags += [flag.strip() for flag in line[2:].split(",")]
        elif match := KEYWORD.fullmatch(line):
            keyword = match[1]
            texts[keyword] = ast.literal_eval(match[2])
        elif line.startswith('"'):
            texts[keyword] += ast.literal_eval(line)
    entry.context, entry.msgid = texts.get("msgctxt", ""), texts.get("msgid", "")
    entry.plural = texts.get("msgid_plural", "")
    entry.translations = dict(_translations(texts))
    return entry


def _translations(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((keyword, text) for keyword, text in sorted(texts.items()) if keyword.startswith("msgstr"))
