"""Every place where a secret of a cluster could come to light, and how to look there: all of the leak checks."""

from tests.clusters import leak_checks_commands, leak_checks_errors, leak_checks_pages, leak_checks_stored
from tests.clusters.leak_checks_commands import logged_at_debug
from tests.clusters.leak_stage import LEAK_CHECKS, Stage, live_through, set_up

PLACES = (leak_checks_pages, leak_checks_stored, leak_checks_errors, leak_checks_commands)
# The last one, because what all the others did is in it.
LEAK_CHECKS["the log at DEBUG"] = LEAK_CHECKS.pop("the log at DEBUG")

__all__ = ["LEAK_CHECKS", "PLACES", "Stage", "live_through", "logged_at_debug", "set_up"]
