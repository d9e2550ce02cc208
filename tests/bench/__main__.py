"""Benchmarks as counts, which are exact, and as ratios measured in one run, which survive a slow machine.

`bin/bench [--postgres] [sync dead registry page …]` prints `NAME before value goal PASS|FAIL` for each figure.
"""

import argparse
import importlib
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import django
from django.db import connection
from django.test.utils import setup_test_environment

from tests.bench import earlier, report

OPTIONS = ("rounds", "seed", "students", "days", "against")
NAMES = tuple(
    path.stem
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if "\ndef run() -> None:" in path.read_text(encoding="utf-8")
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; without one, all of them")
    parser.add_argument("--rounds", help="how many processes `kill` kills (50)")
    parser.add_argument(
        "--seed", help="of the random moments of `kill` (the time of day) and of `bell` and `timetable` (1)"
    )
    parser.add_argument("--students", help="how many log in at the `bell` (1000); fewer come as close together")
    parser.add_argument(
        "--days", help="how many random days `timetable` plays (1000), or days of each part `month` (all)"
    )
    parser.add_argument("--against", metavar="COMMIT", help="an earlier build that is measured in the same run")
    parser.add_argument(
        "--record",
        metavar="VERSION",
        help="keep the figures as those of the last release; with --against, those of the earlier build",
    )
    options = parser.parse_args()
    os.environ |= {f"BENCH_{name.upper()}": value for name in OPTIONS if (value := getattr(options, name))}
    names = list(options.names or NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"There is no {', '.join(sorted(unknown))}. Choose from {', '.join(NAMES)}.")
    if options.against:
        names += ["beside"] if "pages" in names and "beside" not in names else []
        report.before.update(earlier.figures(options.against, [name for name in names if name != "beside"]))
    with tempfile.TemporaryDirectory(prefix="labportal-bench-") as folder:
        if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
            os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.db"
        return run(names, record=options.record or "", against=bool(options.against))


def run(names: list[str], *, record: str, against: bool) -> int:
    """After the environment says which database, and not before, Django is set up and its models are imported."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    logging.disable(logging.WARNING)  # clusters that hang are no news here
    setup_test_environment()
    database = importlib.import_module("tests.bench.database")
    if not report.before:
        report.compare_with_last_release(connection.vendor)
    for name in names:
        begun = time.monotonic()
        print(f"\n{name} ({connection.vendor})", flush=True)
        with database.of_its_own():
            importlib.import_module(f"tests.bench.{name}").run()
        report.tell("seconds", f"{time.monotonic() - begun:.0f}")
    if record:
        report.record(connection.vendor, record, report.before if against else report.measured)
    report.table()
    if report.missed:
        print(f"\nMissed: {', '.join(report.missed)}", flush=True)
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
