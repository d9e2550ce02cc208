"""Answers that are meant to do harm: refused by the gateway, and harmful without it.

bin/test tests/clusters/proxmox/test_hostile.py -s -n0 prints how many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import proxmoxer
import pytest
from proxmoxer.core import ResourceException
from requests.exceptions import SSLError

from clusters import proxmox
from tests.waits import PATIENCE

from .hostile import HOSTILE, Hostile, is_clean
from .rawserver import CANARY, VERSION, RawServer, StartRaw
from .watching import Watched, watched

DEADLINE = 0.4
# What a busy machine may take longer.
MARGIN = 20.0
MOST_MIB = 64


@dataclass
class Tally:
    seen: int = 0
    refused: int = 0
    broken: int = 0
    mib: float = 0.0
    seconds: float = 0.0


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    tally = Tally()
    yield tally
    print(
        f"\n{tally.seen} hostile answers: {tally.refused} refused, {tally.broken} would have broken plain proxmoxer; "
        f"at most +{tally.mib:.0f} MiB and {tally.seconds:.1f} s"
    )


def ours(hostile: Hostile, raw: StartRaw) -> tuple[object, Watched]:
    """The error, or what was made of the answer."""
    server = raw(hostile.speak)
    with proxmox.connect(server.config, deadline=DEADLINE) as pve, watched() as seen:
        try:
            return hostile.ask(pve), seen
        except proxmox.ProxmoxError as error:
            return error, seen


def plain(port: int, timeout: float = DEADLINE) -> proxmoxer.ProxmoxAPI:
    token = {"user": "portal@pve", "token_name": "labs", "token_value": CANARY}
    return proxmoxer.ProxmoxAPI("127.0.0.1", port=port, verify_ssl=False, timeout=timeout, **token)


def harm_to_plain_proxmoxer(hostile: Hostile, raw: StartRaw) -> str:
    """What goes wrong without the gateway. Empty for nothing."""
    api = plain(raw(hostile.speak).port)
    with watched() as seen:
        try:
            found = api(hostile.path).get()
        except ResourceException as error:
            found = error
        except (SSLError, Warning):
            raise  # it has not even seen the answer
        except (Exception, RecursionError) as error:  # noqa: BLE001 - whatever kind it is, it is none of proxmoxer's
            return f"raises {type(error).__name__}, which is no error of proxmoxer"
    if hostile.is_slow and seen.seconds > 2 * DEADLINE:
        return f"takes {seen.seconds:.1f} s instead of {DEADLINE}"
    if seen.mib > MOST_MIB:
        return f"takes {seen.mib:.0f} MiB"
    return _harm_of(found, hostile)


def _harm_of(found: Any, hostile: Hostile) -> str:
    if isinstance(found, ResourceException):
        shown = f"{found} {found.errors}"
        if CANARY in shown:
            return "shows the token"
        is_good = is_clean(found.content) and "Ã" not in shown and found.status_code in (400, 403, 500)
        return "" if is_good else f"says {shown[:50]!r}"
    if hostile.is_good_row and hostile.is_good_row(found[0]):
        return ""
    return f"takes it for an answer: {str(found)[:50]!r}"


def is_refused(outcome: object, hostile: Hostile) -> bool:
    if isinstance(outcome, proxmox.ProxmoxError):
        shown = f"{outcome.plain} {outcome.reason} {getattr(outcome, 'errors', '')}"
        return shown.isprintable() and CANARY not in shown and len(outcome.plain) < 600 and "Ã" not in shown
    return hostile.is_clean is not None and hostile.is_clean(outcome)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_answer(hostile: Hostile, raw: StartRaw, tally: Tally) -> None:
    tally.seen += 1
    outcome, seen = ours(hostile, raw)
    assert is_refused(outcome, hostile), outcome
    if hostile.is_slow:
        assert isinstance(outcome, proxmox.TimedOut)
    assert seen.seconds < DEADLINE + MARGIN
    assert seen.mib <= MOST_MIB
    tally.refused += 1
    tally.mib, tally.seconds = max(tally.mib, seen.mib), max(tally.seconds, seen.seconds)
    assert harm_to_plain_proxmoxer(hostile, raw)
    tally.broken += 1


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_plain_proxmoxer_reads_a_good_answer(raw: StartRaw) -> None:
    def speak(server: RawServer, conn: Any) -> None:
        server.read_head(conn)
        conn.sendall(VERSION)

    assert plain(raw(speak).port, timeout=PATIENCE).version.get() == {"version": "9.2.11", "release": "9.2"}


def test_what_is_watched_is_seen() -> None:
    with watched() as seen:
        held = bytearray(100 * 2**20)
    assert len(held) / 2**20 <= seen.mib < 110


def test_there_are_enough_of_them() -> None:
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE) >= 80
