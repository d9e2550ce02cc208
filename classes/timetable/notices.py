"""Notices before a stop: they are given, shown, confirmed and ended; and people keep their machines on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
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
    """Give a notice, or confirm that it is still shown. After a gap it begins again.

    `evidence` is kept as of its beginning: a text that changes every minute would be read out again every minute.
    """
    if notice is None:
        notice = StopNotice(vm_id=row.pk, lab_class_id=row.lab_class, given_at=now, confirmed_at=now)
    facts = decision.confirmed(as_facts(notice) if notice.pk else None, now)
    if facts.shown == timedelta() and notice.pk:
        notice.given_at, notice.mailed_at, notice.reminder_mailed_at = now, None, None
    if facts.shown == timedelta() or notice.reason != reason:
        notice.evidence = evidence
    notice.reason = reason
    notice.confirmed_at = facts.confirmed_at
    notice.shown_seconds, notice.reminded_seconds = facts.shown.total_seconds(), facts.reminded.total_seconds()
    notice.save()
    return notice


def end(notice: StopNotice, outcome: str, now: datetime) -> None:
    notice.ended_at, notice.outcome = now, outcome
    notice.save()


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
