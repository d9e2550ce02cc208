"""Signs people in with the name and the password of a directory, after the portal's own accounts were tried.

A local account never asks a directory: it works when no directory does, and its wrong passwords stay here. The packages
of `requirements-ldap.txt` are imported when the first directory is asked.
"""

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.hashers import make_password
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts.backends import OutsideBackend
from accounts.compiled_queries import CompiledList
from accounts.models import MAX_NAME, SignInIdentity, User
from accounts.models.sources import Directory
from accounts.sentences import say
from accounts.sign_in import health, session
from accounts.sign_in.entering import Refused, enter
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.outages import SourceDown

_ACTIVE: "CompiledList[Directory]" = CompiledList(lambda: Directory.objects.filter(is_active=True))


def active(request: HttpRequest | None) -> list[Directory]:
    """Read once a request. None of them is asked anything by it."""
    known = getattr(request, "_directories", None)
    if known is None:
        known = _ACTIVE.all()
        if request is not None:
            request._directories = known  # type: ignore[attr-defined]
    return known


def local_account(request: HttpRequest | None, username: str) -> User | None:
    """The account of this name, if a password is kept for it here. Read once a request, too."""
    known: tuple[str, User | None] | None = getattr(request, "_local_account", None)
    if known is None or known[0] != username:
        known = username, _with_password(username)
        if request is not None:
            request._local_account = known  # type: ignore[attr-defined]
    return known[1]


def _with_password(username: str) -> User | None:
    try:
        person = User.objects.get_by_natural_key(username)
    except User.DoesNotExist:
        return None
    return person if person.has_usable_password() else None


class DirectoryBackend(OutsideBackend):
    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Raises `SourceDown` and `Refused`: neither is a wrong password, and neither is counted as one."""
        directories = active(request) if username and password else []
        if not directories or not username or not password or len(username) > MAX_NAME or "\0" in username:
            return None
        local = local_account(request, username)
        if local and not _is_somebodys_name_there(local, username):
            return None
        try:
            found = _first_who_knows(directories, username, password)
        except SourceDown as error:
            if local or error.was_tried:  # a password was wrong here, or in a directory that answers: a guess counts
                user_login_failed.send(__name__, credentials={"username": username}, request=request)
            raise
        if found is None:
            if not local:
                make_password(password)  # takes as long as a wrong password of a local account does
            return None
        source, person = found
        user = enter(source, person, now=timezone.now())
        user.sign_in_source = source  # type: ignore[attr-defined]
        if request is None or AxesProxyHandler.is_allowed(request, {"username": username}):
            return user
        return None


def _is_somebodys_name_there(local: User, username: str) -> bool:
    """A joined account, or one that has the same name by chance as somebody else's in a directory."""
    known = SignInIdentity.objects.filter(source__in=Directory.objects.filter(is_active=True))
    return known.filter(user=local).exists() or known.filter(name_there__iexact=username).exists()


def _first_who_knows(
    directories: list[Directory], username: str, password: str
) -> tuple[Directory, OutsidePerson] | None:
    """Of several directories each is asked, by position. One that fails is an outage only where no other knows them."""
    down: SourceDown | None = None
    closed: tuple[Directory, OutsidePerson] | None = None
    was_tried = False
    for directory in directories:
        try:
            person, is_known = _asked(directory, username, password)
        except SourceDown as error:
            down = down or error
            continue
        was_tried = was_tried or is_known
        if person and not person.closed:
            return directory, person
        closed = closed or ((directory, person) if person else None)
    if closed is None and down:
        down.was_tried = was_tried
        raise down
    return closed


def ask(directory: Directory, username: str, password: str) -> OutsidePerson | None:
    """Raises `SourceDown`, and `Refused` where several people have the name."""
    return _asked(directory, username, password)[0]


def _asked(directory: Directory, username: str, password: str) -> tuple[OutsidePerson | None, bool]:
    """With whether somebody there has the name, so that the password was tried."""
    try:
        found = _ask(directory, username, password)
    except SourceDown as error:
        if error.is_news:
            health.note(directory, error.message, now=timezone.now())
        raise
    health.note(directory, None, now=timezone.now())
    return found


def _ask(directory: Directory, username: str, password: str) -> tuple[OutsidePerson | None, bool]:
    if not health.packages_are_installed():
        raise SourceDown(directory, say("sign-in-packages-needed"))
    from accounts.sign_in.ldap.backend import LDAPDirectory  # noqa: PLC0415 - an extra
    from accounts.sign_in.ldap.people import Ambiguous  # noqa: PLC0415 - the same

    there = LDAPDirectory(directory)
    try:
        return there.person(username, password), there.was_tried
    except Ambiguous:
        raise Refused("ambiguous") from None


@receiver(user_logged_in)
def _remember_source(request: HttpRequest, user: User, **kwargs: Any) -> None:
    if source := getattr(user, "sign_in_source", None):
        request.session[session.KEY] = source.pk
