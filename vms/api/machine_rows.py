"""Machines for the API, made of the rows as the database writes them.

The version of a list is a digest of those rows, so an unchanged list is found without making anything of them. The SQL
of the usual lists is made once in a process.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledRows, moment, raw_rows_of
from accounts.models import User
from vms.access import lookups
from vms.api.schemas import MachineOut
from vms.models import Assignment, VirtualMachine

COLUMNS = (
    "id", "cluster_id", "vmid", "kind", "name", "node", "status", "lock", "template", "pool", "tags", "cpus", "memory",
    "disk", "addresses", "booted_at", "silent_since", "missing_since", "gone_at",
)  # fmt: skip

Raw = tuple[Any, ...]
Places = dict[str, int]


def rows(user: User) -> QuerySet[VirtualMachine]:
    """What the user sees, with the columns that are shown."""
    held = Assignment.objects.live().filter(vm=OuterRef("pk")).order_by("pk").values("user__username")
    shown = lookups.visible_to(user).only(*(name for name in COLUMNS))
    found: QuerySet[VirtualMachine] = shown.annotate(
        cluster_answers=F("cluster__health__ok"), assignee=Subquery(held[:1])
    )
    return found


@lru_cache(maxsize=16)
def _usual(limit: int) -> CompiledRows[VirtualMachine]:
    def build(person: int, _now: Any, after: Any) -> QuerySet[VirtualMachine]:
        return rows(User(pk=person)).filter(pk__gt=after).order_by("pk")[: limit + 1]

    return CompiledRows(build, key=SENTINEL_NUMBER)


def usual(user: User, *, after: int, limit: int) -> tuple[list[Raw], Places]:
    """A page in the order of the IDs, for who is not staff: one query, compiled once."""
    compiled = _usual(limit)
    return compiled.raw_rows(user.pk, timezone.now(), after), compiled.columns()


def of(queryset: QuerySet[VirtualMachine]) -> tuple[list[Raw], Places]:
    return raw_rows_of(queryset)


def version(found: list[Raw]) -> bytes:
    """The same for the same rows, in a tenth of the time of `repr`."""
    return msgspec.msgpack.encode(found)


def machine_out(row: Raw, at: Places) -> MachineOut:
    return MachineOut(**facts(row, at))


def facts(row: Sequence[Any], at: Places) -> dict[str, Any]:
    value = {name: row[at[f"virtualmachine.{name}"]] for name in COLUMNS}
    addresses, silent = value["addresses"], value.pop("silent_since")
    value["cluster"] = value.pop("cluster_id")
    value["template"] = bool(value["template"])
    value["tags"] = [tag for tag in value["tags"].split(";") if tag]
    value["addresses"] = json.loads(addresses) if isinstance(addresses, str) else addresses
    value["assignee"] = row[at["assignee"]]
    for name in ("booted_at", "missing_since", "gone_at"):
        value[name] = moment(value[name])
    value["is_current"] = bool(row[at["cluster_answers"]]) and not (silent or value["missing_since"])
    return value
