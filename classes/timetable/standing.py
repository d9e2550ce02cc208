"""Whether and why the portal will stop a machine, or has stopped it, in sentences for teachers and staff."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from classes.models import IdleEvidence, LabClass, StopNotice
from classes.timetable import decision, evidence, notices, stopping
from classes.timetable.decision import Activity, Decision, Facts, Reason, Users
from vms.models import VirtualMachine

MOST_STOPS = 20


def words_for(machine: VirtualMachine) -> str:
    """Of a running machine of a class: what the decision says about it now. Empty for others."""
    now = timezone.now()
    found = stopping.watch_these([machine.pk], now)
    if not found.rows or found.rows[0].status == "stopped":
        return ""
    row = found.rows[0]
    facts = stopping.facts_of(found, row)
    decided = decision.decide(facts)
    if decided.notice_for:
        values = evidence.kept(facts, found.evidence.get(row.pk))
        stop = _("It will be shut down at about %(at)s.") % {"at": _clock(decided.until or now)}
        return " ".join(filter(None, (stop, stopped_because(decided.notice_for, values))))
    return _stays(decided) or _not_idle(facts, found.evidence.get(row.pk))


def _stays(decided: Decision) -> str:
    until = {"until": _clock(decided.until)} if decided.until else {}
    match decided.reason:
        case Reason.UNKNOWN:
            return _("No: its state is unknown, or older than 3 minutes.")
        case Reason.LOCKED | Reason.BUSY:
            return _("No: it is locked, or an operation is in progress.")
        case Reason.DO_NOT_STOP:
            return _("No: “Do not stop” until %(until)s.") % until if until else _("No: it has the tag “do-not-stop”.")
        case Reason.LESSON:
            return _("No: a lesson is running until %(until)s.") % until
        case Reason.KEPT:
            return _("No: it is kept on until %(until)s.") % until
    return ""


def _not_idle(facts: Facts, found: IdleEvidence | None) -> str:
    """Nothing is a reason to stop it. Where idle machines are stopped, why this one is not."""
    if facts.rules.idle_after is None:
        return _("No: nothing is a reason to stop it now.")
    if found and found.trouble:
        return _("No: whether it is idle is not known: %(trouble)s.") % {"trouble": found.get_trouble_display()}
    if not facts.activity.console_known:
        return _("No: the portal does not know of all its consoles.")
    return _("No: it is in use, or has not been quiet for long enough. %(signs)s") % {"signs": _signs(facts.activity)}


def _signs(activity: Activity) -> str:
    signs = []
    if activity.input_at:
        signs.append(_("Last input at a console: %(at)s.") % {"at": _clock(activity.input_at)})
    if activity.quiet_since:
        signs.append(_("Little CPU and network since %(at)s.") % {"at": _clock(activity.quiet_since)})
    elif activity.measured_at:
        signs.append(_("It used CPU or network at %(at)s.") % {"at": _clock(activity.measured_at)})
    if activity.users == Users.LISTED:
        signs.append(_("Somebody is logged in on it."))
    return " ".join(signs)


def _clock(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "Y-m-d H:i") if at else ""


def stopped_because(reason: str, values: Mapping[str, object]) -> str:
    """What a stop or a notice is for, with its evidence."""
    because = {
        Reason.LESSON_OVER: _("The lesson is over."),
        Reason.IDLE: _("Nobody seems to use it."),
        Reason.HOURS: _("The hours are used up."),
    }[Reason(reason)]
    return " ".join(filter(None, (because, evidence.words(reason, dict(values)))))


def on_tiles(lab_class: LabClass) -> dict[int, str]:
    """Of the machines of a class that have a notice, by primary key: when they are shut down and why. One query."""
    found = StopNotice.objects.filter(lab_class=lab_class, ended_at=None, operation=None)
    text = _("Shuts down at %(at)s.")
    return {
        one.vm_id: f"{text % {'at': _hour(notices.stops_at(one))}} {stopped_because(one.reason, {})}" for one in found
    }


def _hour(at: datetime) -> str:
    return date_format(timezone.localtime(at), "H:i")


def reasons(operations: list[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Why the timetable asked for these operations, of those that are stops. One query."""
    found = StopNotice.objects.filter(operation__in=operations)
    return {one.operation_id: stopped_because(one.reason, one.evidence) for one in found if one.operation_id}


def recent(lab_class: LabClass) -> list[tuple[StopNotice, str]]:
    """The last notices of a class, open ones first, each with its reason in words."""
    found = StopNotice.objects.filter(lab_class=lab_class).select_related("vm")
    newest = sorted(found.order_by("-given_at", "-pk")[:MOST_STOPS], key=lambda one: one.ended_at is not None)
    return [(one, stopped_because(one.reason, one.evidence)) for one in newest]
