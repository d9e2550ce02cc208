"""Lists in pages by key: the next page begins after the last row, whatever was added or removed meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import BaseModel, Field

from accounts.api.problems import Problem
from accounts.api.schemas import Line

MOST = 1000
USUAL = 100

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)

_signer = signing.Signer(salt="accounts.api.paging")


class Page(BaseModel, Generic[Item]):
    """`next` is the `cursor` of the next page; null on the last one.

    What answers are made of is pydantic's own: ninja's `Schema` looks at each field of each row once more in Python.
    """

    items: list[Item]
    next: str | None


class Paging(Schema):
    limit: int = Field(USUAL, ge=1, le=MOST, description="Rows of a page.")
    cursor: Line | None = Field(None, max_length=1000, description="`next` of the page before.")


def page_of(
    rows: QuerySet[Row], paging: Paging, *, by: str, keys: Sequence[str] = ("pk",)
) -> tuple[list[Row], str | None]:
    """The rows of a page, and the cursor of the next one. See `begin`."""
    found = list(begin(rows, paging, by=by, keys=keys))
    return cut(found, paging, by=by, values=lambda row: [getattr(row, key) for key in keys])


def begin(rows: QuerySet[Row], paging: Paging, *, by: str, keys: Sequence[str] = ("pk",)) -> QuerySet[Row]:
    """The rows of a page, and one more where there is a next page. `by` is the sort as the caller named it.

    `-` is descending. `keys` are columns without null; the last one is unique. Raises `Problem` for a cursor of another
    list.
    """
    descends = by.startswith("-")
    rows = rows.order_by(*(f"-{key}" if descends else key for key in keys))
    if paging.cursor:
        rows = rows.filter(_after(position(paging.cursor, by, len(keys)), keys, "lt" if descends else "gt"))
    return rows[: paging.limit + 1]


def cut(
    found: list[Any], paging: Paging, *, by: str, values: Callable[[Any], Sequence[Any]]
) -> tuple[list[Any], str | None]:
    """What `begin` found, without the one more, and the cursor. `values` are those of a row's keys."""
    if len(found) <= paging.limit:
        return found, None
    return found[: paging.limit], cursor(by, values(found[paging.limit - 1]))


def cursor(by: str, values: Sequence[Any]) -> str:
    return _signer.sign_object([by, *(value if isinstance(value, int) else str(value) for value in values)])


def position(text: str, by: str, count: int) -> list[Any]:
    try:
        named, *values = _signer.unsign_object(text)
    except (signing.BadSignature, ValueError):
        named, values = "", []
    if named != by or len(values) != count:
        raise Problem(422, _("This cursor is not of this list."), field="query.cursor")
    return list(values)


def _after(values: Sequence[Any], keys: Sequence[str], comparison: str) -> Q:
    """Behind this row: greater in the first key, or the same there and greater in the next."""
    found, same = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        found |= same & Q(**{f"{key}__{comparison}": value})
        same &= Q(**{key: value})
    return found
