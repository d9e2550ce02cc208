"""A machine in hand: what its steps may do with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from django.utils import timezone

from clusters import proxmox
from vms.models import MadeMachine
from vms.models.operations import ended
from vms.provisioning import proofs
from vms.provisioning.engine.leases import advance
from vms.provisioning.engine.pacing import Task
from vms.provisioning.engine.slots import Place, Slot

if TYPE_CHECKING:
    from vms.provisioning.engine.engine import Engine

State = MadeMachine.State

NEVER = float("inf")

# Pauses before the same call is made again, in seconds; the last one repeats.
PAUSES = (1, 2, 4, 8, 15, 30)
MAX_TRIES = 20

# How long a call that may have been received can still take effect: longer than it may take.
SETTLE_WITHIN = timedelta(seconds=20)

# The calls that begin a task, which takes a slot until it ends.
TASKS = ("clone", "start", "stop", "snapshot", "destroy")

Call = Callable[[proxmox.Maker], Any]
Then = Callable[["Hand", Any], None]
Refused = Callable[["Hand", proxmox.ProxmoxError], None]


class Dropped(Exception):
    """The machine is in other hands now, or was cancelled. Nothing was written."""


class Step(Protocol):
    """What follows after one step of a machine is done. Modules implement it."""

    def act(self, hand: "Hand") -> None:
        """Begin it, or find out how far it got."""

    def ended(self, hand: "Hand", status: proxmox.TaskStatus) -> None:
        """The task that it began has ended."""


@dataclass(eq=False)
class Hand:
    """`due` is when its step acts next, by the engine's clock; otherwise it waits for a task, an answer or a slot."""

    made: MadeMachine
    engine: "Engine"
    due: float = 0.0
    task: Task | None = None
    is_calling: bool = False
    slot: Slot | None = None

    def write(self, **fields: Any) -> None:
        """Committed before any call that was begun in the same turn. Raises `Dropped`."""
        before = self.made.sent_what
        if not advance(self.made, **fields):
            raise Dropped
        if before in TASKS and before != self.made.sent_what:
            self.engine.have_slots_changed = True

    def send(
        self,
        what: str,
        call: Call,
        *,
        then: Then,
        refused: Refused,
        **fields: Any,
    ) -> None:
        """Write down that this is sent, and send it: once, whatever becomes of the answer."""
        self.write(**{"sent_what": what, "sent_at": timezone.now(), "upid": "", "state": State.WORKING, **fields})
        self.call(call, then=then, refused=refused)

    def call(
        self,
        call: Call,
        *,
        then: Then,
        refused: Refused,
    ) -> None:
        self.is_calling, self.due = True, NEVER
        self.engine.call(self, call, then=then, refused=refused)

    def follow(self, kind: str, upid: str) -> None:
        """Wait for this task of its own, which is written down."""
        since_then = 0.0
        if self.made.sent_at:  # long ago, when another worker had sent it
            since_then = max(0.0, (timezone.now() - self.made.sent_at).total_seconds())
        self._follow(kind, upid, self.engine.clock() - since_then)

    def began(self, kind: str, upid: str) -> None:
        """The answer that was just read has begun this task."""
        self.write(upid=upid)
        self._follow(kind, upid, self.engine.answered_at)

    def _follow(self, kind: str, upid: str, began: float) -> None:
        self.task, self.due = Task(upid, proxmox.parse_upid(upid).node, kind, began), NEVER

    def reached(self, step: str, **fields: Any) -> None:
        """This step is done; the next one may begin at once."""
        self.write(step=step, sent_what="", tries=0, **fields)
        self.due = 0.0

    def prove(self, action: str, upid: str, *, snapshot: str = "") -> None:
        """This was done just now: an operation says so."""
        self.engine.prove(proofs.of(self.made, action, upid, finished_at=timezone.now(), snapshot=snapshot))

    def wait(self, seconds: float) -> None:
        self.due = self.engine.clock() + seconds

    def take_slot(self, slot: Slot) -> bool:
        """Whether a task may begin there. If not, the step acts again when another one has ended."""
        if self.engine.slots.take(slot):
            return True
        self.due, self.slot = NEVER, slot
        return False

    def retry(self, words: str, **fields: Any) -> None:
        """Do the same again after a pause, which grows; fail when that was often enough."""
        tries = self.made.tries + 1
        if tries > MAX_TRIES:
            self.fail(words, **fields)
            return
        pause = PAUSES[min(tries, len(PAUSES)) - 1]
        later = timezone.now() + timedelta(seconds=pause)
        self.write(tries=tries, next_look_at=later, **ended(words), **fields)
        self.wait(pause)

    def fail(self, words: str, *, state: str = "", **fields: Any) -> None:
        """A machine that could not be removed is no failed one, which somebody might retry to make."""
        usual = State.REFUSED if self.made.state == State.REMOVING else State.FAILED
        self.finish(state or usual, **ended(words), **fields)

    def finish(self, state: str, **fields: Any) -> None:
        self.write(state=state, leased_until=None, **fields)
        self.engine.drop(self)

    @property
    def is_settled(self) -> bool:
        """Whether what was sent can no longer arrive."""
        sent_at = self.made.sent_at
        return sent_at is None or sent_at < timezone.now() - SETTLE_WITHIN

    @cached_property
    def place(self) -> Place:
        made = self.made
        template = made.run.template
        return Place(
            made.template_node,
            made.storage,
            full=template.clone_kind == template.CloneKind.FULL,
            shared=bool(made.copy and made.copy.is_shared),
        )
