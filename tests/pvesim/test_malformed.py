"""Answers which are not as they should be."""

from typing import Any

import pytest
import requests

from pvesim import Cluster
from pvesim.faults.malformed import MALFORMED, TEXTS

from .conftest import Api

RESOURCES = "^/cluster/resources$"


def outcome(api: Api) -> str:
    """The status and the reason, or how the connection failed."""
    try:
        answer = api.get("/version")
    except requests.RequestException as failure:
        return type(failure).__name__
    return f"{answer.status_code} {answer.reason}"


@pytest.mark.parametrize("kind", MALFORMED)
def test_every_malformed_answer_differs_from_the_honest_one(lab: Cluster, boss: Api, kind: str) -> None:
    lab.guest(102).ha = "stopped"
    lab.ordering.shuffled = False
    honest = boss.get("/cluster/resources")
    lab.faults.malformed(kind, RESOURCES)
    try:
        malformed = boss.get("/cluster/resources")
    except requests.exceptions.ContentDecodingError:
        assert kind == "cut-gzip"
        return
    assert (malformed.content, malformed.headers.get("Content-Type"), malformed.status_code) != (
        honest.content,
        honest.headers["Content-Type"],
        200,
    )
    lab.faults.undo()
    assert boss.get("/cluster/resources").content == honest.content


def malformed(lab: Cluster, boss: Api, kind: str) -> Any:
    lab.faults.malformed(kind, RESOURCES)
    return boss.data("/cluster/resources", type="vm")


def test_some_of_them_closely(lab: Cluster, boss: Api) -> None:
    rows = malformed(lab, boss, "duplicates")
    assert [row["vmid"] for row in rows].count(101) == 2
    lab.faults.undo()
    assert {type(row["maxmem"]) for row in malformed(lab, boss, "numbers-as-strings")} == {str}
    lab.faults.undo()
    assert {row["status"] for row in malformed(lab, boss, "unknown-words")} == {"levitating"}
    lab.faults.undo()
    assert all(row["mem"] != row["mem"] for row in malformed(lab, boss, "not-a-number"))
    lab.faults.undo()
    assert set(malformed(lab, boss, "missing-fields")[0]) == {"id", "type"}


def test_there_is_no_malformed_answer_of_an_unknown_kind(lab: Cluster) -> None:
    with pytest.raises(ValueError, match="half-json"):
        lab.faults.malformed("strange")


@pytest.mark.parametrize("kind", TEXTS)
def test_unsafe_texts_arrive_as_they_are(lab: Cluster, boss: Api, kind: str) -> None:
    lab.faults.unsafe_text(kind, RESOURCES)
    assert {row["name"] for row in boss.data("/cluster/resources", type="vm")} == {TEXTS[kind]}


def test_an_unsafe_reason(lab: Cluster, boss: Api) -> None:
    lab.faults.unsafe_reason("non-latin", "/version", times=1)
    assert boss.get("/version").reason.encode("latin-1").decode() == TEXTS["non-latin"]
    assert boss.get("/version").status_code == 200


def test_a_truncated_body(lab: Cluster, boss: Api) -> None:
    lab.faults.truncated("/version", times=1)
    assert outcome(boss) == "ChunkedEncodingError"
    assert outcome(boss) == "200 OK"


def test_a_redirect(lab: Cluster, boss: Api) -> None:
    lab.faults.redirect("https://elsewhere.invalid/", "/version")
    assert outcome(boss) == "301 Moved"


def test_only_reused_connections_are_reset(lab: Cluster, boss: Api) -> None:
    lab.faults.reset("/version", reused=True)
    boss.session.headers["Connection"] = "keep-alive"
    assert [outcome(boss) for _ in range(3)] == ["200 OK", "ConnectionError", "200 OK"]
