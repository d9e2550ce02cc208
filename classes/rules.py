"""Rules about machines that classes add to those of `vms.access.rules`."""

from django.utils.translation import gettext_noop

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledByKey
from classes.models import LabClass
from classes.timetable import hours, stopping
from vms.access import machine_rules, rules
from vms.access.context import ActionContext
from vms.models import Operation
from vms.sentences import say

STOPS = {Operation.Action.SHUTDOWN, Operation.Action.STOP}


def class_is_granted_the_pool(context: ActionContext, action: str) -> str | None:
    if context.pool_is_granted:
        return None
    return say("pool-not-granted")


_CLASS_OF = CompiledByKey(lambda pk: LabClass.objects.filter(class_machines__vm=pk)[:1], key=SENTINEL_NUMBER)


def hours_are_left(context: ActionContext, action: str) -> str | None:
    """Teachers start machines whenever they want. Without a person, nobody's hours are asked for."""
    person = context.person
    if action != Operation.Action.START or person is None or context.manages:
        return None
    lab_class = _CLASS_OF.first(context.machine.pk)
    if lab_class is None or hours.may_start(lab_class, person.pk):
        return None
    return say("hours-used-up")


def stop_is_still_due(context: ActionContext, action: str) -> str | None:
    """Of stops that the timetable asked for, when they are sent."""
    operation = context.open_operation
    if operation is None or operation.origin != Operation.Origin.TIMETABLE or action not in STOPS:
        return None
    return None if operation.action != action or stopping.is_still_due(operation) else say("stop-not-due")


def register() -> None:
    label = gettext_noop("The machine's pool is granted to its class")
    rules.register(class_is_granted_the_pool, after=machine_rules.person_is_granted_the_cluster, label=label)
    rules.register(stop_is_still_due, label=gettext_noop("The notice of a stop holds until the stop"))
    rules.register(hours_are_left, label=gettext_noop("Hours of own use are left, or a lesson is running"))
