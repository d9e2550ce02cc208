"""Reads a table of lessons, as the schedule table of Azure Lab Services, with a header row in English or Spanish."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import spreadsheet
from accounts.plans import Note
from accounts.spreadsheet import Line, Unreadable
from classes.models import LessonMode
from classes.models.timetable import MOST_WEEKS
from classes.timetable.forms import FIRST_YEAR, LAST_YEAR
from classes.timetable.importing.series import Series

COLUMNS = {
    "begins": {
        "from", "begin", "begins", "start", "start time", "starttime", "startat", "desde", "inicio", "hora de inicio",
    },
    "ends": {"to", "end", "ends", "end time", "endtime", "stopat", "hasta", "fin", "hora de fin"},
    "first_day": {"first day", "from date", "fromdate", "start date", "startdate", "date", "primer día", "fecha"},
    "last_day": {"last day", "to date", "todate", "end date", "enddate", "expirationdate", "until", "último día"},
    "weekdays": {"weekdays", "weekday", "days", "day", "días", "día", "días de la semana", "día de la semana"},
    "every_weeks": {"every weeks", "every n weeks", "weeks", "interval", "cada n semanas", "semanas"},
    "mode": {"machines", "mode", "máquinas"},
    "note": {"note", "notes", "room", "nota", "notas", "aula"},
}  # fmt: skip
NEEDED = ("begins", "ends", "first_day")

DAYS = (("monday", "lunes"), ("tuesday", "martes"), ("wednesday", "miercoles"), ("thursday", "jueves"),
        ("friday", "viernes"), ("saturday", "sabado"), ("sunday", "domingo"))  # fmt: skip
DATES = {"-": ("%Y-%m-%d",), ".": ("%d.%m.%Y",), "/": ("%d/%m/%Y", "%m/%d/%Y")}
CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?::\d{2})?(?:\.0+)?\s*([ap])?\.?(?:m\.?)?", re.IGNORECASE)
MOST_LETTERS = 200

IGNORED = gettext_noop("These columns have no meaning here and are ignored: %(columns)s.")


@dataclass(frozen=True)
class Faulty:
    """A line that is no lesson, and why."""

    line: int
    text: str
    fault: str


def read(text: str) -> tuple[list[Series], list[Faulty], list[Note]]:
    """Raises `Unreadable`."""
    lines = spreadsheet.read(text)
    header = _header(lines)
    places = {name: place for place, cell in enumerate(header.cells) if (name := _column(cell))}
    if missing := [name for name in NEEDED if name not in places]:
        text = _("The table needs a header row with the columns %(columns)s. Missing: %(missing)s.")
        raise Unreadable(text % {"columns": "from, to, first day", "missing": ", ".join(map(_told, missing))})
    rows = [
        (line.number, {name: line.cell(place).strip(' "') for name, place in places.items()})
        for line in lines
        if line.number > header.number
    ]
    to_date = _dates(cells[name] for _number, cells in rows for name in ("first_day", "last_day") if name in cells)
    found, faulty = [], []
    for number, cells in rows:
        try:
            found.append(_series(number, cells, to_date))
        except ValueError as error:
            faulty.append(Faulty(number, " ".join(cells.values())[:80], str(error)))
    unknown = [cell[:40] for cell in header.cells if cell and not _column(cell)]
    return found, faulty, [Note.of(IGNORED, columns=", ".join(unknown))] if unknown else []


def _header(lines: list[Line]) -> Line:
    return lines[0] if lines else Line(1, ())


def _told(column: str) -> str:
    return {"begins": "from", "ends": "to", "first_day": "first day"}[column]


def _column(cell: str) -> str:
    word = " ".join(re.split(r"[\s_-]+", cell.lower().strip(' *:"')))
    return next((name for name, words in COLUMNS.items() if word in words), "")


def _dates(cells: Iterable[str]) -> Callable[[str], date]:
    """How the dates of this table are written: whether day or month comes first is the same in all of them."""
    known = [cell for cell in cells if "/" in cell]
    formats = [form for form in DATES["/"] if all(_parsed(cell, form) for cell in known)]

    def to_date(cell: str) -> date:
        if "/" in cell and len(formats) > 1:
            raise ValueError(_("Day and month can't be told apart. Write dates like 2026-09-08."))
        some = formats if "/" in cell else [*DATES["-"], *DATES["."]]
        found = next(filter(None, (_parsed(cell, form) for form in some)), None)
        if found is None:
            raise ValueError(_("“%(text)s” is not a date. Write dates like 2026-09-08.") % {"text": cell[:40]})
        return found

    return to_date


def _parsed(cell: str, form: str) -> date | None:
    try:
        found = datetime.strptime(cell, form).date()  # noqa: DTZ007 - a date
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None


def _series(number: int, cells: dict[str, str], to_date: Callable[[str], date]) -> Series:
    """Raises `ValueError` with the fault."""
    first = to_date(cells["first_day"])
    weekdays = sum({1 << day for day in _weekdays(cells.get("weekdays", ""))})
    last = to_date(cells["last_day"]) if weekdays and cells.get("last_day") else first
    if weekdays and not cells.get("last_day"):
        raise ValueError(_("Enter the last day of the series."))
    return Series(
        first, last, _time(cells["begins"]), _time(cells["ends"]), weekdays=weekdays,
        every_weeks=_weeks(cells.get("every_weeks", "")), mode=_mode(cells.get("mode", "")),
        note=cells.get("note", "")[:MOST_LETTERS], line=number,
    )  # fmt: skip


def _time(cell: str) -> time:
    found = CLOCK.fullmatch(cell)
    if found:
        hour, half = int(found[1]), (found[3] or "").lower()
        hour = hour % 12 + (12 if half == "p" else 0) if half else hour
        if hour < 24 and int(found[2]) < 60:
            return time(hour, int(found[2]))
    raise ValueError(_("“%(text)s” is not a time. Write times like 10:00.") % {"text": cell[:40]})


def _weekdays(cell: str) -> Iterable[int]:
    for word in re.split(r"[\s,;/+]+", cell.lower().strip()):
        if word:
            yield _weekday(word)


def _weekday(word: str) -> int:
    if word in {"1", "2", "3", "4", "5", "6", "7"}:
        return int(word) - 1
    plain = word.rstrip(".").replace("é", "e").replace("á", "a")
    for number, names in enumerate(DAYS):
        if len(plain) > 1 and any(name.startswith(plain) for name in names):
            return number
    raise ValueError(_("“%(text)s” is not a weekday. Write weekdays like Monday, Wednesday.") % {"text": word[:40]})


def _weeks(cell: str) -> int:
    if not cell:
        return 1
    if cell.isdecimal() and len(cell) < 5 and 1 <= int(cell) <= MOST_WEEKS:
        return int(cell)
    raise ValueError(_("Enter a number of weeks from 1 to %(most)d.") % {"most": MOST_WEEKS})


def _mode(cell: str) -> str:
    words = {"": LessonMode.BOTH, "start only": LessonMode.START, "stop only": LessonMode.STOP}
    mode = words.get(cell.lower(), cell.lower())
    if mode not in LessonMode.values:
        raise ValueError(_("“%(text)s” is not known. Write both, start or stop.") % {"text": cell[:40]})
    return str(mode)
