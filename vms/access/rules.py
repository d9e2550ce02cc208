"""May this be done to this machine, and if not, why not: the ordered rules behind refusals and disabled buttons."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from clusters.models import ClusterHealth
from vms.models import ClusterGrant, Operation, Snapshot, VirtualMachine

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

# A shutdown that takes longer may be cut short by a forced stop, from this Proxmox VE on.
CUT_SHORT_AFTER = timedelta(seconds=60)
CUT_SHORT_SINCE = (8, 2)

# The one snapshot that whoever holds a machine may save, replace and delete. Its name to people, and to clusters, which
# rename none: the new one gets the name that is free, before the old one is deleted.
SAVE_POINT = "my-save-point"
SAVE_POINTS = (SAVE_POINT, "my-save-point-2")

# What Proxmox VE does with virtual machines alone, or with containers as an experiment.
QEMU_ONLY = {Action.RESET, Action.SUSPEND, Action.RESUME}

# The lock of a machine whose memory was written to its disk.
ASLEEP = "suspended"

# What a lock means, to be said after “the machine is”.
LOCKS = {
    "backup": gettext_lazy("being backed up"),
    "snapshot": gettext_lazy("being saved as a snapshot"),
    "snapshot-delete": gettext_lazy("being cleared of a snapshot"),
    "rollback": gettext_lazy("being reverted"),
    "clone": gettext_lazy("being copied"),
    "migrate": gettext_lazy("being moved to another node"),
    "create": gettext_lazy("being created"),
    "suspending": gettext_lazy("being suspended"),
    "disk": gettext_lazy("getting another disk"),
    "fstrim": gettext_lazy("being cleared of unused space"),
    "mounted": gettext_lazy("open on its node for repairs"),
    "destroyed": gettext_lazy("being deleted"),
}


@dataclass(frozen=True)
class Situation:
    """A machine with what the rules look at: its cluster's health (None: never asked) and its open operation.

    `person` is who asks (None: nobody in particular); whether he may operate the machine and keeps it, as its steward
    or as an administrator, was found out before, and so was whether a grant lets him use its cluster, and whether its
    class may use its pool (`is_in_place`). `snapshot` is the one that is meant, if one is.
    """

    machine: VirtualMachine
    health: ClusterHealth | None
    open_operation: Operation | None
    person: User | None = None
    may_operate: bool = True
    keeps: bool = True
    is_granted: bool = True
    is_in_place: bool = True
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
    return _("This machine is not assigned to this account, nor looked after by it. Ask your teacher.")


def person_is_granted_the_cluster(now: Situation, action: str) -> str | None:
    if now.is_granted:
        return None
    return _("This cluster is only for people who were granted it. Ask your teacher or an administrator.")


def class_is_granted_the_pool(now: Situation, action: str) -> str | None:
    if now.is_in_place:
        return None
    return _("The class that has this machine may not use its pool any more. An administrator can grant it again.")


def cluster_is_active(now: Situation, action: str) -> str | None:
    return None if now.machine.cluster.is_active else _("This cluster is switched off. Ask an administrator.")


def cluster_answers(now: Situation, action: str) -> str | None:
    if now.health and now.health.ok:
        return None
    return _(
        "The cluster does not answer at the moment. The portal keeps asking, and the administrators see it too; "
        "the buttons come back by themselves."
    )


def machine_is_there(now: Situation, action: str) -> str | None:
    if now.machine.gone_at:
        return _("The cluster does not have this machine any more. Ask your teacher.")
    return (
        _("The cluster does not list this machine any more. Ask your teacher.") if now.machine.missing_since else None
    )


def node_answers(now: Situation, action: str) -> str | None:
    if not now.machine.silent_since:
        return None
    return _("The machine's node does not answer. The buttons come back by themselves when it does.")


def machine_is_no_template(now: Situation, action: str) -> str | None:
    return _("This is a template: it is copied, never started.") if now.machine.template else None


def nothing_under_way(now: Situation, action: str) -> str | None:
    cuts_short = action == Action.STOP and may_be_cut_short(now)
    if not now.open_operation or action == Action.CONSOLE or cuts_short:
        return None
    return _("“%(action)s” is under way. Wait until it is finished.") % {
        "action": now.open_operation.get_action_display()
    }


def machine_is_not_locked(now: Situation, action: str) -> str | None:
    lock = "" if action == Action.CONSOLE else now.machine.lock  # looking on disturbs nothing
    if not lock:
        return None
    if lock == ASLEEP:
        return None if action == Action.START else _("The machine sleeps. Start it, and it goes on where it was.")
    doing = LOCKS.get(lock) or _("busy (%(lock)s)") % {"lock": lock}
    return _("The machine is %(doing)s. This usually takes minutes.") % {"doing": doing}


def kind_fits(now: Situation, action: str) -> str | None:
    if action in QEMU_ONLY and now.machine.kind != VirtualMachine.Kind.QEMU:
        return _("Containers cannot do this. Reboot it, or shut it down, instead.")
    return None


def consoles_are_offered(now: Situation, action: str) -> str | None:
    if action != Action.CONSOLE or settings.CONSOLES_PER_PROCESS:
        return None
    return _("This portal shows no screens in the browser. Use a remote desktop or SSH instead.")


def status_fits(now: Situation, action: str) -> str | None:
    status, needed = now.machine.status, NEEDED.get(Action(action))
    if status == "unknown":
        return _("The state of the machine is unknown. Wait until its node answers again.")
    if needed:
        return (
            None
            if status == needed
            else _("The machine is %(status)s, not %(needed)s.") % {"status": _(status), "needed": _(needed)}
        )
    if action == Action.STOP and status == "stopped":
        return _("The machine is %(status)s.") % {"status": _(status)}
    return None


def snapshot_may_be_changed(now: Situation, action: str) -> str | None:
    if action not in {Action.SNAPSHOT, Action.DELETE_SNAPSHOT} or now.keeps or now.snapshot in {"", *SAVE_POINTS}:
        return None
    return _("You may save and delete “%(save_point)s”. Ask your teacher about other snapshots.") % {
        "save_point": SAVE_POINT
    }


RULES: list[Rule] = [
    person_may_operate,
    person_is_granted_the_cluster,
    class_is_granted_the_pool,
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


def other_save_point(name: str) -> str:
    return SAVE_POINTS[1] if name == SAVE_POINT else SAVE_POINT


def save_points(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """The save points among these, the oldest first. There are two while one is replaced, or when that failed."""
    found = [snapshot for snapshot in snapshots if snapshot.name in SAVE_POINTS]
    return sorted(found, key=lambda one: (one.taken_at is not None, one.taken_at, one.pk))


def label_of(snapshot: str) -> str:
    """What people call it."""
    return SAVE_POINT if snapshot in SAVE_POINTS else snapshot


def register(rule: Rule) -> Rule:
    """Add a rule, the last to be asked. Its name in words is what it asks for, like `machine_is_there`."""
    RULES.append(rule)
    return rule


def may_be_cut_short(now: Situation) -> bool:
    """Whether a shutdown is under way for so long that a forced stop may end it."""
    under_way = now.open_operation
    if under_way is None or under_way.action != Action.SHUTDOWN or under_way.state != Operation.State.RUNNING:
        return False
    is_late = under_way.sent_at is not None and under_way.sent_at < timezone.now() - CUT_SHORT_AFTER
    return is_late and cuts_short(now.machine, now.health)


def cuts_short(machine: VirtualMachine, health: ClusterHealth | None) -> bool:
    """Whether the cluster ends a shutdown when it is told to stop a machine. High availability decides for itself."""
    found = re.match(r"(\d+)\.(\d+)", health.version if health else "")
    return bool(found and (int(found[1]), int(found[2])) >= CUT_SHORT_SINCE and not machine.ha_state)


def situation(machine: VirtualMachine, *, person: User | None = None, snapshot: str = "") -> Situation:
    """Find out what the rules look at. Without a person, nothing is asked about one."""
    health = ClusterHealth.objects.filter(cluster__cluster_id=machine.cluster_id).first()
    busy = Operation.objects.open().filter(vm=machine).first()
    if person is None:
        return Situation(machine, health, busy, snapshot=snapshot)
    same = VirtualMachine.objects.filter(pk=machine.pk)
    operates, keeps = same.operable_by(person).exists(), same.described_by(person).exists()
    granted, in_place = _is_granted(machine, person), operates or not _out_of_place(same)
    return Situation(machine, health, busy, person, operates, keeps, granted, in_place, snapshot)


def _is_granted(machine: VirtualMachine, person: User) -> bool:
    if not machine.cluster.is_restricted or (person.is_staff and person.has_perm("vms.operate_virtualmachine")):
        return True
    return bool(VirtualMachine.objects.filter(ClusterGrant.lets(person.pk), pk=machine.pk).exists())


def _out_of_place(machines: QuerySet[VirtualMachine]) -> set[int]:
    return _keys(machines.filter(ClusterGrant.out_of_place()))


def situations(machines: Iterable[VirtualMachine], *, person: User, snapshot: str = "") -> dict[int, Situation]:
    """The same for many machines, by primary key, in six queries at most. They come with cluster and health."""
    machines = list(machines)
    asked = VirtualMachine.objects.filter(pk__in=[machine.pk for machine in machines])
    operates, keeps, granted = _keys(asked.operable_by(person)), _keys(asked.described_by(person)), set()
    if restricted := [one.pk for one in machines if one.cluster.is_restricted]:
        granted = _keys(asked.filter(ClusterGrant.lets(person.pk), pk__in=restricted))
    # What he may operate is where it may be.
    others = {one.pk for one in machines} - operates
    astray = _out_of_place(asked.filter(pk__in=others)) if others else set()
    runs_all = person.is_staff and person.has_perm("vms.operate_virtualmachine")
    busy = {one.vm_id: one for one in Operation.objects.open().filter(vm__in=[machine.pk for machine in machines])}
    return {
        one.pk: Situation(
            one,
            getattr(one.cluster, "health", None),
            busy.get(one.pk),
            person,
            may_operate=one.pk in operates,
            keeps=one.pk in keeps,
            is_granted=runs_all or not one.cluster.is_restricted or one.pk in granted,
            is_in_place=one.pk not in astray,
            snapshot=snapshot,
        )
        for one in machines
    }


def _keys(machines: QuerySet[VirtualMachine]) -> set[int]:
    return set(machines.values_list("pk", flat=True))


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
