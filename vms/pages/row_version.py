"""Decides by the rows alone whether a page has anything new: without cards, and without objects.

The version of what a person sees is a digest of the rows as the database writes them. What is written with every sync
is left out of it; everything else that a card looks at is in the rows. While something of the page goes on by itself
(an age, an operation, a failure that is shown for a while) there is no version, and cards are made as ever. Measured in
one run (`bin/bench pages`), the list of 50 machines takes 3 to 5 times the CPU of an empty page when nothing changed, 6
to 7 times when one of them did, and 10 times with nothing kept. A poll that changes nothing takes 0.3 of the CPU of one
that makes cards.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, TypeVar

from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.translation import get_language

from accounts.compiled_queries import CompiledRows, moment
from vms import inventory
from vms.models import ClusterSync, VirtualMachine
from vms.pages import cards, remote_desktop
from vms.pages.bounded_store import BoundedStore

# Of machines whose cards are kept; and of all pages that are kept, each with its HTML: about 3 kB for a machine.
MOST_CARDS = MOST_ON_PAGES = 5000

# Written while nothing changes. `_is_calm` looks at the moments among them.
VOLATILE = {
    "virtualmachine.status_at", "virtualmachine.details_at", "virtualmachine.details_due_at",
    "virtualmachine.details_failures", "virtualmachine.booted_at", "clusterhealth.checked_at",
    "clusterhealth.last_ok_at",
}  # fmt: skip
VOLATILE_MODEL = "clustersync."

# Annotations of rows whose cards are made of more than the row.
RESTLESS = ("is_active", "is_noticed", "is_calling")

Made = TypeVar("Made")
Rows = CompiledRows[VirtualMachine]
MakeGroups = Callable[[list[VirtualMachine]], Iterable[cards.Group]]

_cards: BoundedStore[cards.Group] = BoundedStore(MOST_CARDS)
_lists: BoundedStore[cards.Listed] = BoundedStore(MOST_ON_PAGES)
_dashboards: BoundedStore[Any] = BoundedStore(MOST_ON_PAGES)


def of_rows(rows: Rows, person: int, key: str | int, *, looked_at_every: timedelta | None = None) -> str:
    """The version of the machines that a page shows. Empty: cards have to be made to know.

    `looked_at_every`: how often the page has details of running machines read while somebody looks at it.
    """
    now = timezone.now()
    return _version(_told(rows, rows.raw_rows(person, now, key), now, looked_at_every))


def listed(rows: Rows, person: int, key: str | int, make: MakeGroups, *, looked_at_every: timedelta) -> cards.Listed:
    """The cards of these rows, or what this returned before where nothing changed.

    `make` makes cards, each of its row alone where that is calm. It is called for the rows that are new, and objects
    are made of these alone.
    """
    now = timezone.now()
    found = rows.raw_rows(person, now, key)
    told = _told(rows, found, now, looked_at_every)
    version = _version(told)
    whole = (version, *_reader(), person, key)
    if version and (known := _lists.get(whole)):
        return known
    made = cards.Listed(tuple(_joined(_one_by_one(rows, found, told, make))))
    if version:
        _lists.put(whole, made, weight=len(found))
    return made


def dashboard(
    version: Callable[[], str], make: Callable[[], Made], *key: Hashable, weight: Callable[[Made], int]
) -> Made:
    """All that a page of a group shows. `make` is not called for a version that was seen lately in this process.

    `key` says whose page it is, and which. Half of the CPU of a page that changes nothing.
    """
    before = version()
    whole = (before, *_reader(), key)
    if before and (known := _dashboards.get(whole)):
        return known  # type: ignore[no-any-return]
    made = make()
    # Somebody may have written since the rows were read.
    if before and before == version():
        _dashboards.put(whole, made, weight=weight(made))
    return made


def forget() -> None:
    for store in (_cards, _lists, _dashboards):
        store.clear()


def _reader() -> tuple[Hashable, ...]:
    """What else cards and their HTML look at."""
    return get_language(), timezone.get_current_timezone_name(), get_script_prefix()


def _told(rows: Rows, found: Sequence[Any], now: datetime, looked_at_every: timedelta | None) -> list[str]:
    """What each row says. Empty where the card is made of more than the row."""
    at = rows.columns()
    stable = [place for name, place in at.items() if name not in VOLATILE and not name.startswith(VOLATILE_MODEL)]
    is_fresh = _FreshReads(now)
    return [
        repr([row[place] for place in stable]) if _is_calm(row, at, now, is_fresh, looked_at_every) else ""
        for row in found
    ]


def _version(told: list[str]) -> str:
    return _digest("\n".join(told)) if all(told) else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _one_by_one(rows: Rows, found: Sequence[Any], told: list[str], make: MakeGroups) -> Iterator[cards.Group]:
    """For each row a group with its card alone."""
    reader, pk_at = _reader(), rows.columns()["virtualmachine.id"]
    keys = [(_digest(text), *reader) if text else None for text in told]
    known = [_cards.get(key) if key else None for key in keys]
    new = [row for row, one in zip(found, known, strict=True) if one is None]
    groups = make(rows.objects(new)) if new else ()
    made = {card.pk: group.with_cards(card) for group in groups for card in group.cards}
    for row, key, one in zip(found, keys, known, strict=True):
        alone = one or made[row[pk_at]]
        if key and not one:
            _cards.put(key, alone)
        yield alone


def _joined(groups: Iterable[cards.Group]) -> Iterator[cards.Group]:
    for _cluster, same in groupby(groups, key=lambda group: group.cluster_id):
        of_cluster = list(same)
        yield of_cluster[0].with_cards(*(group.cards[0] for group in of_cluster))


def _is_calm(  # noqa: PLR0911 - one reason after the other
    row: Sequence[Any], at: dict[str, int], now: datetime, is_fresh: "_FreshReads", looked_at_every: timedelta | None
) -> bool:
    """Whether this machine's card stays the same for as long as its row does."""

    def value(name: str) -> Any:
        return row[at[f"virtualmachine.{name}"]]

    if any(row[at[name]] for name in RESTLESS if name in at) or not row[at["clusterhealth.ok"]]:
        return False
    if value("missing_since") or value("gone_at") or value("silent_since"):
        return False
    if not is_fresh[row[at["clustersync.synced_at"]], row[at["clustersync.interval"]]]:
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


class _FreshReads(dict[tuple[Any, Any], bool]):
    """Whether a sync at this moment and interval is fresh: machines of a cluster have the same."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._now = now

    def __missing__(self, read: tuple[Any, Any]) -> bool:
        synced_at, interval = moment(read[0]), read[1]
        fresh_for = cards.FRESH_READS * ClusterSync(interval=interval).every
        self[read] = synced_at is not None and self._now - synced_at < fresh_for
        return self[read]
