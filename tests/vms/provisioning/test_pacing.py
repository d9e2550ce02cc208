"""When a node is asked for its tasks: at the end of a clone, and often enough for everything else."""

import pytest

from vms.provisioning.engine.pacing import LONGEST_WAIT, MARGIN, Duration, Pace, Task
from vms.provisioning.engine.slots import Limits, Place, Slots


def clone(begun: float) -> Task:
    return Task(f"clone {begun}", "pve1", "clone linked", begun)


def snapshot(begun: float) -> Task:
    return Task(f"snapshot {begun}", "pve1", "snapshot", begun)


def pace(asked: float = 0.0) -> Pace:
    """Of a node that was asked at this moment. Clones take 4 seconds there, snapshots one."""
    return Pace({"clone linked": Duration(3.95, 4.05), "snapshot": Duration(0.95, 1.05)}, asked=asked)


def test_a_clone_is_asked_for_when_it_should_have_ended() -> None:
    assert pace().next_question([clone(0.1)]) == pytest.approx(4.15)


def test_clones_that_end_almost_together_are_asked_for_together() -> None:
    assert pace().next_question([clone(0.1), clone(0.3)]) == pytest.approx(4.35)
    assert pace().next_question([clone(0.1), clone(0.9)]) == pytest.approx(4.15)


def test_other_tasks_leave_a_question_for_the_end_of_a_clone() -> None:
    """The seconds until then are divided, so that no task waits much longer than one."""
    asked = pace().next_question([clone(0.2), snapshot(1.5)])
    assert asked == pytest.approx(4.25 * 3 / 4)
    assert pace(asked).next_question([clone(0.2), snapshot(1.6)]) == pytest.approx(4.25)


@pytest.mark.parametrize("begun", [-2.9, -2.5, -2.1])
def test_no_task_waits_long_for_the_end_of_a_clone(begun: float) -> None:
    asked = pace().next_question([clone(begun), snapshot(0.05)])
    assert asked <= LONGEST_WAIT + 0.01


def test_a_node_is_asked_once_a_second_at_most() -> None:
    assert pace(asked=10.0).next_question([clone(0.0), snapshot(0.0)]) == pytest.approx(11.0)


def test_a_duration_is_learned_from_what_is_seen() -> None:
    """Of tasks that take 4.0 seconds; each second that is lost because a question came too early is counted."""
    learned, lost = Duration(), 0
    for after in (1.0, 2.0, 3.0):
        learned.ran(after)
    learned.ended(4.7)
    for _ in range(200):
        expected = learned.expected or 0.0
        if expected < 4.0:
            lost += 1
            learned.ran(expected)
        else:
            learned.ended(expected)
    assert lost <= 4
    assert learned.expected == pytest.approx(4.0, abs=2 * MARGIN)


def test_slower_tasks_are_followed_and_then_faster_ones() -> None:
    learned = Duration(3.95, 4.05)
    learned.ran(4.05)
    learned.ran(5.3)
    assert learned.expected is not None
    assert learned.expected > 5.3
    for _ in range(3000):
        learned.ended(1.0)
    assert learned.expected < 4.2


def test_a_clone_has_room_where_storage_node_and_cluster_have_it() -> None:
    slots = Slots(Limits(full={}, linked={"storage": 2, "node": 2, "cluster": 3}, tasks_per_node=1))
    here, there = Place("pve1", "local", full=False), Place("pve2", "local", full=False)
    assert [slots.take(here) for _ in range(3)] == [True, True, False]
    assert slots.clones_on(here) == 2
    assert [slots.take(there) for _ in range(2)] == [True, False]
    assert [slots.take("pve1"), slots.has_room("pve1"), slots.has_room("pve2")] == [True, False, True]
