"""Signed previews: what a page showed, kept in its form until a person confirms it, for that person and a while.

So nothing is stored before somebody confirms, and nothing else can be confirmed than what was shown.
"""

from typing import Any

from django.core import signing
from django.http import HttpRequest

MAX_AGE = 15 * 60  # seconds in which a person decides


class SignatureExpired(Exception):
    """It is this person's, but older than `MAX_AGE`. `shown` is what it held."""

    def __init__(self, shown: dict[str, Any]) -> None:
        super().__init__()
        self.shown = shown


def dumps(purpose: str, request: HttpRequest, shown: dict[str, Any]) -> str:
    """`shown` is plain JSON."""
    return signing.dumps({"by": request.user.pk, "shown": shown}, salt=_salt(purpose), compress=True)


def loads(purpose: str, request: HttpRequest, token: str) -> dict[str, Any] | None:
    """None when it is too old, somebody else's, or made up."""
    try:
        return loads_recent(purpose, request, token)
    except SignatureExpired:
        return None


def loads_recent(purpose: str, request: HttpRequest, token: str) -> dict[str, Any] | None:
    """None when it is somebody else's or made up. Raises `SignatureExpired`."""
    try:
        found = signing.loads(token, salt=_salt(purpose))
    except signing.BadSignature:
        return None
    if found["by"] != request.user.pk:
        return None
    shown = dict(found["shown"])
    try:
        signing.loads(token, salt=_salt(purpose), max_age=MAX_AGE)
    except signing.SignatureExpired:
        raise SignatureExpired(shown) from None
    return shown


def _salt(purpose: str) -> str:
    return f"preview.{purpose}"
