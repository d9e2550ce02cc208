"""What can go wrong with consoles."""

from __future__ import annotations

import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pvesim import Cluster, Control
from tests.waits import wait_until

from .conftest import Api
from .console_helpers import UNANSWERED, WEB, ends, opened
from .vnc_client import Viewer


def test_open_consoles_break_off(boss: Api, lab: Cluster) -> None:
    with opened(boss) as viewer:
        lab.faults.console_dropped(102)
        viewer.type("a")
        wait_until(lambda: lab.keys_typed(101) == "a")
        lab.faults.console_dropped(101)
        ends(viewer)


def test_websockets_are_refused_or_not_even_answered(boss: Api, lab: Cluster) -> None:
    lab.faults.console_refused(503, "Service Unavailable", times=1)
    lab.faults.console_unanswered(times=1)
    with pytest.raises(InvalidStatus, match="503"):
        Viewer(boss, WEB)
    with pytest.raises(UNANSWERED):
        Viewer(boss, WEB)
    Viewer(boss, WEB).close()


def test_consoles_fall_silent_and_recover(boss: Api, lab: Cluster) -> None:
    with opened(boss) as viewer:
        lab.faults.console_stalled()
        viewer.type("a")
        viewer.ask()
        with Viewer(boss, WEB) as other, pytest.raises(TimeoutError):
            other.receive(1, timeout=0.2)
        assert not viewer.websocket.ping().wait(0.1)
        lab.faults.undo()
        assert viewer.update()


def test_whoever_leaves_a_silent_console_is_gone(boss: Api, lab: Cluster) -> None:
    lab.faults.console_stalled()
    Viewer(boss, WEB).close()
    wait_until(lambda: (lab.consoles_open(), lab.consoles_opened()) == (0, 1))


def test_the_right_password_is_wrong(boss: Api, lab: Cluster) -> None:
    lab.faults.console_password_wrong()
    with Viewer(boss, WEB) as viewer:
        assert viewer.log_in() == 1
    lab.faults.undo()
    with Viewer(boss, WEB) as viewer:
        assert viewer.log_in() == 0


def test_every_ticket_comes_too_late(boss: Api, lab: Cluster) -> None:
    lab.faults.console_ticket_expired()
    with pytest.raises(InvalidStatus, match="401"):
        Viewer(boss, WEB)
    lab.faults.undo()
    Viewer(boss, WEB).close()


def test_a_frame_is_larger_than_a_client_takes(boss: Api, lab: Cluster) -> None:
    lab.faults.console_oversized(2 << 20)
    with Viewer(boss, WEB, max_size=1 << 20) as viewer, pytest.raises(ConnectionClosed) as caught:
        viewer.receive(13)
    assert caught.value.sent
    assert caught.value.sent.code == 1009


def test_a_slow_display(boss: Api, lab: Cluster) -> None:
    lab.faults.console_slow(60)
    with Viewer(boss, WEB) as viewer:
        began = time.monotonic()
        assert viewer.receive(12) == b"RFB 003.008\n"
        assert time.monotonic() - began > 0.05


def test_faults_of_consoles_can_be_caused_by_http(boss: Api, lab: Cluster, sim: object) -> None:
    with Control(sim) as control, opened(boss) as viewer:  # type: ignore[arg-type]
        control.cause("console-dropped", {"vmid": "101"})
        ends(viewer)
