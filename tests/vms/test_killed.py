"""Processes that are killed at random moments lose nothing, double nothing and send nothing unrecorded."""

import os

import pytest

from tests.bench import kill
from tests.processes import environment

pytestmark = pytest.mark.usefixtures("own_database")

ROUNDS = int(os.environ.get("KILL_ROUNDS") or 50)


def test_killed_processes_lose_and_double_nothing(capsys: pytest.CaptureFixture[str]):
    happened = kill.storm(rounds=ROUNDS, seed=20261123, environment=environment())
    with capsys.disabled():
        kill.tell(happened)
    assert happened.faults == []
    assert happened.settled_after < 120
    assert happened.posts > ROUNDS / 5
