"""What classes add to the rules about machines (`vms.access.rules`)."""

from django.utils.translation import gettext as _

from vms.access import machine_rules, rules
from vms.access.context import ActionContext


def class_is_granted_the_pool(context: ActionContext, action: str) -> str | None:
    if context.pool_is_granted:
        return None
    return _("The class that has this machine may not use its pool any more. An administrator can grant it again.")


def register() -> None:
    rules.register(class_is_granted_the_pool, after=machine_rules.person_is_granted_the_cluster)
