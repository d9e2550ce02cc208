"""Whether somebody whom only sources vouch for may still be here."""

from django.db.models import QuerySet

from accounts.models import SignInIdentity, User
from accounts.sign_in.facts import Closed


def open_identities() -> "QuerySet[SignInIdentity]":
    """Of people who have not left, at active sources. Wrong passwords, which others may enter, close nothing."""
    there = SignInIdentity.objects.filter(source__is_active=True, left_at=None)
    return there.exclude(closed_reason__in=[Closed.DISABLED, Closed.EXPIRED])


def is_shut_out(user: User) -> bool:
    """Whether nothing lets this person in any more: neither a password here, which asks nothing, nor a source."""
    return not user.has_usable_password() and not open_identities().filter(user=user).exists()
