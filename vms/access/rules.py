"""The order of the rules, and the decision they make together: allowed, or the first refusal in words."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.models import User
from vms.access import machine_rules, rule_names
from vms.access.context import ActionContext, context_for
from vms.models import VirtualMachine

Rule = Callable[[ActionContext, str], str | None]


class Decision(NamedTuple):
    """The answer of one rule: its label, whether it allows the action, and the sentence for people if it does not."""

    rule: str
    is_allowed: bool
    text: str


RULES: list[Rule] = [
    machine_rules.person_may_operate,
    machine_rules.person_is_granted_the_cluster,
    machine_rules.cluster_is_active,
    machine_rules.cluster_answers,
    machine_rules.machine_is_there,
    machine_rules.node_answers,
    machine_rules.machine_is_no_template,
    machine_rules.kind_fits,
    machine_rules.ha_has_not_given_up,
    machine_rules.nothing_under_way,
    machine_rules.machine_is_not_locked,
    machine_rules.consoles_are_offered,
    machine_rules.status_fits,
    machine_rules.disks_can_be_saved,
    machine_rules.snapshot_may_be_changed,
]

# What these look at is a few seconds old, or the portal's own doing: at the click they spare people a failure. When
# an action is sent, the cluster's answer is better.
TRANSIENT: set[Rule] = {
    machine_rules.cluster_answers,
    machine_rules.node_answers,
    machine_rules.ha_has_not_given_up,
    machine_rules.nothing_under_way,
    machine_rules.machine_is_not_locked,
    machine_rules.status_fits,
    machine_rules.disks_can_be_saved,
}


def register(rule: Rule, *, after: Rule | None = None, label: str = "") -> Rule:
    """Add a rule after another one, or as the last. The label is a statement that holds when it allows the action."""
    if label:
        rule_names.LABELS[rule.__name__] = label
    RULES.insert(RULES.index(after) + 1 if after else len(RULES), rule)
    return rule


def decisions(context: ActionContext, action: str) -> list[Decision]:
    """The decision of each rule, in order."""
    texts = [(rule_names.label(rule), rule(context, action)) for rule in RULES]
    return [Decision(name, not text, text or "") for name, text in texts]


def explain(person: User, machine: VirtualMachine, action: str, *, snapshot: str = "") -> list[Decision]:
    """The decision of each rule, in order, when this person wants this done to this machine."""
    return decisions(context_for(machine, person=person, snapshot=snapshot), action)


def refusal(context: ActionContext, action: str) -> str | None:
    """The first refusal in a sentence for people, or None when the action may be requested."""
    return next((text for rule in RULES if (text := rule(context, action))), None)


def refusal_when_sent(context: ActionContext, action: str) -> str | None:
    """Like `refusal`, for a requested action that is about to be sent: without the `TRANSIENT` rules."""
    return next((text for rule in RULES if rule not in TRANSIENT and (text := rule(context, action))), None)
