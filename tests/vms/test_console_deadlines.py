"""Whoever is gone without a word is noticed within twenty seconds, by the figures that the product runs with."""

from clusters.proxmox import vnc
from labportal.serve import UVICORN
from vms.console import closing, relay, websocket
from vms.models import ConsoleSession

WITHIN = 20.0


def option(name: str) -> float:
    return float(UVICORN[UVICORN.index(name) + 1])


def test_a_browser_that_answers_no_ping_is_noticed():
    assert option("--ws-ping-interval") + option("--ws-ping-timeout") <= WITHIN


def test_a_browser_that_takes_nothing_is_noticed():
    assert relay.SEND_TIMEOUT <= WITHIN


def test_a_cluster_that_says_nothing_is_noticed():
    assert 3 * vnc.LOOK_EVERY <= WITHIN


def test_rights_are_asked_every_half_minute_and_a_lease_outlives_two_turns():
    assert websocket.CHECK_EVERY == 30.0
    assert ConsoleSession.LEASE.total_seconds() > 2 * websocket.CHECK_EVERY + 10


def test_what_is_taken_away_is_seen_within_three_seconds():
    assert 2 * closing.CHECK_EVERY < 3
