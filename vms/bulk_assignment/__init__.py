"""Give many machines to many people: first a plan that can be shown, then exactly that plan."""

from vms.bulk_assignment.apply import Overtaken, PlanChanged, apply
from vms.bulk_assignment.lookup import Scope
from vms.bulk_assignment.plan import Plan, Row, Verdict, plan
from vms.bulk_assignment.sources import Pattern, Share, Source, Table, source_from

__all__ = [
    "Overtaken",
    "Pattern",
    "Plan",
    "PlanChanged",
    "Row",
    "Scope",
    "Share",
    "Source",
    "Table",
    "Verdict",
    "apply",
    "plan",
    "source_from",
]
