"""Answers that are meant to do harm: refused by the gateway, and harmful without it.

bin/test tests/clusters/proxmox/test_malformed_answers.py -s -n0 prints how many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import proxmoxer
import pytest
from proxmoxer.core import ResourceException
from requests.exceptions import SSLError

from clusters import proxmox
from tests.waits import TIMEOUT

from .malformed_answers import MALFORMED, Malformed, is_clean
from .rawserver import MARKER, VERSION, RawServer, StartRaw
from .resource_usage import Watched, watched

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
        f"\n{tally.seen} malformed answers: {tally.refused} refused, {tally.broken} would have broken plain proxmoxer; "
        f"at most +{tally.mib:.0f} MiB and {tally.seconds:.1f} s"
    )


def ours(malformed: Malformed, raw: StartRaw) -> tuple[object, Watched]:
    """The error, or what was made of the answer."""
    server = raw(malformed.speak)
    with proxmox.connect(server.config, deadline=DEADLINE) as pve, watched() as seen:
        try:
            return malformed.ask(pve), seen
        except proxmox.ProxmoxError as error:
            return error, seen


def plain(port: int, timeout: float = DEADLINE) -> proxmoxer.ProxmoxAPI:
    token = {"user": "portal@pve", "token_name": "labs", "token_value": MARKER}
    return proxmoxer.ProxmoxAPI("127.0.0.1", port=port, verify_ssl=False, timeout=timeout, **token)


def harm_to_plain_proxmoxer(malformed: Malformed, raw: StartRaw) -> str:
    """What goes wrong without the gateway. Empty for nothing."""
    api = plain(raw(malformed.speak).port)
    with watched() as seen:
        try:
            found = api(malformed.path).get()
        except ResourceException as error:
            found = error
        except (SSLError, Warning):
            raise  # it has not even seen the answer
        except (Exception, RecursionError) as error:  # noqa: BLE001 - whatever kind it is, it is none of proxmoxer's
            return f"raises {type(error).__name__}, which is no error of proxmoxer"
    if malformed.is_slow and seen.seconds > 2 * DEADLINE:
        return f"takes {seen.seconds:.1f} s instead of {DEADLINE}"
    if seen.mib > MOST_MIB:
        return f"takes {seen.mib:.0f} MiB"
    return _harm_of(found, malformed)


def _harm_of(found: Any, malformed: Malformed) -> str:
    if isinstance(found, ResourceException):
        shown = f"{found} {found.errors}"
        if MARKER in shown:
            return "shows the token"
        is_good = is_clean(found.content) and "Ã" not in shown and found.status_code in (400, 403, 500)
        return "" if is_good else f"says {shown[:50]!r}"
    if malformed.is_good_row and malformed.is_good_row(found[0]):
        return ""
    return f"takes it for an answer: {str(found)[:50]!r}"


def is_refused(outcome: object, malformed: Malformed) -> bool:
    if isinstance(outcome, proxmox.ProxmoxError):
        shown = f"{outcome.plain} {outcome.reason} {getattr(outcome, 'errors', '')}"
        return shown.isprintable() and MARKER not in shown and len(outcome.plain) < 600 and "Ã" not in shown
    return malformed.is_clean is not None and malformed.is_clean(outcome)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_a_malformed_answer(malformed: Malformed, raw: StartRaw, tally: Tally) -> None:
    tally.seen += 1
    outcome, seen = ours(malformed, raw)
    assert is_refused(outcome, malformed), outcome
    if malformed.is_slow:
        assert isinstance(outcome, proxmox.TimedOut)
    assert seen.seconds < DEADLINE + MARGIN
    assert seen.mib <= MOST_MIB
    tally.refused += 1
    tally.mib, tally.seconds = max(tally.mib, seen.mib), max(tally.seconds, seen.seconds)
    assert harm_to_plain_proxmoxer(malformed, raw)
    tally.broken += 1


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_plain_proxmoxer_reads_a_good_answer(raw: StartRaw) -> None:
    def speak(server: RawServer, conn: Any) -> None:
        server.read_head(conn)
        conn.sendall(VERSION)

    assert plain(raw(speak).port, timeout=TIMEOUT).version.get() == {"version": "9.2.11", "release": "9.2"}


def test_what_is_watched_is_seen() -> None:
    with watched() as seen:
        held = bytearray(100 * 2**20)
    assert len(held) / 2**20 <= seen.mib < 110


def test_there_are_enough_of_them() -> None:
    assert len({malformed.name for malformed in MALFORMED}) == len(MALFORMED) >= 80
