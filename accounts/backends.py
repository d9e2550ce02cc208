"""Sessions of people whom a source vouched for."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from accounts.models import User
from accounts.sign_in.standing import open_identities


class OutsideBackend(BaseBackend):
    """Keeps a session for as long as the account is active here, and open at a source that is active.

    It takes no passwords: `accounts.sign_in.session.begin` starts its sessions. Rights come from Django's own backend.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        return None

    def get_user(self, user_id: int) -> User | None:
        """In one query, like Django's own."""
        there = open_identities().filter(user=OuterRef("pk"))
        return User.objects.filter(Exists(there), pk=user_id, is_active=True).first()
