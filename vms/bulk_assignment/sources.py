"""The ways to say who gets which machine: a table, a pattern of names, or a pool to share out."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import spreadsheet
from accounts.spreadsheet import Unreadable

PERSON_WORDS = {"username", "user name", "user", "login", "account", "person", "student", "usuario", "persona"}
MACHINE_WORDS = {
    "cluster",
    "machine",
    "machine name",
    "vm",
    "vm name",
    "name",
    "vmid",
    "clúster",
    "máquina",
    "nombre de la máquina",
}

PATTERN = re.compile(r"([^{}]*)\{n(?::0([1-9]))?\}([^{}]*)")


@dataclass(frozen=True)
class Wish:
    """What a line asks for. A machine is named by its number on a cluster, or by its name."""

    line: int
    person: str
    cluster: str = ""
    vmid: str = ""
    name: str = ""
    problem: str = ""

    @property
    def machine(self) -> str:
        return self.name or (f"{self.cluster}/{self.vmid}" if self.vmid else self.cluster)


@dataclass(frozen=True)
class Table:
    """Lines of `username,cluster,vmid` or `username,machine name`. What follows the VMID is passed over."""

    text: str
    way = "table"

    def wishes(self) -> list[Wish]:
        return [_wish(line) for line in spreadsheet.read(self.text, header=(PERSON_WORDS, MACHINE_WORDS))]


@dataclass(frozen=True)
class Pattern:
    """Names with a number in them, like `net101-{n}` or `net101-{n:02}`, for people in order. No cluster: all."""

    pattern: str
    people: str
    start: int = 1
    cluster: str = ""
    way = "pattern"

    def wishes(self) -> list[Wish]:
        parts = PATTERN.fullmatch(self.pattern.strip())
        if not parts:
            raise Unreadable(
                _("Write {n} or {n:02} once where the number stands, like net101-{n:02}."), field="pattern"
            )
        before, width, after = parts.groups()
        return [
            Wish(line, person, cluster=self.cluster, name=f"{before}{n:0{width or 1}}{after}")
            for n, (line, person) in enumerate(people_in(self.people), self.start)
        ]


@dataclass(frozen=True)
class Share:
    """The machines of a cluster's pool or tag in the order of their numbers, one each."""

    cluster: str
    people: str
    pool: str = ""
    tag: str = ""
    way = "share"

    def wishes(self) -> list[Wish]:
        return [Wish(line, person) for line, person in people_in(self.people)]


Source = Table | Pattern | Share
KINDS: dict[str, Any] = {kind.way: kind for kind in (Table, Pattern, Share)}


def source_from(way: str, facts: dict[str, Any]) -> Source:
    made: Source = KINDS[way](**facts)
    return made


def facts_of(source: Source) -> dict[str, Any]:
    """What `source_from` makes it from again."""
    return asdict(source)


def people_in(text: str) -> list[tuple[int, str]]:
    """User names, one a line, with the number of the line."""
    lines = spreadsheet.read(text, header=({"username", "user name", "usuario", "nombre de usuario"},))
    return [(line.number, line.cell(0)) for line in lines]


def _wish(line: spreadsheet.Line) -> Wish:
    cells: Sequence[str] = line.cells
    while cells and not cells[-1]:
        cells = cells[:-1]
    match cells:
        case [person, name] if person and name:
            return Wish(line.number, person, name=name)
        case [person, cluster, vmid, *_] if person and cluster and vmid.isascii() and vmid.isdigit() and len(vmid) < 10:
            return Wish(line.number, person, cluster=cluster, vmid=vmid)
    return Wish(line.number, line.cell(0), problem=gettext_noop("write username,cluster,vmid or username,machine name"))
