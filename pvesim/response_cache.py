"""A cache of large responses, each kept as long as it is true."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from pvesim.http import Document

# More than the identities which poll one cluster.
ROOM = 64


class ResponseCache:
    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[object, Document]] = {}

    def document(self, key: Hashable, state: object, make: Callable[[], bytes]) -> Document:
        """The document of this state of things; made if the cached one is of another."""
        state_then, document = self._kept.pop(key, (None, None))
        if document is None or state_then != state:
            document = Document(make())
        self._kept[key] = (state, document)
        while len(self._kept) > ROOM:
            self._kept.pop(next(iter(self._kept)))
        return document
