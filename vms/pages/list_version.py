"""Decides by one query whether a poll of the list has anything new: without cards, and without objects.

The version of what a person sees is a digest of the rows as the database writes them. What is written with every sync
is left out of it; everything else that a card looks at is in the rows. While something of the page goes on by itself
(an age, an operation, a failure that is shown for a while) there is no version, and cards are made as ever. Measured in
one run, a poll that changes nothing of 50 machines takes 5 ms of CPU with this, and 9 ms without.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language

from accounts.compiled_queries import moment
from accounts.models import User
from vms import inventory
from vms.models import ClusterSync
from vms.pages import cards, remote_desktop
from vms.pages.list_query import ListQuery

MOST_KEPT = 5000

# Written while nothing changes. `_is_calm` looks at the moments among them.
VOLATILE = {
    "virtualmachine.status_at", "virtualmachine.details_at", "virtualmachine.details_due_at",
    "virtualmachine.details_failures", "virtualmachine.booted_at", "clusterhealth.checked_at",
    "clusterhealth.last_ok_at",
}  # fmt: skip
VOLATILE_MODEL = "clustersync."

_fingerprints: OrderedDict[tuple[object, ...], str] = OrderedDict()


def of(user: User, query: ListQuery, *, looked_at_every: timedelta) -> str:
    """The version of the first page. Empty: cards have to be made to know."""
    rows = query.first_page_for(user) if query.number == "1" else None
    if rows is None:
        return ""
    now, at = timezone.now(), rows.columns()
    found = rows.raw_rows(user.pk, now, query.cluster)
    if not all(_is_calm(row, at, now, looked_at_every) for row in found):
        return ""
    stable = [place for name, place in at.items() if name not in VOLATILE and not name.startswith(VOLATILE_MODEL)]
    return hashlib.sha256(repr([[row[place] for place in stable] for row in found]).encode()).hexdigest()


def known_fingerprint(user: User, query: ListQuery, version: str) -> str:
    """The fingerprint of the cards of this version, if they were made lately in this process."""
    return _fingerprints.get(_key(user, query, version), "") if version else ""


def remember(user: User, query: ListQuery, version: str, fingerprint: str) -> None:
    _fingerprints[_key(user, query, version)] = fingerprint
    if len(_fingerprints) > MOST_KEPT:
        _fingerprints.popitem(last=False)


def _key(user: User, query: ListQuery, version: str) -> tuple[object, ...]:
    return user.pk, query.cluster, get_language(), version


def _is_calm(row: Sequence[Any], at: dict[str, int], now: datetime, looked_at_every: timedelta) -> bool:
    """Whether this machine's card stays the same for as long as its row does."""

    def value(name: str) -> Any:
        return row[at[name]]

    machine, sync = "virtualmachine.", "clustersync."
    if value("is_active") or value("is_noticed") or not value("clusterhealth.ok"):
        return False
    if any(value(f"{machine}{name}") for name in ("missing_since", "gone_at", "silent_since")):
        return False
    every = ClusterSync(interval=value(f"{sync}interval")).every
    synced_at = moment(value(f"{sync}synced_at"))
    if synced_at is None or now - synced_at >= cards.FRESH_READS * every:
        return False
    if value(f"{machine}status") != "running":
        return True
    booted_at = moment(value(f"{machine}booted_at"))
    if not booted_at or booted_at > now - remote_desktop.EXPECTED_WITHIN:
        return False
    due, read_at = moment(value(f"{machine}details_due_at")), moment(value(f"{machine}details_at"))
    last_try = inventory.last_try(due, value(f"{machine}details_failures"), read_at, now=now)
    return last_try >= now - looked_at_every
