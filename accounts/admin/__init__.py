"""People in the admin."""

from accounts.admin.people import PersonAdmin

__all__ = ["PersonAdmin"]
