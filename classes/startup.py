"""Runs once, when Django has loaded all models: what classes add to machines, and what the audit log keeps."""

from datetime import timedelta

from auditlog.registry import auditlog
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy

from accounts import tokens
from accounts.sign_in import hooks
from classes import cluster_usage, lifecycle, rules
from classes.enrolment import made_machines, releasing, sign_in_rules
from classes.models import (
    CalendarFeed,
    ClassSignInRule,
    Holiday,
    Invite,
    JoinTries,
    LabClass,
    Lesson,
    LessonException,
    Membership,
    RunningRules,
)
from classes.pages import live_link, stops
from classes.timetable import gathering, hours, measuring, notices, occurrences, standing, starting, stopping
from classes.timetable.bell import LOOK_EVERY
from vms import preparation
from vms.models import VirtualMachine
from vms.pages import console_banners, explain, group_links, machine_sections, operation_reasons
from vms.provisioning import handing_over, permission, replacing
from vms.worker import schedule

cluster_usage.register()
rules.register()
schedule.register(
    schedule.PeriodicJob("give free machines to who waits", timedelta(seconds=15), lifecycle.reconcile, acts=True)
)
schedule.register(
    schedule.PeriodicJob("close classes that are over", timedelta(minutes=1), lifecycle.close_past_classes, acts=True)
)
schedule.register(
    schedule.PeriodicJob(
        "make machines for who joins", timedelta(seconds=30), made_machines.make_for_those_who_joined, acts=True
    )
)
schedule.register(schedule.PeriodicJob("forget tries to join", timedelta(hours=1), JoinTries.prune))
schedule.register(schedule.PeriodicJob("check timetables", timedelta(days=1), occurrences.rebuild_all))
schedule.register(schedule.PeriodicJob("start machines before lessons", LOOK_EVERY, starting.start_due, acts=True))
schedule.register(schedule.PeriodicJob("stop machines after lessons", stopping.LOOK_EVERY, stopping.look, acts=True))
schedule.register(
    schedule.PeriodicJob("look for idle machines", gathering.LOOK_EVERY, gathering.enqueue_due, acts=True)
)
schedule.register(schedule.PeriodicJob("count hours of use", timedelta(minutes=1), hours.count_minute))
schedule.register(schedule.PeriodicJob("forget old stop notices", timedelta(days=1), notices.forget_old))
console_banners.register(stops.console_banner)
machine_sections.register(stops.machine_section)
operation_reasons.register(standing.reasons)
explain.STANDINGS.append(standing.words_for)
schedule.register(schedule.PeriodicJob("measure starts of machines", timedelta(seconds=15), measuring.measure_starts))
auditlog.register(
    LabClass,
    include_fields=[
        "name", "owner", "starts_on", "ends_on", "ended_at", "baseline", "freed_machines",
        "joining_template", "joining_limit", "joining_networks",
    ],
    m2m_fields={"co_owners"},
)  # fmt: skip
auditlog.register(Membership, include_fields=["lab_class", "user", "joined_at", "left_at"])
auditlog.register(RunningRules)
auditlog.register(Invite, include_fields=["lab_class", "expires_at", "max_uses", "revoked_at"])
auditlog.register(ClassSignInRule, include_fields=["source", "value", "lab_class"])
LESSON_FIELDS = [
    "lab_class", "weekdays", "every_weeks", "first_day", "last_day", "begins", "ends", "mode", "also_on_holidays",
    "note",
]  # fmt: skip
auditlog.register(Lesson, include_fields=LESSON_FIELDS)
auditlog.register(LessonException, include_fields=["lesson", "day", "new_day", "begins", "ends", "mode", "note"])
auditlog.register(Holiday, include_fields=["name", "first_day", "last_day"])
auditlog.register(CalendarFeed, include_fields=["user", "created_at"])
group_links.register(live_link.live_url)
preparation.register(releasing.release_settings)
preparation.release_listeners.append(lifecycle.on_released)
handing_over.receivers.append(made_machines.receive)
permission.closed.append(made_machines.is_group_closed)
replacing.listeners.append(made_machines.replace)
handing_over.movers.append(made_machines.move)
handing_over.leavers.append(made_machines.leave)


# Tokens of the API for one class.
tokens.scopes["class"] = tokens.Scope(
    gettext_lazy("One class"),
    lambda user: LabClass.objects.taught_by(user).filter(ended_at=None).order_by("name").values_list("pk", "name"),
)
tokens.narrow(
    "class",
    classes__labclass=lambda pk: Q(pk=pk),
    vms__machineset=lambda pk: Q(lab_class=pk),
    vms__virtualmachine=lambda pk: Q(sets__lab_class=pk),
    vms__operation=lambda pk: Q(vm__sets__lab_class=pk),
    vms__batch=lambda pk: Q(machine_set__lab_class=pk),
    vms__provisioningrun=lambda pk: Q(machine_set__lab_class=pk),
    clusters__cluster=lambda pk: Exists(
        VirtualMachine.objects.filter(sets__lab_class=pk, cluster=OuterRef("cluster_id"))
    ),
)

hooks.appliers.append(sign_in_rules.apply)
hooks.foreseers.append(sign_in_rules.foresee)
