"""Processes that are killed at random moments lose nothing, double nothing and send nothing unrecorded."""

import pytest

from tests.bench import kill
from tests.processes import environment
from tests.samples import KILL_ROUNDS, SEED

pytestmark = [pytest.mark.usefixtures("own_database"), pytest.mark.timeout(1800)]


def test_killed_processes_lose_and_double_nothing(capsys: pytest.CaptureFixture[str]):
    happened = kill.storm(rounds=KILL_ROUNDS, seed=SEED, environment=environment())
    with capsys.disabled():
        kill.tell(happened)
    assert happened.faults == []
    assert happened.settled_after < kill.MOST
    assert happened.posts > KILL_ROUNDS / 5
