"""Finds the columns of a table: by a header row where there is one, else by position."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import spreadsheet
from accounts.plans import Note
from accounts.spreadsheet import Line, Unreadable

# What people and programs call the columns of a table of people, in lower case.
USERNAME = {
    "username", "user name", "user", "login", "login name", "account", "account name", "person", "student", "usuario",
    "nombre de usuario", "cuenta", "persona", "estudiante", "alumno",
}  # fmt: skip
FIRST_NAME = {"first name", "firstname", "given name", "forename", "nombre"}
LAST_NAME = {"last name", "lastname", "surname", "family name", "apellido", "apellidos"}
EMAIL = {
    "email", "e mail", "mail", "email address", "e mail address", "correo", "correo electrónico",
    "dirección de correo",
}  # fmt: skip
# Nobody has an account of such a name, so one of these alone makes a header row of the first line.
PLAINLY_A_HEADER = {"username", "user name", "nombre de usuario"}
GROUP = {"group", "groups", "grupo"}
PERSON = {"username": USERNAME, "first_name": FIRST_NAME, "last_name": LAST_NAME, "email": EMAIL, "group": GROUP}

# A title, the school and a date may stand above a header row.
LINES_ABOVE = 5
MOST_NAMED = 10

LINES_PASSED_OVER = gettext_noop("What stands above the header row in line %(line)s is ignored.")
COLUMNS_PASSED_OVER = gettext_noop("These columns have no meaning here and are ignored: %(columns)s.")
CELLS_PASSED_OVER = gettext_noop(
    "Only the first cell of each line is a user name. Other cells that are ignored: %(n)s."
)

Columns = Mapping[str, Set[str]]


@dataclass(frozen=True)
class Table:
    """Lines whose cells stand in the order of the columns that were asked for, without the header row.

    `has_header` says whether a header row gave that order; without one, lines keep the cells that they have.
    """

    lines: list[Line]
    has_header: bool = False
    notices: tuple[Note, ...] = ()


def read(text: str, columns: Columns) -> Table:
    """`columns` are the words of each column, in their order without a header row. The first one has to be there.

    A header row has two known words in any order, or one that nobody is called, or is one word above a list. Raises
    `Unreadable`.
    """
    lines = spreadsheet.read(text)
    at = _header_at(lines, columns)
    if at is None:
        return Table(lines)
    header = lines[at]
    places = _places(header, columns)
    if next(iter(columns)) not in places:
        raise Unreadable(
            _("Line %(line)s is a header row without a column of user names. Name that column “username”.")
            % {"line": header.number}
        )
    order = [places.get(name) for name in columns]
    sorted_lines = [
        Line(line.number, tuple("" if place is None else line.cell(place) for place in order))
        for line in lines[at + 1 :]
    ]
    kept = [line for line in sorted_lines if any(line.cells)]
    return Table(kept, True, tuple(_notices(header, places, at)))


def names(text: str) -> Table:
    """User names: one a line, the column of a table, or all in one line, of which each counts as a line.

    The line with several names may separate them by commas, semicolons, tabs or blanks. Raises `Unreadable`.
    """
    table = read(text, PERSON)
    if table.has_header:
        return table
    if len(table.lines) == 1:
        found = [name for cell in table.lines[0].cells for name in cell.split()]
        first = table.lines[0].number
        return Table([Line(number, (name,)) for number, name in enumerate(found, first)])
    more = sum(bool(cell) for line in table.lines for cell in line.cells[1:])
    return Table(table.lines, notices=(Note.of(CELLS_PASSED_OVER, n=more),) if more else ())


def _header_at(lines: Sequence[Line], columns: Columns) -> int | None:
    for at, line in enumerate(lines[: LINES_ABOVE + 1]):
        if len(_places(line, columns)) > 1:
            return at
    if not lines:
        return None
    is_list = all(len(line.cells) == 1 for line in lines)
    found = _places(lines[0], {next(iter(columns)): columns[next(iter(columns))] if is_list else PLAINLY_A_HEADER})
    return 0 if found else None


def _places(header: Line, columns: Columns) -> dict[str, int]:
    """The position of each column; of several with the same meaning the first one."""
    found: dict[str, int] = {}
    for place, cell in enumerate(header.cells):
        word = " ".join(re.split(r"[\s_-]+", cell.lower().strip(" *:")))
        meant = next((name for name, words in columns.items() if word in words), None)
        if meant:
            found.setdefault(meant, place)
    return found


def _notices(header: Line, places: dict[str, int], at: int) -> list[Note]:
    notices = [Note.of(LINES_PASSED_OVER, line=header.number)] if at else []
    known = set(places.values())
    unknown = [cell[:40] for place, cell in enumerate(header.cells) if cell and place not in known]
    if unknown:
        told = ", ".join(unknown[:MOST_NAMED]) + (", …" if len(unknown) > MOST_NAMED else "")
        notices.append(Note.of(COLUMNS_PASSED_OVER, columns=told))
    return notices
