"""Faults which change the state of a cluster remember how to undo it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pvesim.faults.responses import ResponseFaults
from pvesim.state import ClusterState

Action = Callable[[], object]


class ClusterFaults(ResponseFaults):
    def __init__(self, cluster: ClusterState) -> None:
        super().__init__()
        self._cluster = cluster
        self._undo: list[Action] = []

    def undo(self) -> None:
        """Take back everything, the latest first, and forget the rules for single answers, too."""
        self.clear()
        while self._undo:
            self._undo.pop()()

    def _change(self, target: object, **attributes: object) -> None:
        """Set attributes, and remember what they were."""
        before = {name: getattr(target, name) for name in attributes}
        self._set(target, attributes)
        self._undo.append(lambda: self._set(target, before))

    def _set(self, target: object, attributes: Mapping[str, object]) -> None:
        with self._cluster.timeline.lock:
            for name, value in attributes.items():
                setattr(target, name, value)
            self._cluster.timeline.touch()

    def _now_or_after(self, path_regex: str, action: Callable[[], None]) -> None:
        """At once, or right after the next answer to such a path."""
        if path_regex:
            self.after(path_regex, action)
        else:
            with self._cluster.timeline.lock:
                action()

    def _names(self, node: str) -> list[str]:
        """The node, or all of them when none is named."""
        return [node] if node else list(self._cluster.nodes)

    def _last(self, node: str) -> str:
        return node or list(self._cluster.nodes)[-1]
