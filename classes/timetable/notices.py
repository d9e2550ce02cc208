"""Notices before a stop: they are given, shown, confirmed and ended; and people keep their machines on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User
from classes.models import IdleEvidence, MachineHold, Occurrence, RunningRules, StopNotice
from classes.timetable import decision
from classes.timetable.decision import Reason
from classes.timetable.evidence import words
from classes.timetable.machines import Row
from vms.models import VirtualMachine

Kind = MachineHold.Kind


def as_facts(notice: StopNotice) -> decision.Notice:
    shown, reminded = timedelta(seconds=notice.shown_seconds), timedelta(seconds=notice.reminded_seconds)
    return decision.Notice(shown, reminded, notice.confirmed_at)


def show(notice: StopNotice | None, row: Row, reason: Reason, now: datetime, *, evidence: dict[str, Any]) -> StopNotice:
    """Give a notice, or show it for longer, which `confirm` writes. After a gap it begins again.

    `evidence` is kept as of its beginning: a text that changes every minute would be read out again every minute.
    """
    facts = decision.confirmed(as_facts(notice) if notice else None, now)
    times = {
        "confirmed_at": facts.confirmed_at,
        "shown_seconds": facts.shown.total_seconds(),
        "reminded_seconds": facts.reminded.total_seconds(),
    }
    if notice is None:
        given = StopNotice(vm_id=row.pk, lab_class_id=row.lab_class, given_at=now, reason=reason, evidence=evidence)
        _set(given, **times)
        given.save()
        return given
    changed: dict[str, Any] = {}
    if facts.shown == timedelta():
        changed = {"given_at": now, "mailed_at": None, "reminder_mailed_at": None, "evidence": evidence}
    if notice.reason != reason:
        changed |= {"reason": reason, "evidence": evidence}
    _set(notice, **times, **changed)
    if changed:
        _still_open([notice.pk]).update(**changed)
    return notice


def confirm(shown: Iterable[StopNotice]) -> None:
    """Write how long these were shown: one query for all that were shown for equally long, so one for most lessons."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    for one in shown:
        alike.setdefault((one.confirmed_at, one.shown_seconds, one.reminded_seconds), []).append(one.pk)
    for (at, seconds, reminded), keys in alike.items():
        _still_open(keys).update(confirmed_at=at, shown_seconds=seconds, reminded_seconds=reminded)


def end(notice: StopNotice, outcome: str, now: datetime) -> None:
    """Unless it has ended meanwhile: *Keep 1 h* is the last word."""
    _set(notice, ended_at=now, outcome=outcome)
    _still_open([notice.pk]).update(ended_at=now, outcome=outcome, reason=notice.reason, evidence=notice.evidence)


def lock_for_stop(notice: StopNotice) -> bool:
    """In a transaction. False: it ended meanwhile, or somebody wants the machine left on since it was last shown.

    Whoever chooses that from now on waits for the end of the transaction, and finds that it is too late.
    """
    there = _still_open([notice.pk]).filter(operation=notice.operation_id)
    if there.select_for_update().values_list("pk").first() is None:
        return False
    holds = MachineHold.objects.lasting(timezone.now()).filter(vm=notice.vm_id, set_at__gte=notice.confirmed_at)
    if notice.reason == Reason.HOURS:
        holds = holds.exclude(kind=Kind.DO_NOT_STOP, by_manager=False)
    return not holds.exists()


def _still_open(keys: list[int]) -> QuerySet[StopNotice]:
    return StopNotice.objects.filter(pk__in=keys, ended_at=None)


def _set(notice: StopNotice, **values: Any) -> None:
    for name, value in values.items():
        setattr(notice, name, value)


def why_words() -> dict[Reason, str]:
    """Of reasons to stop a machine, as parts of a sentence to its person."""
    return {
        Reason.LESSON_OVER: _("because the lesson is over"),
        Reason.IDLE: _("because nobody seems to use it"),
        Reason.HOURS: _("because your hours are used up"),
    }


@dataclass(frozen=True)
class ShownNotice:
    """A notice as people see it. `keeps_left` is how often they may still choose *Keep 1 h*."""

    pk: int
    machine: int
    name: str
    reason: str
    at: datetime
    keeps_left: int
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        why = why_words()[Reason(self.reason)]
        at = date_format(timezone.localtime(self.at), "H:i")
        text = _("%(machine)s will be shut down at %(at)s, %(why)s. Save your work.") % {
            "machine": self.name, "at": at, "why": why
        }  # fmt: skip
        return f"{text} {words(self.reason, self.evidence)}".strip()


