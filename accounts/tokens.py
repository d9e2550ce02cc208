"""Personal tokens: drawn, found again by a keyed hash, and what each may reach.

A token is 40 random letters and digits (238 bits) after a prefix by which people and scanners recognise it. Nobody can
guess it, so the hash need not be slow; it is keyed with the portal's own key, so that rows alone prove nothing. A new
SECRET_KEY ends all tokens.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Exists, Model, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.compiled_queries import CompiledByKey
from accounts.models import ApiToken, User

M = TypeVar("M", bound=Model)

PREFIX = "labp_"
LENGTH = 40
FORM = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{LENGTH}}}")

# Live tokens of one person.
MOST = 20


class TooMany(Exception):
    """The person has `MOST` live tokens."""


def create(owner: User, **fields: Any) -> tuple[ApiToken, str]:
    """A saved token, and its text, to be shown once. Raises `TooMany`."""
    if ApiToken.objects.live(timezone.now()).filter(owner=owner).count() >= MOST:
        raise TooMany
    text = PREFIX + get_random_string(LENGTH)
    token = ApiToken(owner=owner, digest=digest(text), ending=text[-4:], **fields)
    token.save(force_insert=True)
    return token, text


def find(text: str) -> ApiToken | None:
    """With its owner, in one query. Whether it is live, and its owner active, is for the caller to see."""
    if not FORM.fullmatch(text):
        return None
    return _by_digest.first(digest(text))


_by_digest: CompiledByKey[ApiToken] = CompiledByKey(
    lambda digest: ApiToken.objects.filter(digest=digest).select_related("owner")
)


def digest(text: str) -> str:
    return salted_hmac("accounts.api_tokens", text, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()


def note_use(token: ApiToken, now: datetime) -> None:
    """Asks the database for nothing when it was written less than a minute ago."""
    if token.last_used_at is None or token.last_used_at <= now - ApiToken.NOTED_EVERY:
        ApiToken.objects.all().note_use(token.pk, now)


# Scopes: what a token is about, besides everything of its owner's.

Narrowing = Callable[[int], Q | Exists]


@dataclass
class Scope:
    """A kind of thing to which a token can be bound. Registered by the apps that have these things.

    `choices` are the primary keys and names that a person may choose. `narrowings` say, for each model by its label,
    which rows belong to the chosen one; of a model without any, none does.
    """

    label: str | Promise
    choices: Callable[[User], Iterable[tuple[int, str]]]
    narrowings: dict[str, Narrowing] = field(default_factory=dict)


scopes: dict[str, Scope] = {}


def narrow(kind: str, **narrowings: Narrowing) -> None:
    """Add what a scope means for further models, as `app__model=…`."""
    scopes[kind].narrowings |= {label.replace("__", "."): q for label, q in narrowings.items()}


def narrowed(token: ApiToken, rows: QuerySet[M]) -> QuerySet[M]:
    """Those of the rows that the token is about."""
    if not token.scope:
        return rows
    scope = scopes.get(token.scope)
    narrowing = scope.narrowings.get(rows.model._meta.label_lower) if scope else None
    return rows.filter(narrowing(token.scope_pk or 0)) if narrowing else rows.none()


def scope_choices(user: User) -> list[tuple[str, Any]]:
    """For a form: `kind:pk` and a name, by kind."""
    found: list[tuple[str, Any]] = [("", _("Everything of mine"))]
    for kind, scope in scopes.items():
        things = [(f"{kind}:{pk}", name) for pk, name in scope.choices(user)]
        if things:
            found.append((str(scope.label), things))
    return found
