"""What apps above add to the page of a machine: for instance when the machine is shut down by itself."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.models import User
from vms.models import VirtualMachine


class Section(NamedTuple):
    """A template, which sees `content` as `section`."""

    template: str
    content: object


Source = Callable[[VirtualMachine, User], Section | None]
SOURCES: list[Source] = []


def register(source: Source) -> Source:
    SOURCES.append(source)
    return source


def sections(machine: VirtualMachine, user: User) -> list[Section]:
    """Those that this person is to see; the person may see the machine."""
    return [found for source in SOURCES if (found := source(machine, user))]
