"""Reads tables that a spreadsheet saved, and writes tables in which no spreadsheet finds a formula."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils.translation import gettext as _

from accounts.printable import validate_printable

MOST_LINES = 5_000
MOST_BYTES = 512 * 1024

# What Excel writes above a table to name its separator.
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[ \t]*(?:\r\n?|\n|\Z)', re.IGNORECASE)

# The second four are the wide ones of Chinese and Japanese keyboards.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# Where Excel is set to semicolons or tabs, it splits at them what was written as one cell; quotes go then, too.
INSIDE = re.compile(rf"""([;\t\r\n])(?=(?:[^\S\t\r\n]|")*[{re.escape("".join(FORMULA))}])""")


class Unreadable(ValueError):
    """The fault of a table, with its remedy. `field` is the form's, if it is not the one with the table."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Line:
    """A line that is not empty, by its number in the text, with its cells without surrounding white space."""

    number: int
    cells: tuple[str, ...]

    def cell(self, index: int) -> str:
        """Empty where the line is shorter."""
        return self.cells[index] if index < len(self.cells) else ""


def too_large(most_bytes: int) -> str:
    return _("The table is larger than %(most)s KB. Split it into smaller ones.") % {"most": most_bytes // 1024}


def decode(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise Unreadable(too_large(MOST_BYTES))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(_("The file is not UTF-8 text. Save it in your spreadsheet as “CSV UTF-8”.")) from None


def read(text: str) -> list[Line]:
    """The lines of a table whose cells are separated by tabs, semicolons or commas. Raises `Unreadable`."""
    if len(text) > MOST_BYTES:
        raise Unreadable(too_large(MOST_BYTES))
    text = text.removeprefix("\N{BYTE ORDER MARK}")
    _refuse_control_characters(text)
    lines = _lines(text)
    if len(lines) > MOST_LINES:
        raise Unreadable(_("The table has more than %(most)s lines. Split it.") % {"most": f"{MOST_LINES:,}"})
    return lines


def _refuse_control_characters(text: str) -> None:
    try:
        validate_printable(text)
    except ValidationError as error:
        raise Unreadable(" ".join(error.messages)) from None


def _lines(text: str) -> list[Line]:
    chosen = SEPARATOR_LINE.match(text)
    delimiter = chosen[1] if chosen else _delimiter(text)
    # An apostrophe in a name is no quote; `strict` finds a quote that would swallow the lines after it.
    reader, lines, number = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [], 1
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped) and not (chosen and number == 1):
                lines.append(Line(number, stripped))
            number = reader.line_num + 1
    except csv.Error:
        raise Unreadable(
            _("Line %(number)s can't be read. Is a quotation mark (\") missing?") % {"number": number}
        ) from None
    return lines


def _delimiter(text: str) -> str:
    """The mark that most lines have. Tabs and semicolons seldom stand inside of cells, commas do."""
    lines = [line for line in re.sub(r'"[^"]*"', "", text).splitlines() if line.strip()]
    found = {mark: sum(mark in line for line in lines) for mark in "\t;,"}
    usual = next((mark for mark in "\t;" if found[mark] and 2 * found[mark] >= len(lines)), "")
    return usual or max(",;\t", key=lambda mark: found[mark])


def safe(value: object) -> str:
    """A cell that is text to every spreadsheet."""
    text = "" if value is None else str(value)
    text = INSIDE.sub(r"\1'", text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) or text[:1] in {"\t", "\r", "\n"} else text


def download(name: str, header: Iterable[object], rows: Iterable[Iterable[object]]) -> HttpResponse:
    """A table to save as `name`."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    response.write("\N{BYTE ORDER MARK}")  # without it Excel takes UTF-8 for the local code page
    writer = csv.writer(response)
    writer.writerow([safe(cell) for cell in header])
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return response
