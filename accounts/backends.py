"""Sessions of people whom a source vouched for."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from accounts.models import SignInIdentity, User
from accounts.sign_in.facts import Closed


class OutsideBackend(BaseBackend):
    """Keeps a session for as long as the account is active here, and open at a source that is active.

    It takes no passwords: `accounts.sign_in.session.begin` starts its sessions. Rights come from Django's own backend.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        return None

    def get_user(self, user_id: int) -> User | None:
        """In one query, like Django's own. Wrong passwords, which somebody else may enter, end no session."""
        there = SignInIdentity.objects.filter(user=OuterRef("pk"), source__is_active=True, left_at=None)
        there = there.exclude(closed_reason__in=[Closed.DISABLED, Closed.EXPIRED])
        return User.objects.filter(Exists(there), pk=user_id, is_active=True).first()
