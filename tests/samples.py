"""How much the tests try at random: an everyday part, or with `bin/test --long` as much as it takes to be sure.

The part is another one each day. The report begins with its seed, and SEED=… bin/test tries the same again.
"""

import os
from datetime import UTC, datetime


def _number(name: str, everyday: int) -> int:
    return int(os.environ.get(name) or everyday)


SEED = _number("SEED", int(f"{datetime.now(UTC):%Y%m%d}"))
FUZZ_FILES = _number("FUZZ_FILES", 300)  # broken files that are imported
KILL_ROUNDS = _number("KILL_ROUNDS", 6)  # kills in each of the tests that kill processes
MAKING_KILLS = _number("MAKING_KILLS", 50)  # of a worker that makes machines, within one process
TRIES = _number("TRIES", 1300)  # requests for what is somebody else's: each page at least once
HANDOVERS = _number("HANDOVERS", 2)  # of a machine from one student to the next, in browsers
OPERATIONS = _number("OPERATIONS", 3)  # for each of twenty machines, by four workers
RACES = _number("RACES", 60)  # rounds of two administrators at once: six of each kind
TURNS = _number("TURNS", 2)  # of ten, with five strings each
API_CASES = _number("API_CASES", 500)  # calls of the API by its schema, with the tokens of three people


def pytest_report_header() -> str:
    return (
        f"samples: seed {SEED}, {FUZZ_FILES} broken files, {KILL_ROUNDS} and {MAKING_KILLS} kills, {TRIES} tries, "
        f"{RACES} races, {TURNS} turns of strings, {API_CASES} calls of the API"
    )
