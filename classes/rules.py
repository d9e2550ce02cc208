"""Rules about machines that classes add to those of `vms.access.rules`."""

from django.utils.translation import gettext_noop

from vms.access import machine_rules, rules
from vms.access.context import ActionContext
from vms.sentences import say


def class_is_granted_the_pool(context: ActionContext, action: str) -> str | None:
    if context.pool_is_granted:
        return None
    return say("pool-not-granted")


def register() -> None:
    label = gettext_noop("The machine's pool is granted to its class")
    rules.register(class_is_granted_the_pool, after=machine_rules.person_is_granted_the_cluster, label=label)
