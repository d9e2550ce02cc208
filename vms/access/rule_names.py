"""Each rule in words, as the page *Why can't I?* names it: a statement that holds when the rule allows the action."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_noop

# By the name of the rule's function. Other apps add those of their rules.
LABELS = {
    "person_may_operate": gettext_noop("The person may use this machine"),
    "person_is_granted_the_cluster": gettext_noop("The cluster is open to the person, or granted"),
    "cluster_is_active": gettext_noop("The cluster is active"),
    "cluster_answers": gettext_noop("The cluster responds and accepts the portal"),
    "machine_is_there": gettext_noop("The machine is on its cluster"),
    "node_answers": gettext_noop("The machine's node responds"),
    "machine_is_no_template": gettext_noop("The machine is not a template"),
    "kind_fits": gettext_noop("Machines of this kind can do it"),
    "ha_has_not_given_up": gettext_noop("High availability has not given up"),
    "nothing_under_way": gettext_noop("No other action is in progress"),
    "machine_is_not_locked": gettext_noop("Nothing on the cluster locks the machine"),
    "consoles_are_offered": gettext_noop("This portal offers consoles"),
    "status_fits": gettext_noop("It makes sense in the machine's state"),
    "disks_can_be_saved": gettext_noop("The machine's disks can have snapshots"),
    "snapshot_may_be_changed": gettext_noop("The person may change this snapshot"),
}


def label(rule: Callable[..., Any]) -> str:
    """In English; a page translates it."""
    return LABELS.get(rule.__name__, rule.__name__.replace("_", " "))
