"""Who calls the API: by a personal token in a header, and in no other way."""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from accounts import tokens
from accounts.api import rate
from accounts.api.problems import Problem, unauthenticated
from accounts.lockout import client_address
from accounts.models import ApiToken, User
from accounts.sign_in.standing import is_shut_out


class ApiRequest(HttpRequest):
    """The request of a call: by the token, `auth`, in the name of its owner, `user`."""

    user: User
    auth: ApiToken
    allowance: rate.Allowance
    not_repeated: frozenset[str]
    found_beforehand: Callable[[], Any]


class Token(HttpBearer):
    """Finds the token, and refuses it when it has none of these rights. A right never implies another one."""

    def __init__(self, *rights: str) -> None:
        super().__init__()
        self.rights = rights

    def __call__(self, request: HttpRequest) -> ApiToken:
        found: ApiToken | None = super().__call__(request)
        if found is None:
            raise unauthenticated(_("Send a token: Authorization: Bearer labp_…"))
        return found

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        now = timezone.now()
        found = tokens.find(token.strip())
        if found is None or not found.is_live(now) or not found.owner.is_active:
            raise unauthenticated(_("This token is unknown, has expired or was revoked."))
        if is_shut_out(found.owner):
            raise unauthenticated(_("This token is unknown, has expired or was revoked."))
        if not found.is_allowed_from(client_address(request)):
            raise Problem(403, _("This token may not be used from your address."))
        if found.owner.must_change_password:
            raise Problem(403, _("Change your password in the portal first."))
        call = cast("ApiRequest", request)
        call.allowance = rate.spend(found.pk)
        if call.allowance.remaining < 0:
            raise Problem(429, _("Too many calls. Wait a moment."))
        tokens.note_use(found, now)
        call.user = _person(found)
        call.auth = found
        if self.rights and not any(has(found, right) for right in self.rights):
            require(call, self.rights[0])
        return found


def _person(token: ApiToken) -> User:
    """The owner as the token may show them: as staff only if it says so, and the portal allows it."""
    if token.as_staff and settings.API_STAFF_TOKENS:
        return token.owner
    return token.owner.without_staff_rights()


def has(token: ApiToken, right: str) -> bool:
    """`read`, `write` or `destroy`."""
    return bool(getattr(token, f"may_{right}"))


def require(request: ApiRequest, right: str) -> None:
    """For calls whose body tells which right they need. Raises `Problem`."""
    if not has(request.auth, right):
        raise Problem(403, _("This token does not have the right “%(right)s”.") % {"right": right})


READ, WRITE, DESTROY = Token("read"), Token("write"), Token("destroy")
# Calls that write or destroy, as their body says: they call `require`.
CHANGE = Token("write", "destroy")
