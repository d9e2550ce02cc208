"""A plan that can be shown, then exactly that plan: for everything that changes many rows at once.

A plan is made from what somebody entered and from the database; it writes nothing. It has a row for everything that was
entered, and each row has an outcome with its reason. Its page shows it and keeps it in a signed form. Carrying it out
makes it again in the transaction that writes: when it comes out differently, nothing is written and the person sees the
new plan, with the rows marked that changed.
"""

from accounts.plans.outcome import Note, Outcome, Reason
from accounts.plans.page import PlanPage
from accounts.plans.plan import Plan, PlanChanged, PlanRow, carry_out

__all__ = ["Note", "Outcome", "Plan", "PlanChanged", "PlanPage", "PlanRow", "Reason", "carry_out"]
