"""A query that is compiled once still asks for the person who is meant."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.compiled_queries import (
    SENTINEL_NUMBER,
    SENTINEL_TEXT,
    SENTINEL_UUID,
    CompiledAt,
    CompiledByKey,
    CompiledList,
    CompiledQuery,
    CompiledRows,
    CompiledUpdate,
    exist_and_count,
)
from accounts.models import User
from tests.labs import queries
from vms.models import Batch, Operation

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


def _lately(person: int, now: datetime, name: str) -> QuerySet[User]:
    return User.objects.filter(pk=person, date_joined__gt=now - timedelta(hours=1)).exclude(username=name)


def test_rows_are_of_the_person_the_moment_and_the_text_that_are_asked_for(ana: User, ben: User) -> None:
    lately = CompiledRows(_lately)
    for now in (timezone.now(), timezone.now() + timedelta(minutes=70)):
        for one in (ana, ben):
            for name in (ana.username, ben.username, "nobody"):
                assert lately.rows(one.pk, now, name) == list(_lately(one.pk, now, name))
    assert lately.rows(ana.pk, timezone.now(), "nobody") == [ana]
    assert lately.rows(ana.pk, timezone.now() + timedelta(minutes=70)) == []


def test_objects_are_made_of_rows_that_are_read_already(ana: User, ben: User) -> None:
    everybody = CompiledRows(lambda person, _now, _text: User.objects.exclude(pk=person).order_by("pk"))
    raw = everybody.raw_rows(-1, timezone.now())
    with queries() as asked:
        assert everybody.objects(raw[1:]) == [ben]
        assert everybody.objects(raw)[0].date_joined == ana.date_joined
    assert not asked


def test_rows_are_objects_with_their_annotations_and_are_compiled_once(ana: User) -> None:
    made: list[int] = []

    def build(person: int, now: datetime, _name: str) -> QuerySet[User]:
        made.append(person)
        return User.objects.filter(pk=person).annotate(is_new=Q(date_joined__gt=now))

    rows = CompiledRows(build)
    found = [rows.rows(ana.pk, timezone.now() + timedelta(hours=hours))[0] for hours in (-1, 1)]
    assert [(one, getattr(one, "is_new")) for one in found] == [(ana, True), (ana, False)]  # noqa: B009 - an annotation
    assert len(made) == 1


def test_rows_without_a_person_are_refused() -> None:
    with pytest.raises(ValueError, match="without the person"):
        CompiledRows(lambda _person, now, _name: User.objects.filter(date_joined__gt=now)).rows(1, timezone.now())


def test_an_update_writes_each_time_what_it_is_given(ana: User, ben: User) -> None:
    update = CompiledUpdate(User)
    moment = timezone.now()
    for name, seen in (("Ana", None), ("Anna", moment), ("", None)):
        assert update.update({"pk": ana.pk, "username": ana.username}, {"first_name": name, "last_login": seen}) == 1
        ana.refresh_from_db()
        assert (ana.first_name, ana.last_login) == (name, seen)
    assert update.update({"pk": ana.pk, "username": ben.username}, {"first_name": "Bea"}) == 0
    assert User.objects.get(pk=ben.pk).first_name == ben.first_name


def test_an_update_is_compiled_once_for_its_columns(ana: User, django_assert_num_queries: Any) -> None:
    update = CompiledUpdate(User)
    for name in ("Ana", "Anna"):
        with django_assert_num_queries(1):
            update.update({"pk": ana.pk}, {"first_name": name})
    assert len(update._by_shape) == 1


def test_an_object_by_its_key(ana: User, ben: User) -> None:
    by_name = CompiledByKey(lambda name: User.objects.filter(username=name))
    by_pk = CompiledByKey(lambda pk: User.objects.filter(pk=pk).values_list("username"), key=SENTINEL_NUMBER)
    assert [by_name.first(one.username) for one in (ana, ben)] == [ana, ben]
    assert [by_pk.first_raw(one.pk) for one in (ana, ben)] == [(ana.username,), (ben.username,)]
    assert (by_name.first("nobody"), by_pk.first_raw(0)) == (None, None)


def test_one_without_its_key_is_refused(ana: User) -> None:
    with pytest.raises(ValueError, match="without the person or key"):
        CompiledByKey(lambda _name: User.objects.all()).first(ana.username)


def test_what_is_the_same_for_everybody_is_read_each_time(ana: User) -> None:
    everybody = CompiledList(User.objects.order_by("pk").all)
    assert everybody.all() == list(User.objects.order_by("pk"))
    ana.delete()
    assert everybody.all() == list(User.objects.order_by("pk"))


def test_an_update_of_rows_in_which_nothing_stands(ana: User) -> None:
    update = CompiledUpdate(User)
    assert update.update({"pk": ana.pk, "last_login": None}, {"first_name": "A."}) == 1
    User.objects.filter(pk=ana.pk).update(last_login=timezone.now())
    assert update.update({"pk": ana.pk, "last_login": None}, {"first_name": "B."}) == 0
    assert User.objects.get(pk=ana.pk).first_name == "A."


def test_what_is_of_a_moment(ana: User) -> None:
    lately = CompiledAt(lambda now: User.objects.filter(date_joined__gt=now - timedelta(hours=1)))
    assert [lately.at(timezone.now() + timedelta(minutes=minutes)) for minutes in (50, 70)] == [[ana], []]


def test_a_key_beside_a_moment(ana: User, ben: User) -> None:
    named = CompiledRows(
        lambda _person, now, name: User.objects.filter(username=name, date_joined__lt=now), of=SENTINEL_TEXT
    )
    later = timezone.now() + timedelta(hours=1)
    assert [named.rows(0, later, one.username) for one in (ana, ben)] == [[ana], [ben]]
    assert named.rows(0, later - timedelta(hours=2), ana.username) == []


def test_an_object_by_its_uuid(ana: User) -> None:
    batches = [Batch.objects.create(action="start", requested_by=ana) for _ in range(2)]
    by_pk = CompiledByKey(lambda pk: Batch.objects.filter(pk=pk), key=SENTINEL_UUID)
    assert [by_pk.first(one.pk) for one in batches] == batches
    with pytest.raises(ValueError, match="without the person or key"):
        CompiledByKey(lambda _pk: Batch.objects.all(), key=SENTINEL_UUID).first(batches[0].pk)


def test_an_update_among_rows_of_a_moment_counts(ana: User) -> None:
    now = timezone.now()
    old, recent = [
        Operation.objects.create(vmid=vmid, action="start", requested_by=ana, requested_at=now - timedelta(hours=hours))
        for vmid, hours in ((101, 2), (102, 0))
    ]
    update = CompiledUpdate(
        Operation,
        among=lambda now: Operation.objects.filter(requested_at__lt=now - timedelta(hours=1)),
        counting="attempt",
    )
    for later, changed in ((timedelta(), 1), (timedelta(), 1), (timedelta(minutes=70), 2), (timedelta(hours=-3), 0)):
        assert update.update({"state": "requested"}, {"node": "pve1"}, now=now + later) == changed
    found = Operation.objects.order_by("vmid").values_list("pk", "attempt", "node")
    assert list(found) == [(old.pk, 3, "pve1"), (recent.pk, 1, "pve1")]
