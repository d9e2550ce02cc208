"""Queries about a person that are put together once in a process, and asked for one person after the other.

Django takes several milliseconds to turn nested subqueries into SQL, on every page of every student; the database
answers in a fraction of that. What differs from person to person is a parameter.
"""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

# Stands for the person while the SQL is made. No primary key is negative.
SOMEBODY = -2_000_000_011


class Prepared:
    """A query in which nothing but a person's primary key changes: no moment, no setting, no other argument.

    `build` gets the key and returns a queryset of one column. Raises `ValueError` when the key is not part of it,
    because then everybody would get the same.
    """

    def __init__(self, build: Callable[[int], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._by_vendor: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def subquery(self, person: int) -> RawSQL:
        """For `…__in`."""
        return RawSQL(*self._for(person))  # noqa: S611 - Django made it, of nobody's words

    def of_each(self, column: str) -> RawSQL:
        """For `…__in`, about whomever each row of the outer query names in this column, like `"table"."user_id"`."""
        sql, parameters = self._for(SOMEBODY)
        places = tuple(column if one == SOMEBODY else "%s" for one in parameters)
        return RawSQL(sql % places, [one for one in parameters if one != SOMEBODY])  # noqa: S611 - as above

    def exists(self, person: int) -> bool:
        """Whether it finds a row."""
        sql, parameters = self._for(person)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS ({sql})", parameters)
            return bool(cursor.fetchone()[0])

    def _for(self, person: int) -> tuple[str, tuple[Any, ...]]:
        if connection.vendor not in self._by_vendor:
            self._by_vendor[connection.vendor] = self._compiled()
        sql, parameters = self._by_vendor[connection.vendor]
        return sql, tuple(person if one == SOMEBODY else one for one in parameters)

    def _compiled(self) -> tuple[str, tuple[Any, ...]]:
        sql, parameters = self._build(SOMEBODY).query.sql_with_params()
        if SOMEBODY not in parameters:
            raise ValueError("A prepared query that asks for nobody would answer everybody alike.")
        return sql, parameters
