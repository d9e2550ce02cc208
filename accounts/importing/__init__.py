"""Imports people from a table: first a plan that can be shown, then exactly that plan."""

from accounts.importing.applying import Created, apply
from accounts.importing.planning import MOST_PASSWORDS, AccountPlan, AccountReason, AccountRow, Options, plan

__all__ = [
    "MOST_PASSWORDS",
    "AccountPlan",
    "AccountReason",
    "AccountRow",
    "Created",
    "Options",
    "apply",
    "plan",
]
