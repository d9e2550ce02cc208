"""What a preview showed, kept by the page itself: signed, for whom it was shown, and good for a while.

So nothing is stored before somebody confirms, and nothing else can be confirmed than what was shown.
"""

from typing import Any

from django.core import signing
from django.http import HttpRequest

KEPT = 15 * 60  # seconds in which a person decides


def seal(purpose: str, request: HttpRequest, shown: dict[str, Any]) -> str:
    """`shown` is plain JSON."""
    return signing.dumps({"by": request.user.pk, "shown": shown}, salt=f"preview.{purpose}", compress=True)


def unseal(purpose: str, request: HttpRequest, token: str) -> dict[str, Any] | None:
    """None when it is too old, somebody else's, or made up."""
    try:
        found = signing.loads(token, salt=f"preview.{purpose}", max_age=KEPT)
    except signing.BadSignature:
        return None
    return dict(found["shown"]) if found["by"] == request.user.pk else None
