"""Evidence of use and of idleness: what was gathered, as facts of the decision, as it is kept, and in words."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classes.models import IdleEvidence
from classes.timetable import idleness
from classes.timetable.decision import Activity, Facts, Reason, Users
from classes.timetable.machines import Row
from vms.console.input_times import WRITTEN_EVERY
from vms.models import Automation, Operation
from vms.models.operations import ended
from vms.sentences import say

# How long an answer of a guest agent holds. Then it is asked again, if everything else says that the machine is idle.
HOLDS = {
    Users.NOBODY_LISTED: timedelta(minutes=2),
    Users.LISTED: timedelta(minutes=10),
    Users.NO_ANSWER: timedelta(minutes=30),
}


def activity(row: Row, found: IdleEvidence | None, *, console_known: bool, now: datetime) -> Activity:
    """`console_known`: the portal has seen the input of all consoles of the machine for the whole span."""
    input_at = row.input_at + WRITTEN_EVERY if row.input_at else None
    if found is None:
        return Activity(input_at=input_at, console_known=console_known)
    return Activity(
        quiet_since=found.quiet_since,
        measured_at=found.measured_at,
        input_at=input_at,
        console_known=console_known,
        users=_users(found, now),
    )


def _users(found: IdleEvidence, now: datetime) -> Users:
    said = Users(found.users)
    if said == Users.NOT_ASKED or found.users_at is None:
        return Users.NOT_ASKED
    return said if found.users_at <= now < found.users_at + HOLDS[said] else Users.NOT_ASKED


def confirmed_at() -> datetime | None:
    """When the portal was confirmed after a restore or the like. Input from before may be missing in its database."""
    known = Automation.current()
    return known.confirmed_at if known else None


def with_spice(machines: Collection[int]) -> set[int]:
    """Machines for which somebody downloaded a SPICE file since their start: they may still be connected."""
    if not settings.SPICE_FILES or not machines:
        return set()
    files = Operation.objects.filter(
        vm__in=machines, action=Operation.Action.CONSOLE, outcome=ended(say("spice-file"))["outcome"]
    )
    return set(files.filter(requested_at__gte=F("vm__booted_at")).order_by().values_list("vm", flat=True))


# Kept with the stop


def kept(facts: Facts, found: IdleEvidence | None) -> dict[str, Any]:
    """What a notice or stop is decided by, as plain JSON, with times in UTC."""
    over = [lesson.ends for lesson in facts.lessons if lesson.ends <= facts.now]
    notice = facts.notice
    values: dict[str, Any] = {
        "status_seen_at": _text(facts.seen_at),
        "running_since": _text(facts.running_since),
        "lesson_ended_at": _text(max(over)) if over else "",
        "hours_left_minutes": facts.hours_left // timedelta(minutes=1) if facts.hours_left is not None else None,
        "notice_shown_seconds": notice.shown.total_seconds() if notice else 0,
    }
    if facts.rules.idle_after is not None and found is not None:
        values["idle"] = _idle(facts, found)
    return values


def _idle(facts: Facts, found: IdleEvidence) -> dict[str, Any]:
    limits = idleness.Limits.of_portal()
    return {
        "minutes": (facts.rules.idle_after or timedelta()) // timedelta(minutes=1),
        "quiet_since": _text(found.quiet_since),
        "measured_at": _text(found.measured_at),
        "cpu": round(found.cpu, 4),
        "cpu_limit": limits.cpu,
        "network": round(found.network),
        "network_limit": limits.network,
        "input_at": _text(facts.activity.input_at),
        "users": found.users,
        "users_at": _text(found.users_at),
    }


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


# In words


def words(reason: str, values: dict[str, Any]) -> str:
    """What an idle stop is for, like “No input since 9:12, CPU under 3 %, … for 30 minutes.” Empty for other stops."""
    idle = values.get("idle")
    if reason != Reason.IDLE or not isinstance(idle, dict):
        return ""
    measured, since = _time(idle["measured_at"]), _time(idle["quiet_since"])
    if measured is None or since is None:
        return ""
    minutes = int((measured - since) / timedelta(minutes=1))
    use = ngettext(
        "%(input)s, CPU under %(cpu)d %% and network under %(network)s kB/s for %(n)d minute.",
        "%(input)s, CPU under %(cpu)d %% and network under %(network)s kB/s for %(n)d minutes.",
        minutes,
    ) % {
        "input": _input(idle),
        "cpu": round(idle["cpu_limit"] * 100),
        "network": number_format(idle["network_limit"] / 1000, decimal_pos=1 if idle["network_limit"] % 1000 else 0),
        "n": minutes,
    }  # fmt: skip
    measured_at = _("Measured until %(at)s.") % {"at": _clock(measured)}
    return " ".join(filter(None, (use, measured_at, _asked(idle))))


def _input(idle: dict[str, Any]) -> str:
    at = _time(idle["input_at"])
    return _("No input since %(at)s") % {"at": _clock(at)} if at else _("No input")


def _asked(idle: dict[str, Any]) -> str:
    at = _time(idle["users_at"])
    if idle["users"] != Users.NOBODY_LISTED or at is None:
        return ""
    return _("The guest agent listed nobody at %(at)s.") % {"at": _clock(at)}


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _clock(at: datetime) -> str:
    """Days ago, with the day."""
    local = timezone.localtime(at)
    return date_format(local, "H:i" if local.date() == timezone.localdate() else "Y-m-d H:i")
