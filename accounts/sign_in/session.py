"""The session of somebody whom a source vouched for: it remembers which one."""

from django.contrib.auth import login
from django.http import HttpRequest

from accounts.models import SignInSource, User

BACKEND = "accounts.backends.OutsideBackend"
KEY = "sign_in_source"


def begin(request: HttpRequest, user: User, source: SignInSource) -> None:
    """Log this person in. The session gets a new key, and nothing of whoever used the browser before."""
    if request.user.is_authenticated and request.user.pk != user.pk:
        request.session.flush()
    login(request, user, backend=BACKEND)
    request.session[KEY] = source.pk


def source_of(request: HttpRequest) -> SignInSource | None:
    """The source that vouched for this session. None: the portal's own password."""
    key = request.session.get(KEY)
    return SignInSource.objects.filter(pk=key).first() if key else None