def shown_to(user: User, *, machine: int | None = None) -> list[ShownNotice]:
    """The open notices of the machines that are assigned to this person, or of this one machine that they may use."""
    there = StopNotice.objects.filter(ended_at=None, operation=None)
    mine = there.filter(vm=machine) if machine else there.filter(vm__assignments__in=user.assignments.live())
    found = mine.select_related("vm", "lab_class__running_rules").order_by("given_at", "pk")
    return [_shown(notice) for notice in found]


def stops_at(notice: StopNotice) -> datetime:
    """The earliest end of a notice that goes on being shown."""
    facts = as_facts(notice)
    left = max(decision.NOTICE - facts.shown, decision.REMINDER - facts.reminded, timedelta())
    return notice.confirmed_at + left


def _shown(notice: StopNotice) -> ShownNotice:
    return ShownNotice(
        notice.pk, notice.vm_id, notice.vm.display_name, notice.reason, stops_at(notice), keeps_left(notice),
        notice.evidence,
    )  # fmt: skip


def keeps_left(notice: StopNotice) -> int:
    """How often the machine may still be kept on, since its last start or the last lesson of its class."""
    rules = RunningRules.objects.filter(lab_class=notice.lab_class_id).first()
    since = [notice.vm.booted_at, timezone.now() - timedelta(days=1)]
    over = Occurrence.objects.filter(lab_class=notice.lab_class_id, ends_at__lte=timezone.now())
    since.append(over.order_by("-ends_at").values_list("ends_at", flat=True).first())
    begin = max(at for at in since if at is not None)
    used = MachineHold.objects.filter(vm=notice.vm_id, kind=Kind.KEEP, set_at__gte=begin).count()
    return max(0, (rules.keeps if rules else 0) - used)


def keep(machine: VirtualMachine, *, by: User) -> datetime | None:
    """Leave it on for an hour. Returns until when, or None where no notice is open, or the class allows it no more."""
    now = timezone.now()
    with transaction.atomic():
        there = StopNotice.objects.filter(vm=machine, ended_at=None, operation=None).select_related("vm")
        locked = there.select_for_update(of=("self",)).first()
        if locked is None or not keeps_left(locked):
            return None
        until = now + MachineHold.KEEP_FOR
        MachineHold.objects.create(vm=locked.vm, kind=Kind.KEEP, until=until, set_by=by, set_at=now)
        end(locked, StopNotice.Outcome.KEPT, now)
    return until


def hold(machine: VirtualMachine, *, by: User, hours: int) -> datetime:
    """*Do not stop*: leave the machine alone for so many hours. Replaces what was chosen before; 0 ends it.

    By who manages the machine it also holds when hours are used up.
    """
    now = timezone.now()
    until = now + min(timedelta(hours=hours), MachineHold.LONGEST)
    by_manager = VirtualMachine.objects.managed_by(by).filter(pk=machine.pk).exists()
    with transaction.atomic():
        StopNotice.objects.select_for_update().filter(vm=machine, ended_at=None).first()  # as `lock_for_stop` does
        lasting = MachineHold.objects.lasting(now).filter(vm=machine, kind=Kind.DO_NOT_STOP)
        (lasting if by_manager else lasting.filter(by_manager=False)).update(until=now)
        if hours > 0:
            MachineHold.objects.create(
                vm=machine, kind=Kind.DO_NOT_STOP, until=until, set_by=by, set_at=now, by_manager=by_manager
            )
    return until


def held(machine: int) -> MachineHold | None:
    """The *Do not stop* that lasts the longest; one of a manager comes first, since it holds against more."""
    holds = MachineHold.objects.lasting(timezone.now()).filter(vm=machine, kind=Kind.DO_NOT_STOP)
    found: MachineHold | None = holds.select_related("set_by").order_by("-by_manager", "-until").first()
    return found


def forget_old() -> None:
    """Notices and holds that are over for half a year, and evidence of machines that nobody asked about since."""
    before = timezone.now() - timedelta(days=183)
    StopNotice.objects.filter(ended_at__lt=before).delete()
    MachineHold.objects.filter(until__lt=before).delete()
    IdleEvidence.objects.filter(due_at__lt=before).delete()
