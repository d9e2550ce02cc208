"""Privileges of the portal's accounts: what a cluster grants, what is missing, and the commands that grant that."""

from clusters.privileges.commands import setup_commands
from clusters.privileges.features import MAJORS, Who, features
from clusters.privileges.report import FeatureResult, Report, check, major_of

__all__ = ["MAJORS", "FeatureResult", "Report", "Who", "check", "features", "major_of", "setup_commands"]
