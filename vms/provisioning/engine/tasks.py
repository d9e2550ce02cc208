"""Follows many tasks by few questions: one for all that a node knows of."""

import logging
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from clusters import proxmox
from vms.provisioning.engine.calling import Answer
from vms.provisioning.engine.hand import NEVER, Hand, Step, Then
from vms.provisioning.engine.pacing import Duration, Pace, Task
from vms.sentences import say

if TYPE_CHECKING:
    from vms.provisioning.engine.engine import Engine

logger = logging.getLogger(__name__)

# Seconds for which a node that does not answer is waited for. Its machines then say so, and may be retried.
NODE_PATIENCE = 600.0


class FollowedTasks:
    """What the machines in hand wait for."""

    def __init__(self, engine: "Engine", durations: dict[str, Duration]) -> None:
        self._engine, self._durations = engine, durations
        self._paces: dict[str, Pace] = {}

    def pace(self, node: str) -> Pace:
        return self._paces.setdefault(node, Pace(self._durations))

    def _by_node(self) -> dict[str, list[Task]]:
        """The tasks that are waited for, by the node that knows of them."""
        found = defaultdict(list)
        for hand in self._engine.hands.values():
            if hand.task and not hand.is_calling:
                found[hand.task.node].append(hand.task)
        return found

    def ask(self) -> float:
        """Ask the nodes whose turn it is. Returns when the next question is due."""
        later = NEVER
        for node, tasks in self._by_node().items():
            pace = self.pace(node)
            if pace.is_asking:
                continue  # its answer ends the pause
            due = pace.next_question(tasks)
            if self._engine.clock() < due:
                later = min(later, due)
                continue
            pace.is_asking = True
            oldest = min(_begun_there(task.upid) for task in tasks)
            self._engine.want(node, partial(_node_tasks, node=node, since=oldest))
        return later

    def answered(self, node: str, answer: Answer) -> None:
        """Read what a node knows of its tasks. Their machines go on, or are asked for alone."""
        pace = self.pace(node)
        pace.is_asking = False
        waiting = [hand for hand in self._engine.hands.values() if hand.task and hand.task.node == node]
        if answer.error:
            self._node_failed(node, waiting, answer.error)
            return
        found: Any = answer.value
        rows: dict[str, proxmox.TaskStatus] = {task.upid: task.status for task in found}
        known = [(hand, hand.task, rows[hand.task.upid]) for hand in waiting if hand.task and hand.task.upid in rows]
        running = [task for _, task, status in known if status.running]
        pace.answered(self._engine.answered_at, running, [task for _, task, status in known if not status.running])
        for hand, _, status in known:
            if not status.running:
                hand.task, hand.due = None, 0.0
                self._engine.do(hand, partial(self._engine.step_of(hand).ended, hand, status))
        for hand in waiting:
            if hand.task and hand.task.upid not in rows:
                self._ask_alone(hand, hand.task.upid)

    def _ask_alone(self, hand: Hand, upid: str) -> None:
        """The list has no such task, as after a while, or with the restart of a node: ask for it alone."""
        hand.task = None
        step = self._engine.step_of(hand)
        hand.call(lambda maker: maker.task(upid), then=_alone(step), refused=_unknown_task)

    def _node_failed(self, node: str, waiting: list[Hand], error: proxmox.ProxmoxError) -> None:
        pace = self.pace(node)
        pace.failed(self._engine.clock())
        logger.warning("%s: %s", self._engine.config.cluster_id, error)
        if self._engine.clock() - (pace.failing_since or 0.0) > NODE_PATIENCE:
            for hand in waiting:
                self._engine.do(hand, partial(hand.fail, say("made-node-away", node=node)))


def _begun_there(upid: str) -> int:
    """When the task began by its node's own clock, in seconds since 1970: the fifth part of a UPID."""
    return int(upid.split(":")[4], 16)


def _alone(step: Step) -> Then:
    def then(hand: Hand, status: proxmox.TaskStatus) -> None:
        if status.running:
            hand.follow(hand.made.sent_what, hand.made.upid)
        else:
            step.ended(hand, status)

    return then


def _unknown_task(hand: Hand, error: proxmox.ProxmoxError) -> None:
    """Nobody knows this task any more: the step looks what became of it. Otherwise it is asked for again."""
    if isinstance(error, proxmox.NotFound):
        hand.write(upid="")
    hand.wait(1.0)


def _node_tasks(maker: proxmox.Maker, *, node: str, since: int) -> object:
    return maker.node_tasks(node, since=since)
