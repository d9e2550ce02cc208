"""People, how they sign in from outside, what came from there, and their tokens of the API."""

from accounts.models.api import ApiToken, IdempotentCall
from accounts.models.sign_in import OutsideRole, SignInIdentity, SignInRule
from accounts.models.sources import Directory, Provider, SignInSource, TrustedHeader
from accounts.models.user import MAX_NAME, PORTAL_RIGHTS, User, rights_of_staff, validate_language, validate_time_zone

__all__ = [
    "MAX_NAME",
    "PORTAL_RIGHTS",
    "ApiToken",
    "Directory",
    "IdempotentCall",
    "OutsideRole",
    "Provider",
    "SignInIdentity",
    "SignInRule",
    "SignInSource",
    "TrustedHeader",
    "User",
    "rights_of_staff",
    "validate_language",
    "validate_time_zone",
]
