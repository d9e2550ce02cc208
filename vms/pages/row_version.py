"""Decides by the rows alone whether a poll has anything new: without cards, and without objects.

The version of what a person sees is a digest of the rows as the database writes them. What is written with every sync
is left out of it; everything else that a card looks at is in the rows. While something of the page goes on by itself
(an age, an operation, a failure that is shown for a while) there is no version, and cards are made as ever. Measured in
one run (`bin/bench beside`), a poll that changes nothing of 50 machines takes a third of the CPU that it took before.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.translation import get_language

from accounts.compiled_queries import CompiledRows, moment
from vms import inventory
from vms.models import ClusterSync, VirtualMachine
from vms.pages import cards, remote_desktop

MOST_KEPT = 5000

# Written while nothing changes. `_is_calm` looks at the moments among them.
VOLATILE = {
    "virtualmachine.status_at", "virtualmachine.details_at", "virtualmachine.details_due_at",
    "virtualmachine.details_failures", "virtualmachine.booted_at", "clusterhealth.checked_at",
    "clusterhealth.last_ok_at",
}  # fmt: skip
VOLATILE_MODEL = "clustersync."

# Annotations of rows whose cards are made of more than the row.
RESTLESS = ("is_active", "is_noticed", "is_calling")

# Of whole dashboards, a hundred cards each, which take 0.3 MB.
MOST_DASHBOARDS = 30

Made = TypeVar("Made")

_fingerprints: OrderedDict[Hashable, Any] = OrderedDict()
_dashboards: OrderedDict[Hashable, Any] = OrderedDict()


def of_rows(
    rows: CompiledRows[VirtualMachine], person: int, key: str | int, *, looked_at_every: timedelta | None = None
) -> str:
    """The version of the machines that a page shows. Empty: cards have to be made to know.

    `looked_at_every`: how often the page has details of running machines read while somebody looks at it.
    """
    now, at = timezone.now(), rows.columns()
    found = rows.raw_rows(person, now, key)
    if not all(_is_calm(row, at, now, looked_at_every) for row in found):
        return ""
    stable = [place for name, place in at.items() if name not in VOLATILE and not name.startswith(VOLATILE_MODEL)]
    return hashlib.sha256(repr([[row[place] for place in stable] for row in found]).encode()).hexdigest()


def fingerprint(version: Callable[[], str], make: Callable[[], str], *key: Hashable) -> str:
    """What `make` returns, which makes cards. It is not called for a version that was seen lately in this process.

    `key` says whose page it is, and which.
    """
    return _kept(_fingerprints, MOST_KEPT, version, make, key)


def dashboard(version: Callable[[], str], make: Callable[[], Made], *key: Hashable) -> Made:
    """Like `fingerprint`, with all that a page of a group shows: half of the CPU of a page that changes nothing."""
    return _kept(_dashboards, MOST_DASHBOARDS, version, make, key)


def _kept(
    store: OrderedDict[Hashable, Any], most: int, version: Callable[[], str], make: Callable[[], Made], key: Hashable
) -> Made:
    before = version()
    whole = (before, get_language(), timezone.get_current_timezone_name(), get_script_prefix(), key)
    if before and whole in store:
        known: Made = store[whole]
        return known
    made = make()
    # Somebody may have written since the rows were read.
    if before and before == version():
        store[whole] = made
        if len(store) > most:
            store.popitem(last=False)
    return made


def _is_calm(  # noqa: PLR0911 - one reason after the other
    row: Sequence[Any], at: dict[str, int], now: datetime, looked_at_every: timedelta | None
) -> bool:
    """Whether this machine's card stays the same for as long as its row does."""

    def value(name: str) -> Any:
        return row[at[f"virtualmachine.{name}"]]

    if any(row[at[name]] for name in RESTLESS if name in at) or not row[at["clusterhealth.ok"]]:
        return False
    if value("missing_since") or value("gone_at") or value("silent_since"):
        return False
    if not _is_fresh(moment(row[at["clustersync.synced_at"]]), row[at["clustersync.interval"]], now):
        return False
    if value("status") != "running":
        return True
    booted_at = moment(value("booted_at"))
    if not booted_at or booted_at > now - remote_desktop.EXPECTED_WITHIN:
        return False
    if looked_at_every is None:
        return True
    due, read_at = moment(value("details_due_at")), moment(value("details_at"))
    return inventory.last_try(due, value("details_failures"), read_at, now=now) >= now - looked_at_every


def _is_fresh(synced_at: datetime | None, interval: int | None, now: datetime) -> bool:
    return synced_at is not None and now - synced_at < cards.FRESH_READS * ClusterSync(interval=interval).every
