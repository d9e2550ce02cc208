"""Rules about machines that classes add to those of `vms.access.rules`."""

from vms.access import machine_rules, rules
from vms.access.context import ActionContext
from vms.sentences import say


def class_is_granted_the_pool(context: ActionContext, action: str) -> str | None:
    if context.pool_is_granted:
        return None
    return say("pool-not-granted")


def register() -> None:
    rules.register(class_is_granted_the_pool, after=machine_rules.person_is_granted_the_cluster)
