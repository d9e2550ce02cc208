"""People in the admin, their groups and their failed logins."""

from accounts.admin.attempts import FailedLoginAdmin
from accounts.admin.groups import PortalGroupAdmin
from accounts.admin.people import PersonAdmin

__all__ = ["FailedLoginAdmin", "PersonAdmin", "PortalGroupAdmin"]
