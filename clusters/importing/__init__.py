"""Imports a clusters.json into the database: first a plan that can be shown, then exactly that plan.

Existing and deleted clusters are left alone unless an option says otherwise. All or nothing, unless one does.
"""

from clusters.importing.applying import find_file, import_content, import_file
from clusters.importing.changes import PLAIN
from clusters.importing.planning import ClusterPlan, ClusterReason, ClusterRow, Options, plan, table

__all__ = [
    "PLAIN",
    "ClusterPlan",
    "ClusterReason",
    "ClusterRow",
    "Options",
    "find_file",
    "import_content",
    "import_file",
    "plan",
    "table",
]
