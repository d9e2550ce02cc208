"""A cluster's secret, or the password of a made machine, comes to light nowhere: every place is searched for it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pvesim
from clusters import proxmox
from clusters.models import Cluster
from tests.clusters.leak_checks import LEAK_CHECKS, Stage, live_through, logged_at_debug, set_up
from tests.marker_secret import MarkerSecret
from tests.own_database import copy_of, default_connection

pytestmark = pytest.mark.timeout(1200)  # one stage for all of them, which a busy machine builds for minutes

ENOUGH = 20
QUICK = pvesim.Durations(clone=0.1, start=0.1, snapshot=0.1)


@dataclass(frozen=True)
class Search:
    """What was found in a place: of the secrets, and of something that was planted there."""

    found: list[str]
    found_planted: list[str]


@pytest.fixture(scope="module")
def stage(migrated_template: str, tmp_path_factory: Any, django_db_blocker: Any) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("markers")
    password, token, reader = MarkerSecret(), MarkerSecret("&<'\"%"), MarkerSecret("&<'\"%")
    machine = MarkerSecret("&<'\"%")
    with (
        django_db_blocker.unblock(),
        copy_of(migrated_template, folder) as name,
        default_connection(NAME=name),
        pvesim.Simulator(seed=1) as simulator,
    ):
        pve = simulator.add_cluster("lab", statd_interval=0.0, durations=QUICK)
        pve.add_user("portal@pve", password=password.text, acl={"/": "Administrator"})
        pve.add_token("portal@pve", "labs", privsep=False, secret=token.text)
        pve.add_token("portal@pve", "look", secret=reader.text, acl={"/": "PVEAuditor"})
        pve.add_guest(101, name="net-01")
        with logged_at_debug() as log:
            made = Stage(pve, folder, password, token, reader, machine, log)
            set_up(made)
            live_through(made)
            yield made


@pytest.fixture(scope="module")
def searches(stage: Stage) -> dict[str, Search]:
    """First everything is searched, and only then something is planted."""
    secrets = stage.password, stage.token, stage.reader, stage.made
    found = {}
    for name, leak_check in LEAK_CHECKS.items():
        parts = list(leak_check(stage, ""))
        found[name] = [form for secret in secrets for form in secret.found_anywhere_in(parts)]
    planted = {}
    for name, leak_check in LEAK_CHECKS.items():
        marker = MarkerSecret()
        planted[name] = marker.found_anywhere_in(leak_check(stage, marker.text))
    return {name: Search(found[name], planted[name]) for name in LEAK_CHECKS}


@pytest.mark.parametrize("name", LEAK_CHECKS)
def test_no_secret_is_in(searches: dict[str, Search], name: str):
    assert searches[name].found == []


@pytest.mark.parametrize("name", LEAK_CHECKS)
def test_a_secret_would_be_noticed_in(searches: dict[str, Search], name: str):
    assert searches[name].found_planted != []


def test_the_secrets_were_in_use(stage: Stage):
    """Otherwise there was nothing to find."""
    asked = stage.pve.request_log.all()
    assert any(request.path == "/access/ticket" and request.status == 200 for request in asked)
    for token in ("portal@pve!labs", "portal@pve!look"):
        assert any(request.identity == token and request.status == 200 for request in asked)
    [written] = [
        request for request in asked if (request.method, request.path) == ("PUT", "/nodes/pve1/qemu/5001/config")
    ]
    assert "cipassword" in written.form


def test_the_scan_covers_enough(searches: dict[str, Search], capsys: pytest.CaptureFixture[str]):
    hits = sum(bool(search.found) for search in searches.values())
    noticed = sum(bool(search.found_planted) for search in searches.values())
    with capsys.disabled():
        print(f"\n{len(searches)} places, {hits} hits; planted marker found in {noticed} of {len(searches)}")
    assert len(searches) >= ENOUGH


def test_a_cluster_that_repeats_the_password_in_json_is_not_quoted(stage: Stage, django_db_blocker: Any):
    with django_db_blocker.unblock():
        config = Cluster.objects.get(cluster_id="alpha").config
    body = json.dumps({"data": None, "errors": {"password": f"not {stage.password.text}"}})
    stage.pve.faults.reply("/access/ticket", 400, body=body, times=1)
    proxmox.forget("alpha")  # who is logged in already does not ask for a ticket
    with pytest.raises(proxmox.ProxmoxError) as error:
        proxmox.diagnose(config)
    assert "not" in error.value.plain
    assert stage.password.found_in(error.value.plain) == []


MARKER = MarkerSecret()


@pytest.mark.parametrize("form", MARKER.forms)
def test_the_scanner_knows_a_marker_secret_in(form: str):
    assert form in MARKER.found_in(b"before " + MARKER.forms[form] + b" after")


def test_the_scanner_takes_nothing_else_for_a_marker_secret():
    assert MARKER.found_in(MarkerSecret().text) == []
