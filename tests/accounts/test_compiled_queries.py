"""A query that is compiled once still asks for the person who is meant."""

import pytest

from accounts.compiled_queries import CompiledQuery, exist_and_count
from accounts.models import User

pytestmark = pytest.mark.django_db

ONESELF = CompiledQuery(lambda person: User.objects.filter(pk=person).values("pk"))


def test_everybody_gets_their_own(ana: User, ben: User) -> None:
    for one in (ana, ben):
        assert list(User.objects.filter(pk__in=ONESELF.subquery(one.pk))) == [one]


def test_it_says_whether_there_is_anything_and_how_much(ana: User) -> None:
    assert exist_and_count(ana.pk, exist=[ONESELF, ONESELF], counted=ONESELF) == ([True, True], 1)
    assert exist_and_count(ana.pk + 1000, exist=[ONESELF], counted=ONESELF) == ([False], 0)


def test_it_is_compiled_once(ana: User, ben: User) -> None:
    made: list[int] = []
    query = CompiledQuery(lambda person: made.append(person) or User.objects.filter(pk=person).values("pk"))  # type: ignore[func-returns-value]
    assert query.sql(ana.pk) != query.sql(ben.pk)
    assert len(made) == 1


def test_one_that_is_the_same_for_everybody_is_refused() -> None:
    with pytest.raises(ValueError, match="without the person"):
        CompiledQuery(lambda person: User.objects.values("pk")).sql(1)
