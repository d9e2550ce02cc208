"""Sessions in the database, and whoever is logged in with them in the same query.

Each process remembers which person a session belonged to, only to know whom to fetch along. Who somebody is, whether
he is still active and whether his password is the same is read anew for every request.
"""

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.sessions.backends import db
from django.db.models import Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

# So many sessions are remembered; then it begins anew.
REMEMBERED = 10_000

_owners: dict[bytes, int] = {}
_fetched: ContextVar[dict[int, Any] | None] = ContextVar("fetched_with_the_session", default=None)


def person_along(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Let what was fetched along be used within this request, and nowhere else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = _fetched.set({})
        try:
            return get_response(request)
        finally:
            _fetched.reset(token)

    return middleware


def take(user_id: int) -> Any:
    """The person, if the session's query brought him; once, because what follows may have changed him."""
    fetched = _fetched.get()
    return fetched.pop(user_id, None) if fetched else None


class SessionStore(db.SessionStore):
    def load(self) -> dict[str, Any]:
        fetched, owner = _fetched.get(), _owners.get(self._digest())
        if fetched is not None and owner is not None and (data := self._load_with(owner, fetched)):
            return data
        data = super().load()
        self._remember(data.get(SESSION_KEY))
        return data

    def save(self, must_create: bool = False) -> None:
        super().save(must_create=must_create)
        self._remember(self.get(SESSION_KEY))

    def _remember(self, owner: str | None) -> None:
        if owner:
            if len(_owners) >= REMEMBERED:
                _owners.clear()
            _owners[self._digest()] = int(owner)

    def _load_with(self, owner: int, fetched: dict[int, Any]) -> dict[str, Any]:
        """Nothing where the person or a session in force is not there: the way of two queries says what is wrong."""
        mine = self.model.objects.filter(session_key=self.session_key, expire_date__gt=timezone.now())
        people = get_user_model()._default_manager.filter(pk=owner)
        person = people.annotate(session_data=Subquery(mine.values("session_data"))).first()
        if person is None or not (encoded := person.__dict__.pop("session_data")):
            return {}
        fetched[owner] = person
        return self.decode(encoded)

    def _digest(self) -> bytes:
        return hashlib.sha256((self.session_key or "").encode()).digest()
