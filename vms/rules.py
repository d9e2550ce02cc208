"""May this be done to this machine, and if not, why not: the ordered rules behind refusals and disabled buttons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings

from accounts.models import User
from clusters.models import ClusterHealth
from vms.models import Operation, VirtualMachine

Action = Operation.Action

# The statuses from which an action makes sense. What is not listed makes sense from every status that is known.
NEEDED = {
    Action.START: "stopped",
    Action.SHUTDOWN: "running",
    Action.REBOOT: "running",
    Action.RESET: "running",
    Action.SUSPEND: "running",
    Action.RESUME: "paused",
    Action.CONSOLE: "running",
}
OFF = {"stopped", "unknown"}

# The one snapshot that whoever holds a machine may save, replace and delete.
SAVE_POINT = "my-save-point"

# What Proxmox VE does with virtual machines alone, or with containers as an experiment.
QEMU_ONLY = {Action.RESET, Action.SUSPEND, Action.RESUME}

LOCKS = {
    "backup": "being backed up",
    "snapshot": "being saved as a snapshot",
    "snapshot-delete": "being cleared of a snapshot",
    "rollback": "being reverted",
    "clone": "being copied",
    "migrate": "being moved to another node",
    "create": "being created",
    "suspending": "being suspended",
}


@dataclass(frozen=True)
class Situation:
    """A machine with what the rules look at: its cluster's health (None: never asked) and its open operation.

    `person` is who asks (None: nobody in particular); whether he may operate the machine and keeps it, as its steward
    or as an administrator, was found out before. `snapshot` is the one that is meant, if one is.
    """

    machine: VirtualMachine
    health: ClusterHealth | None
    open_operation: Operation | None
    person: User | None = None
    may_operate: bool = True
    keeps: bool = True
    snapshot: str = ""


class Verdict(NamedTuple):
    """What one rule says: its name, whether it agrees, and the sentence for people if it does not."""

    rule: str
    ok: bool
    text: str


Rule = Callable[[Situation, str], str | None]


def person_may_operate(now: Situation, action: str) -> str | None:
    if now.may_operate:
        return None
    return "This machine is not assigned to this account, nor looked after by it. Ask your teacher."


def cluster_is_active(now: Situation, action: str) -> str | None:
    return None if now.machine.cluster.is_active else "This cluster is switched off. Ask an administrator."


def cluster_answers(now: Situation, action: str) -> str | None:
    if now.health and now.health.ok:
        return None
    return "The cluster does not answer at the moment. The portal keeps asking; the buttons come back by themselves."


def machine_is_there(now: Situation, action: str) -> str | None:
    if now.machine.gone_at:
        return "The cluster does not have this machine any more. Ask your teacher."
    return "The cluster does not list this machine any more. Ask your teacher." if now.machine.missing_since else None


def node_answers(now: Situation, action: str) -> str | None:
    if not now.machine.silent_since:
        return None
    return "The machine's node does not answer. The buttons come back by themselves when it does."


def machine_is_no_template(now: Situation, action: str) -> str | None:
    return "This is a template: it is copied, never started." if now.machine.template else None


def nothing_under_way(now: Situation, action: str) -> str | None:
    if not now.open_operation or action == Action.CONSOLE:
        return None
    return f"“{now.open_operation.get_action_display()}” is under way. Wait until it is finished."


def machine_is_not_locked(now: Situation, action: str) -> str | None:
    lock = "" if action == Action.CONSOLE else now.machine.lock  # looking on disturbs nothing
    return f"The machine is {LOCKS.get(lock, f'busy ({lock})')}. This usually takes minutes." if lock else None


def kind_fits(now: Situation, action: str) -> str | None:
    if action in QEMU_ONLY and now.machine.kind != VirtualMachine.Kind.QEMU:
        return "Containers cannot do this. Reboot it, or shut it down, instead."
    return None


def consoles_are_offered(now: Situation, action: str) -> str | None:
    if action != Action.CONSOLE or settings.CONSOLES_PER_PROCESS:
        return None
    return "This portal shows no screens in the browser. Use a remote desktop or SSH instead."


def status_fits(now: Situation, action: str) -> str | None:
    status, needed = now.machine.status, NEEDED.get(Action(action))
    if needed:
        return None if status == needed else f"The machine is {status}, not {needed}."
    if action == Action.STOP:
        return None if status not in OFF else f"The machine is {status}."
    return None if status != "unknown" else "The state of the machine is unknown. Wait until its node answers again."


def snapshot_may_be_changed(now: Situation, action: str) -> str | None:
    if action not in {Action.SNAPSHOT, Action.DELETE_SNAPSHOT} or now.keeps or now.snapshot in {"", SAVE_POINT}:
        return None
    return f"You may save and delete “{SAVE_POINT}”. Ask your teacher about other snapshots."


RULES: list[Rule] = [
    person_may_operate,
    cluster_is_active,
    cluster_answers,
    machine_is_there,
    node_answers,
    machine_is_no_template,
    kind_fits,
    nothing_under_way,
    machine_is_not_locked,
    consoles_are_offered,
    status_fits,
    snapshot_may_be_changed,
]

# What these look at is a few seconds old, or the portal's own doing: at the click they spare people a failure. When
# an action is sent, the cluster's answer is better.
OF_THE_MOMENT: set[Rule] = {
    cluster_answers,
    node_answers,
    nothing_under_way,
    machine_is_not_locked,
    status_fits,
}


def register(rule: Rule) -> Rule:
    """Add a rule, the last to be asked. Its name in words is what it asks for, like `machine_is_there`."""
    RULES.append(rule)
    return rule


def situation(machine: VirtualMachine, *, person: User | None = None, snapshot: str = "") -> Situation:
    """Find out what the rules look at. Without a person, nothing is asked about one."""
    health = ClusterHealth.objects.filter(cluster__cluster_id=machine.cluster_id).first()
    busy = Operation.objects.open().filter(vm=machine).first()
    if person is None:
        return Situation(machine, health, busy, snapshot=snapshot)
    same = VirtualMachine.objects.filter(pk=machine.pk)
    operates, keeps = same.operable_by(person).exists(), same.described_by(person).exists()
    return Situation(machine, health, busy, person, operates, keeps, snapshot)


def verdicts(now: Situation, action: str) -> list[Verdict]:
    """What each rule says, in order."""
    said = [(rule.__name__.replace("_", " "), rule(now, action)) for rule in RULES]
    return [Verdict(name, not reason, reason or "") for name, reason in said]


def explain(person: User, machine: VirtualMachine, action: str, *, snapshot: str = "") -> list[Verdict]:
    """What each rule says, in order, when this person wants this done to this machine."""
    return verdicts(situation(machine, person=person, snapshot=snapshot), action)


def why_not(now: Situation, action: str) -> str | None:
    """The first refusal in a sentence for people, or None when the action may be requested."""
    return next((verdict.text for verdict in verdicts(now, action) if not verdict.ok), None)


def why_not_send(now: Situation, action: str) -> str | None:
    """The same for what was requested before and is about to be sent: without the rules that are of the moment."""
    return next((reason for rule in RULES if rule not in OF_THE_MOMENT and (reason := rule(now, action))), None)
