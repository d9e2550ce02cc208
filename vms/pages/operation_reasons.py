"""Why the portal asked for an operation by itself: apps above register what they know."""

import uuid
from collections.abc import Callable, Iterable, Mapping

from vms.models import Operation

# From primary keys of operations to sentences, for those that it knows.
Source = Callable[[list[uuid.UUID]], Mapping[uuid.UUID, str]]
SOURCES: list[Source] = []


def register(source: Source) -> Source:
    SOURCES.append(source)
    return source


def of(operations: Iterable[Operation]) -> dict[uuid.UUID, str]:
    """Without a query where people asked for all of them."""
    keys = [one.pk for one in operations if one.origin != Operation.Origin.PERSON]
    found: dict[uuid.UUID, str] = {}
    for source in SOURCES if keys else ():
        found |= source(keys)
    return found
