"""What apps above have to say on the page of a console: for instance that the machine will be stopped."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.models import User
from vms.models import VirtualMachine


class Banner(NamedTuple):
    """A sentence; and a button that posts to `url`, or none."""

    text: str
    button: str = ""
    url: str = ""


Source = Callable[[VirtualMachine, User], Banner | None]
SOURCES: list[Source] = []


def register(source: Source) -> Source:
    SOURCES.append(source)
    return source


def banner(machine: VirtualMachine, user: User) -> Banner:
    """The first one that a source has; empty where there is none."""
    return next((found for source in SOURCES if (found := source(machine, user))), Banner(""))
