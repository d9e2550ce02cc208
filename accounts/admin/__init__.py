"""People in the admin, their groups and their failed logins."""

from accounts.admin.api_tokens import ApiTokenAdmin
from accounts.admin.attempts import FailedLoginAdmin
from accounts.admin.groups import PortalGroupAdmin
from accounts.admin.people import PersonAdmin

__all__ = ["ApiTokenAdmin", "FailedLoginAdmin", "PersonAdmin", "PortalGroupAdmin"]
