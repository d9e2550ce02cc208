"""Close codes: why a console was refused or ended, as a code for the page and a reason in words."""

from accounts.stored_messages import english
from vms.access import machine_rules, rules
from vms.access.context import ActionContext
from vms.models import Operation
from vms.sentences import say

LOGIN, DENIED, NOT_THERE = 4401, 4403, 4404
UNREACHABLE, OFF, WITHDRAWN, CLOSED, CLUSTER_OFF, REPLACED, LIMIT = 4408, 4409, 4410, 4411, 4412, 4413, 4429
NORMAL, BAD_MESSAGE = 1000, 1007

CODES = {"off": OFF, "busy": OFF, "limit": LIMIT, "denied": DENIED, "unreachable": UNREACHABLE, "full": LIMIT}
STATUSES = {"off": 409, "busy": 409, "limit": 429, "denied": 403, "unreachable": 503, "full": 503}

# What a refusal by a rule means for a console. By any other rule: the machine is busy.
_BY_RULE: dict[rules.Rule, str] = {
    machine_rules.person_may_operate: "denied",
    machine_rules.cluster_is_active: "unreachable",
    machine_rules.cluster_answers: "unreachable",
    machine_rules.node_answers: "unreachable",
    machine_rules.consoles_are_offered: "denied",
}


class Ended(Exception):
    """The console is over, or never began. `reason` is English, without secrets, of 120 bytes at most."""

    def __init__(self, code: int, reason: str, *, outcome: str = "") -> None:
        super().__init__(reason)
        self.code, self.why, self.reason = code, reason, english(reason)
        self.outcome = outcome or say("console-ended", reason=reason)


def refusal(context: ActionContext) -> tuple[str, str] | None:
    """The refusal of this console to this person: a state of `CODES`, and a sentence."""
    for rule in rules.RULES:
        if text := rule(context, Operation.Action.CONSOLE):
            return _BY_RULE.get(rule) or _by_status(context, rule), text
    return None


def _by_status(context: ActionContext, rule: rules.Rule) -> str:
    return "off" if rule is machine_rules.status_fits and context.machine.status == "stopped" else "busy"
