"""The progress of a provisioning run, from the steps of its machines."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from django.utils.translation import gettext as _

from vms.models import MadeMachine, ProvisioningRun

State, Step = MadeMachine.State, MadeMachine.Step

STEPS = [str(step) for step in Step]
UNFINISHED = {State.WAITING, State.WORKING}
TONES = {
    State.WAITING: "stopped",
    State.WORKING: "busy",
    State.READY: "running",
    State.FAILED: "failed",
    State.STUCK: "failed",
    State.REFUSED: "failed",
    State.REMOVING: "busy",
}


@dataclass(frozen=True)
class MachineRow:
    """One machine. `machine` is None when it has no page; `step` is its last one, in words."""

    name: str
    machine: int | None
    person: str
    place: str
    step: str
    state: str
    tone: str
    words: str
    problem: str
    steps_done: int


@dataclass(frozen=True)
class Progress:
    rows: tuple[MachineRow, ...]

    def count(self, *states: str) -> int:
        return sum(row.state in states for row in self.rows)

    @property
    def is_finished(self) -> bool:
        return not self.count(*UNFINISHED, State.REMOVING)

    @property
    def most_steps(self) -> int:
        return max(1, len(self.rows) * (len(STEPS) - 1))

    @property
    def steps_done(self) -> int:
        """A machine that goes no further counts as done: the bar is full when the run is over."""
        return sum(row.steps_done if row.state in UNFINISHED else len(STEPS) - 1 for row in self.rows)

    @property
    def waiting(self) -> int:
        return self.count(State.WAITING)

    @property
    def to_retry(self) -> int:
        return self.count(State.FAILED, State.STUCK)

    @property
    def summary(self) -> str:
        """`9 of 12 ready, 1 failed, 2 in progress`."""
        n = Counter(row.state for row in self.rows)
        parts = [
            (n[State.FAILED], _("%(n)d failed")),
            (n[State.STUCK], _("%(n)d must be freed by an administrator")),
            (n[State.WORKING], _("%(n)d in progress")),
            (n[State.WAITING], _("%(n)d waiting")),
            (n[State.CANCELLED], _("%(n)d cancelled")),
            (n[State.EARLIER], _("%(n)d replaced")),
            (n[State.REMOVING], _("%(n)d being removed")),
            (n[State.REFUSED], _("%(n)d not removed")),
            (n[State.REMOVED], _("%(n)d removed")),
        ]
        told = [_("%(ready)d of %(total)d ready") % {"ready": n[State.READY], "total": len(self.rows)}]
        return ", ".join(told + [words % {"n": count} for count, words in parts if count])

    @property
    def fingerprint(self) -> str:
        """Changes when the page would show something else."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def for_run(run: ProvisioningRun) -> Progress:
    """In one query, for any number of machines."""
    machines = run.machines.select_related("vm", "for_user").order_by("position", "pk")
    return Progress(tuple(_row(made) for made in machines))


def _row(made: MadeMachine) -> MachineRow:
    return MachineRow(
        name=made.name,
        machine=made.vm_id if made.vm and not made.vm.gone_at and made.state == State.READY else None,
        person=(made.for_user.get_full_name() or made.for_user.username) if made.for_user else "",
        place=f"{made.node} · {made.vmid}",
        step=str(made.get_step_display()),
        state=made.state,
        tone=TONES.get(State(made.state), "stopped"),
        words=str(made.get_state_display()).capitalize(),
        problem=made.rendered_outcome,
        steps_done=STEPS.index(made.step),
    )
