"""The order in which a server writes the keys of objects, and the rows of lists that have no order of their own.

Proxmox VE is written in Perl, whose hashes have another order at each call. A client that relies on one works against
a server that sorts, and fails against the real one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeVar

# So many orders of the same keys are made, and one of them is drawn for each object: shuffling each would cost more.
VARIANTS = 8

Keys = tuple[str, ...]
Row = TypeVar("Row")


class Ordering:
    """With `shuffled` off, everything stays as it was made."""

    def __init__(self, rng: random.Random, *, shuffled: bool = True) -> None:
        self.shuffled = shuffled
        self._rng = rng
        self._variants: dict[Keys, list[Keys]] = {}

    def apply(self, content: object, *, rows: bool = False) -> object:
        """The same content in another order. `rows`: the rows of the list have no order either."""
        if not self.shuffled:
            return content
        return self._keys(self.rows(content) if rows and isinstance(content, list) else content)

    def rows(self, rows: list[Row]) -> list[Row]:
        return self._rng.sample(rows, len(rows)) if self.shuffled else rows

    def envelope(self, content: Mapping[str, object]) -> dict[str, object]:
        """The outermost object alone."""
        return {key: content[key] for key in (self._variant(tuple(content)) if self.shuffled else content)}

    def _keys(self, content: object) -> object:
        if isinstance(content, dict):
            return {key: self._keys(content[key]) for key in self._variant(tuple(content))}
        if isinstance(content, list | tuple):
            return [self._keys(one) for one in content]
        return content

    def _variant(self, keys: Keys) -> Keys:
        known = self._variants.get(keys)
        if known is None:
            known = [tuple(self._rng.sample(keys, len(keys))) for _ in range(VARIANTS if len(keys) > 1 else 1)]
            self._variants[keys] = known
        return known[int(self._rng.random() * len(known))]
