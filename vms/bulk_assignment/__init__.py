"""Assigns many machines to many people: first a plan that can be shown, then exactly that plan."""

from vms.bulk_assignment.applying import apply, write
from vms.bulk_assignment.lookup import Scope
from vms.bulk_assignment.planning import AssignmentPlan, AssignmentRow, plan
from vms.bulk_assignment.reasons import AssignmentReason
from vms.bulk_assignment.sources import Pattern, Share, Source, Table, source_from

__all__ = [
    "AssignmentPlan",
    "AssignmentReason",
    "AssignmentRow",
    "Pattern",
    "Scope",
    "Share",
    "Source",
    "Table",
    "apply",
    "plan",
    "source_from",
    "write",
]
