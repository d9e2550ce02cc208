"""Who left the school: people of whom no source knows any more, or lets in."""

from datetime import datetime
from typing import Any

from accounts.models import SignInIdentity


def left_at(people: Any) -> dict[int, datetime]:
    """Of these people (keys, or a query of them) those who left all their sources, and when. In one query."""
    left: dict[int, datetime] = {}
    stays: set[int] = set()
    for user, moment in SignInIdentity.objects.filter(user__in=people).values_list("user_id", "left_at"):
        if moment is None:
            stays.add(user)
        else:
            left[user] = max(moment, left.get(user, moment))
    return {user: moment for user, moment in left.items() if user not in stays}
