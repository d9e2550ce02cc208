"""Keeps accounts up with a directory: who left, who is closed there, who came back, whose names or roles changed.

A plan that a person can review, or that the nightly job carries out. Nobody is deleted by it, no machine is freed or
reverted, and an answer that is not whole changes nothing.
"""

from accounts.sign_in.keeping_up.job import compare, compare_all, plan_from
from accounts.sign_in.keeping_up.planning import FEW, SyncPlan, SyncReason, SyncRow, compared

__all__ = ["FEW", "SyncPlan", "SyncReason", "SyncRow", "compare", "compare_all", "compared", "plan_from"]
