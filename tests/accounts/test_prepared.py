"""A query that is put together once still asks for the person who is meant."""

import pytest

from accounts.models import User
from accounts.prepared import Prepared, at_once

pytestmark = pytest.mark.django_db

HIMSELF = Prepared(lambda person: User.objects.filter(pk=person).values("pk"))


def test_everybody_gets_his_own(ana: User, ben: User) -> None:
    for one in (ana, ben):
        assert list(User.objects.filter(pk__in=HIMSELF.subquery(one.pk))) == [one]


def test_it_says_whether_there_is_anything_and_how_much(ana: User) -> None:
    assert at_once(ana.pk, exist=[HIMSELF, HIMSELF], counted=HIMSELF) == ([True, True], 1)
    assert at_once(ana.pk + 1000, exist=[HIMSELF], counted=HIMSELF) == ([False], 0)


def test_it_is_put_together_once(ana: User, ben: User) -> None:
    made: list[int] = []
    query = Prepared(lambda person: made.append(person) or User.objects.filter(pk=person).values("pk"))  # type: ignore[func-returns-value]
    assert query.sql(ana.pk) != query.sql(ben.pk)
    assert len(made) == 1


def test_one_that_is_the_same_for_everybody_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        Prepared(lambda person: User.objects.values("pk")).sql(1)
