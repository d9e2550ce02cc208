"""People in the admin, their groups and their failed logins."""

from accounts.admin.api_tokens import ApiTokenAdmin
from accounts.admin.attempts import FailedLoginAdmin
from accounts.admin.groups import PortalGroupAdmin
from accounts.admin.people import PersonAdmin
from accounts.admin.sign_in import DirectoryAdmin, ProviderAdmin, TrustedHeaderAdmin

__all__ = [
    "ApiTokenAdmin",
    "DirectoryAdmin",
    "FailedLoginAdmin",
    "PersonAdmin",
    "PortalGroupAdmin",
    "ProviderAdmin",
    "TrustedHeaderAdmin",
]
