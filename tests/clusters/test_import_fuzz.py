"""Thousands of files (FUZZ_FILES) that should not be imported, or only in part.

The figure: bin/test tests/clusters/test_import_fuzz.py -s -n0
"""

import json
from collections import Counter
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from clusters import importing
from clusters.config import ClusterFileError, inspect, parse
from clusters.importing import ClusterPlan, ClusterReason, Options, applying, planning
from clusters.models import Cluster, DeletedCluster
from tests.clusters.config_files import CORE, MARKER, fixed_key, raw_rows
from tests.clusters.mutations import files
from tests.samples import FUZZ_FILES, SEED

__all__ = ["fixed_key"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fixed_key")]

FIGURE = (
    "{files} files: {refused} refused, {imported} imported, {other errors} other errors, "
    "{partial writes} partial writes, {secrets echoed} secrets echoed"
)
OPTIONS = [
    Options(),
    Options(partial=True),
    Options(update=True, update_secrets=True, restore=True),
    Options(partial=True, update=True),
]


@pytest.fixture
def before() -> dict[str, Any]:
    """The rows of a portal that has two clusters, one of them the default, and the tombstone of a third."""
    for cluster_id in "here", "moved":
        Cluster.objects.create(
            cluster_id=cluster_id, name=f"Cluster {cluster_id}", host="pve.test", user="portal@pve", password=MARKER,
            is_default=cluster_id == "here",
        )  # fmt: skip
    DeletedCluster.objects.remember(["gone"], by="lena")
    return raw_rows()


def judge(content: bytes, options: Options, before: dict[str, Any]) -> Counter[str]:
    """Import a file, look at what came of it, and take everything back."""
    with transaction.atomic():
        said, outcome = attempt(content, options)
        after = raw_rows()
        transaction.set_rollback(True)
    found = Counter({"files": 1, outcome: 1})
    found["partial writes"] = not is_whole(said, before, after)
    found["secrets echoed"] = CORE in shown(said) or CORE in repr(after)
    return found


def attempt(content: bytes, options: Options) -> tuple[list[Any], str]:
    """What was said, as objects, and how it ended."""
    said: list[Any] = []
    try:
        said.append(inspect(content, source="a file"))
        plan = importing.import_content(content, source="a file", options=options)
        said.append(plan)
        if not options.partial and not plan.is_refused:
            said += parse(content, source="a file")
    except ClusterFileError as error:
        return [*said, error, error.problems], "refused"
    except Exception as error:  # noqa: BLE001 - counted
        return [*said, error], "other errors"
    return said, "refused" if plan.is_refused else "imported"


def shown(said: list[Any]) -> str:
    """Everything that people, logs or tracebacks could get to see. A terminal has to be able to write it."""
    texts = [text for thing in said for text in (str(thing), repr(thing))]
    for plan in said:
        if isinstance(plan, ClusterPlan):
            texts += [
                *map(str, plan.notices),
                *importing.table(plan.rows),
                *map(str, plan.problems),
                json.dumps(plan.as_json()),
            ]
    assert "\n".join(texts).encode()
    return "\n".join(texts)


def is_whole(said: list[Any], before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Nothing of a refused file is there, and everything that the plan of another promised."""
    plan = next((thing for thing in said if isinstance(thing, ClusterPlan)), None)
    if plan is None or plan.is_refused:
        return before == after
    new = {row[0]: row for row in after["clusters"]}.keys() - {row[0] for row in before["clusters"]}
    changed = [row for row in after["clusters"] if row not in before["clusters"]]
    return len(new) == len(plan.of(ClusterReason.NEW)) and len(changed) == len(plan.written)


def test_of_thousands_of_broken_files_none_is_imported_in_part_and_no_secret_is_told(before):
    tally: Counter[str] = Counter()
    offenders: list[bytes] = []

    @seed(SEED)
    @settings(max_examples=FUZZ_FILES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(content=files(), options=st.sampled_from(OPTIONS))
    def examine(content: bytes, options: Options) -> None:
        found = judge(content, options, before)
        tally.update(found)
        if found["other errors"] or found["partial writes"] or found["secrets echoed"]:
            offenders.append(content)

    examine()
    print(f"\nseed {SEED}: {FIGURE.format_map(tally)}")
    assert not offenders, offenders[:3]
    assert tally["files"] >= FUZZ_FILES
    assert min(tally["refused"], tally["imported"]) > FUZZ_FILES / 10


GOOD = f'[{{"id": "new", "host": "pve.test", "user": "portal@pve", "password": "{CORE}"}}]'.encode()


def test_a_secret_that_is_told_is_noticed(before):
    assert judge(GOOD.replace(b'"id"', b'"name": "' + CORE.encode() + b'", "id"'), Options(), before)["secrets echoed"]


def test_half_an_import_is_noticed(monkeypatch, before):
    monkeypatch.setattr(applying, "_write", lambda plan: None)
    assert judge(GOOD, Options(), before)["partial writes"]


def test_what_a_refused_import_leaves_is_noticed(monkeypatch, before):
    def stumble(*args: object) -> None:
        Cluster.objects.get(cluster_id="here").deactivate()
        raise ClusterFileError("a file", [])

    monkeypatch.setattr(applying, "_carry_out", stumble)
    assert judge(GOOD, Options(), before)["partial writes"]


def test_another_error_is_noticed(monkeypatch, before):
    monkeypatch.setattr(planning, "plan", lambda *args: 1 / 0)
    assert judge(GOOD, Options(), before)["other errors"]
