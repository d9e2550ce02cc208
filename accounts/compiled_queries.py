"""Queries about one person that Django compiles to SQL once in a process, with the person as a parameter.

Compiling the nested subqueries of visibility takes longer than asking the database. Measured in one run, the list of
two machines takes 10 ms of CPU with this, and 23 ms without (2.3 times; a poll that changes nothing 1.7 times).
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

# Stands for the person while the SQL is compiled. No primary key is negative.
SENTINEL_PK = -2_000_000_011


class CompiledQuery:
    """A query in which nothing but a person's primary key changes: no moment, no setting, no other argument.

    `build` gets the key and returns a queryset of one column. Raises `ValueError` when the key is not part of it,
    because then everybody would get the same.
    """

    def __init__(self, build: Callable[[int], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._by_vendor: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def subquery(self, person: int) -> RawSQL:
        """For `…__in`."""
        return RawSQL(*self.sql(person))  # noqa: S611 - Django made it, of nobody's words

    def subquery_for_each(self, column: str) -> RawSQL:
        """For `…__in`, about whomever each row of the outer query names in this column, like `"table"."user_id"`."""
        sql, parameters = self.sql(SENTINEL_PK)
        places = tuple(column if one == SENTINEL_PK else "%s" for one in parameters)
        return RawSQL(sql % places, [one for one in parameters if one != SENTINEL_PK])  # noqa: S611 - as above

    def sql(self, person: int) -> tuple[str, tuple[Any, ...]]:
        if connection.vendor not in self._by_vendor:
            self._by_vendor[connection.vendor] = self._compiled()
        sql, parameters = self._by_vendor[connection.vendor]
        return sql, tuple(person if one == SENTINEL_PK else one for one in parameters)

    def _compiled(self) -> tuple[str, tuple[Any, ...]]:
        sql, parameters = self._build(SENTINEL_PK).query.sql_with_params()
        if SENTINEL_PK not in parameters:
            raise ValueError("A compiled query without the person in it would answer everybody alike.")
        return sql, parameters


def exist_and_count(person: int, *, exist: Sequence[CompiledQuery], counted: CompiledQuery) -> tuple[list[bool], int]:
    """Whether each of these finds a row, and how many rows the last one has: in one query."""
    parts = [one.sql(person) for one in (*exist, counted)]
    asked = [f"EXISTS ({sql})" for sql, _parameters in parts[:-1]]
    with connection.cursor() as cursor:
        statement = f"SELECT {', '.join(asked)}, (SELECT COUNT(*) FROM ({parts[-1][0]}) counted)"  # noqa: S608 - Django made it
        cursor.execute(statement, [value for _sql, parameters in parts for value in parameters])
        *found, count = cursor.fetchone()
    return [bool(one) for one in found], int(count)
