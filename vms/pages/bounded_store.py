"""Keeps what was made lately in this process, within a bound."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedStore(Generic[Value]):
    """Values by key. What was put or asked for least lately goes when all together weigh more than `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.weight = 0
        self._kept: OrderedDict[Hashable, tuple[int, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, value: Value, *, weight: int = 1) -> None:
        """Something that weighs nothing weighs 1."""
        with self._lock:
            before, _value = self._kept.pop(key, (0, value))
            self._kept[key] = (max(weight, 1), value)
            self.weight += max(weight, 1) - before
            while self.weight > self.most:
                _key, (less, _gone) = self._kept.popitem(last=False)
                self.weight -= less

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self.weight = 0
