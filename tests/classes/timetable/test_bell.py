"""The schedule of starts before a lesson."""

from datetime import UTC, datetime, timedelta

import pytest

from classes.timetable.bell import DEFAULT_BOOT, Booting, Limits, Waiting, due, expected_boot, plan
from tests.bench import school_days

BELL = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
NODE, OTHER = ("a", "pve1"), ("a", "pve2")


def limits(node: int = 1, cluster: int = 9) -> Limits:
    return Limits(node, cluster, {}, {})


def waiting(machine: int, boot: float, *, node: tuple[str, str] = NODE, bell: datetime = BELL) -> Waiting:
    return Waiting(machine, node, timedelta(seconds=boot), bell)


def ago(seconds: float) -> datetime:
    return BELL - timedelta(seconds=seconds)


def test_the_fastest_machine_starts_last():
    starts = plan([waiting(1, 30), waiting(2, 90), waiting(3, 60)], limits())
    assert [start.machine for start in starts] == [2, 3, 1]


def test_one_after_another_where_a_node_starts_one_at_a_time():
    starts = plan([waiting(1, 30), waiting(2, 90)], limits())
    assert starts[0].ready_at <= starts[1].at
    assert starts[1].ready_at < BELL


def test_all_at_once_where_the_node_has_room():
    starts = plan([waiting(1, 60), waiting(2, 60)], limits(node=2))
    assert starts[0].at == starts[1].at


def test_nodes_do_not_wait_for_each_other():
    starts = plan([waiting(1, 60), waiting(2, 60, node=OTHER)], limits())
    assert starts[0].at == starts[1].at


def test_a_node_is_planned_alike_alone_and_with_others():
    alone = [waiting(number, 20 + 7 * number) for number in range(9)]
    others = [waiting(10 + number, 90 - 5 * number, node=OTHER) for number in range(9)]
    together = plan(alone + others, limits(node=2))
    assert [start for start in together if start.node == NODE] == plan(alone, limits(node=2))


def test_the_limit_of_a_cluster_counts_too():
    starts = plan([waiting(1, 60), waiting(2, 60, node=OTHER)], limits(cluster=1))
    assert starts[0].ready_at <= starts[1].at


def test_the_limit_of_a_single_cluster_wins():
    starts = plan([waiting(1, 60), waiting(2, 60)], Limits(1, 9, {"a": 2}, {}))
    assert starts[0].at == starts[1].at


def test_a_later_bell_does_not_push_an_earlier_one():
    later = BELL + timedelta(hours=1)
    starts = plan([waiting(1, 60, bell=later), waiting(2, 60)], limits())
    assert [(start.machine, start.ready_at < BELL) for start in starts] == [(2, True), (1, False)]


def test_bells_that_are_close_share_the_places():
    later = BELL + timedelta(seconds=30)
    first, second = plan([waiting(1, 60, bell=later), waiting(2, 60)], limits())
    assert first.ready_at <= second.at


@pytest.mark.parametrize(("seconds", "is_due"), [(300, False), (91, False), (84, True), (0, True), (-600, True)])
def test_a_start_is_due_before_its_time_or_when_it_was_missed(seconds: float, is_due: bool):
    starts = plan([waiting(1, 60)], limits())  # at 83.8 s before the bell
    assert bool(due(starts, [], limits(), ago(seconds))) is is_due


def test_no_more_are_due_than_the_node_has_room_for():
    starts = plan([waiting(number, 60) for number in range(5)], limits(node=2))
    busy = [Booting(NODE, ago(10))]
    assert len(due(starts, busy, limits(node=2), ago(60))) == 1


def test_a_place_that_is_free_before_the_next_look_counts_as_free():
    starts = plan([waiting(1, 60)], limits())
    assert due(starts, [Booting(NODE, ago(57))], limits(), ago(60))


def test_a_full_cluster_has_no_room():
    starts = plan([waiting(1, 60, node=OTHER)], limits())
    assert not due(starts, [Booting(NODE, ago(10))], limits(cluster=1), ago(60))


def test_a_start_is_expected_to_take_what_the_last_three_took():
    assert expected_boot([500, 20, 30, 40]) == timedelta(seconds=30)
    assert expected_boot([]) == DEFAULT_BOOT


def test_a_school_is_ready_at_the_bell():
    days = school_days.mornings(4, seed=7)
    assert [day.late <= timedelta() for day in days] == [True] * 4
    assert sum(day.waited for day in days) / sum(day.least for day in days) <= 1.15


def test_a_worker_that_was_off_starts_what_it_can():
    [day] = school_days.mornings(1, seed=7)
    late = school_days.Morning({key: one for key, one in day.machines.items() if key < 100})
    for machine in late.machines.values():
        machine.began = None
    late.pass_by(worker_from=BELL - timedelta(seconds=30))
    assert timedelta() < late.late < timedelta(minutes=5)
