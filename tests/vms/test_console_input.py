"""When people last used a console's keys or pointer: an open console alone is no use."""

import asyncio
import struct
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import Error, InterfaceError, OperationalError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab
from tests.vms.console_client import Portal, browser_of, eventually, key, permit, portal
from vms.console import client_messages, input_times
from vms.models import VirtualMachine

__all__ = ["portal"]

POINTER = struct.pack(">BBHH", 5, 0, 10, 10)
KEY_WITH_CODE = struct.pack(">BBHII", 255, 0, 1, 97, 30)
SIZE = struct.pack(">BBHHBB", 251, 0, 640, 480, 0, 0)


@pytest.mark.parametrize("message", [key(97), POINTER, KEY_WITH_CODE])
def test_keys_and_pointer_are_input(message: bytes):
    passing = client_messages.control()
    passing.feed(message[:3])
    assert not passing.has_input
    passing.feed(message[3:])
    assert passing.has_input


@pytest.mark.parametrize("message", [b"\x03\0" + bytes(8), SIZE, b"\x06\0\0\0\0\0\0\x01a", b"\xff\x01\0\0"])
def test_requests_sizes_clipboard_and_sound_are_not(message: bytes):
    passing = client_messages.control()
    passing.feed(message)
    assert not passing.has_input


def test_nor_is_what_a_viewer_may_not_send():
    passing = client_messages.view_only()
    passing.feed(key(97) + POINTER)
    assert not passing.has_input


@pytest.fixture
def machine(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(102, ana)


def written(machine: VirtualMachine) -> datetime | None:
    found: datetime | None = VirtualMachine.objects.values_list("console_input_at", flat=True).get(pk=machine.pk)
    return found


@pytest.mark.django_db
def test_it_is_written_once_a_minute_by_any_number_of_processes(
    machine: VirtualMachine, monkeypatch: pytest.MonkeyPatch
):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert [input_times.write(machine.pk) for _process in range(3)] == [True, False, False]
    begin, now = now, now + timedelta(seconds=59)
    assert (input_times.write(machine.pk), written(machine)) == (False, begin)
    now += timedelta(seconds=1)
    assert (input_times.write(machine.pk), written(machine)) == (True, now)
    now -= timedelta(hours=1)  # the clock was ahead
    assert (input_times.write(machine.pk), written(machine)) == (True, now)


@pytest.mark.parametrize("error", [OperationalError("database is locked"), InterfaceError("connection closed")])
def test_a_database_that_fails_closes_no_console(monkeypatch: pytest.MonkeyPatch, error: Error):
    def fail(*_args: Any, **_named: Any) -> None:
        raise error

    monkeypatch.setattr(VirtualMachine.objects, "filter", fail)
    assert input_times.write(1) is False


def test_the_first_input_is_written_at_once_and_more_after_a_minute(monkeypatch: pytest.MonkeyPatch):
    writes: list[int] = []

    async def write(_work: Any, machine: int) -> None:
        writes.append(machine)

    monkeypatch.setattr(input_times, "run_in_thread", write)
    monkeypatch.setattr(input_times, "WRITTEN_EVERY", timedelta(seconds=0.05))

    async def story() -> list[int]:
        passed, counts = asyncio.Event(), []
        task = asyncio.ensure_future(input_times.record(7, passed))
        for pressed, pause in ((False, 0.1), (True, 0.01), (True, 0.01), (False, 0.1), (False, 0.1)):
            if pressed:
                passed.set()
            await asyncio.sleep(pause)
            counts.append(len(writes))
        task.cancel()
        return counts

    assert asyncio.run(story()) == [0, 1, 1, 2, 2]


@pytest.mark.usefixtures("own_database")
def test_an_open_console_counts_with_its_first_input(portal: Portal, machine: VirtualMachine, ana: User):
    of_ana: Client = browser_of(ana)
    viewer = portal.view(permit(of_ana, machine.pk), of_ana)
    assert viewer.sees_something()
    assert written(machine) is None
    viewer.send(key(ord("h")))
    assert eventually(lambda: written(machine) is not None)
