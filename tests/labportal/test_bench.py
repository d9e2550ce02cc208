"""The figures that benchmarks keep and compare."""

import tomllib
from pathlib import Path

import pytest

from tests import processes
from tests.bench import earlier, report, start

PRINTED = """
sync (sqlite)
  CPU of reading 20 x 1000                      283.3 ms  (248.4 to 301.5)
sync CPU / floor, 1 % churn, sqlite                1.09       <= 0.6  FAIL
change to committed row, interval of 3 s, p95     3.42 s       <= 4 s  PASS
API calls a sync and cluster                          1         == 1  PASS

Missed: sync CPU / floor, 1 % churn, sqlite
"""


def test_figures_of_another_build_are_read_by_their_names():
    assert earlier.parsed(PRINTED) == {
        "CPU of reading 20 x 1000": "283.3 ms",
        "sync CPU / floor, 1 % churn, sqlite": "1.09",
        "change to committed row, interval of 3 s, p95": "3.42 s",
        "API calls a sync and cluster": "1",
    }


def test_figures_of_a_release_are_kept_and_printed_beside_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "last.toml"
    file.write_text('[sqlite]\n"an older one" = "5"\n')
    for name, empty in (("LAST_RELEASE", file), ("measured", {}), ("before", {}), ("lines", []), ("missed", [])):
        monkeypatch.setattr(report, name, empty)
    report.goal('a "ratio"', 0.5, 0.6)
    report.record("sqlite", "0.3.0", report.measured)
    kept = tomllib.loads(file.read_text())
    assert kept == {"release": "0.3.0", "sqlite": {"an older one": "5", 'a "ratio"': "0.50"}}
    report.compare_with_last_release("sqlite")
    report.goal('a "ratio"', 0.7, 0.6)
    assert capsys.readouterr().out.splitlines()[-1].split()[-5:] == ["0.50", "0.70", "<=", "0.6", "FAIL"]
    assert report.missed == ['a "ratio"']


def test_a_worker_imports_nothing_of_pages_and_the_web_server_all_of_them_at_once(own_database: object):
    """In processes of their own, up to their first work."""
    url = {"DATABASE_URL": processes.database_url()}
    worker, web = (start.started(kind, **url) for kind in ("worker", "web"))
    assert start.unused(worker) == set()
    pages = {"classes.urls", "vms.urls", "labportal.urls", "labportal.api"}
    assert pages.isdisjoint(worker["modules"])
    assert pages <= set(web["modules"])
