"""The sources of wishes: a table, a pattern of names, or a pool to share out."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import tables
from accounts.plans import Note
from accounts.spreadsheet import Line, Unreadable

COLUMNS = {
    "username": tables.USERNAME,
    "cluster": {"cluster", "cluster id", "cluster name", "clúster"},
    "vmid": {"vmid", "vm id", "machine id", "number"},
    "name": {"machine", "machine name", "vm", "vm name", "name", "máquina", "nombre de la máquina"},
    # Tables of people have these too, and they say nothing of machines.
    **{name: words for name, words in tables.PERSON.items() if name != "username"},
}

# A machine as pages print it: net-01 (building-a/101), or building-a/101 alone.
PRINTED = re.compile(r"(?:[^/]*\()?\s*([^/()]+?)\s*/\s*([0-9]{1,9})\s*\)?", re.ASCII)
PATTERN = re.compile(r"([^{}]*)\{n(?::0([1-9]))?\}([^{}]*)")


@dataclass(frozen=True)
class Wish:
    """A line's request for a machine, named by its number on a cluster, or by its name."""

    line: int
    person: str
    cluster: str = ""
    vmid: str = ""
    name: str = ""
    problem: str = ""

    @property
    def machine(self) -> str:
        return self.name or (f"{self.cluster}/{self.vmid}" if self.vmid else self.cluster)


# What the lines ask for, and what was passed over.
Wishes = tuple[list[Wish], tuple[Note, ...]]


@dataclass(frozen=True)
class Table:
    """Lines of `username,cluster,vmid` or `username,machine name`. What follows the VMID is passed over."""

    text: str
    way = "table"

    def wishes(self) -> Wishes:
        table = tables.read(self.text, COLUMNS)
        made = _by_header if table.has_header else _by_position
        return [made(line) for line in table.lines], table.notices


@dataclass(frozen=True)
class Pattern:
    """Names with a number in them, like `net101-{n}` or `net101-{n:02}`, for people in order. No cluster: all."""

    pattern: str
    people: str
    start: int = 1
    cluster: str = ""
    way = "pattern"

    def wishes(self) -> Wishes:
        parts = PATTERN.fullmatch(self.pattern.strip())
        if not parts:
            raise Unreadable(
                _("Write {n} or {n:02} once where the number stands, like net101-{n:02}."), field="pattern"
            )
        before, width, after = parts.groups()
        people = tables.names(self.people)
        wishes = [
            Wish(line.number, line.cell(0), cluster=self.cluster, name=f"{before}{n:0{width or 1}}{after}")
            for n, line in enumerate(people.lines, self.start)
        ]
        return wishes, people.notices


@dataclass(frozen=True)
class Share:
    """The machines of a cluster's pool or tag in the order of their numbers, one each."""

    cluster: str
    people: str
    pool: str = ""
    tag: str = ""
    way = "share"

    def wishes(self) -> Wishes:
        people = tables.names(self.people)
        return [Wish(line.number, line.cell(0)) for line in people.lines], people.notices


Source = Table | Pattern | Share
KINDS: dict[str, Any] = {kind.way: kind for kind in (Table, Pattern, Share)}


def source_from(way: str, facts: dict[str, Any]) -> Source:
    made: Source = KINDS[way](**facts)
    return made


def facts_of(source: Source) -> dict[str, Any]:
    """The facts from which `source_from` makes the source again."""
    return asdict(source)


def _by_header(line: Line) -> Wish:
    person, cluster, vmid, name = line.cells[:4]
    if vmid:
        return _numbered(line, person, cluster, vmid)
    if name:
        return _named(line, person, name, cluster=cluster)
    return _named(line, person, cluster)  # a machine's name in a table that has numbers elsewhere


def _by_position(line: Line) -> Wish:
    cells = line.cells
    while cells and not cells[-1]:
        cells = cells[:-1]
    match cells:
        case [person, name]:
            return _named(line, person, name)
        case [person, cluster, vmid, *_]:
            return _numbered(line, person, cluster, vmid)
    return _wrong(line)


def _named(line: Line, person: str, name: str, *, cluster: str = "") -> Wish:
    if printed := PRINTED.fullmatch(name):
        return _numbered(line, person, printed[1], printed[2])
    return Wish(line.number, person, cluster=cluster, name=name) if person and name else _wrong(line)


def _numbered(line: Line, person: str, cluster: str, vmid: str) -> Wish:
    if person and cluster and vmid.isascii() and vmid.isdigit() and len(vmid) < 10:
        return Wish(line.number, person, cluster=cluster, vmid=vmid)
    return _wrong(line)


def _wrong(line: Line) -> Wish:
    return Wish(line.number, line.cell(0), problem=gettext_noop("write username,cluster,vmid or username,machine name"))
