"""A process of one kind up to its first work: `python -m tests.bench.started worker` prints what that took, as JSON."""

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from unittest import mock

import django
from django.core.management import call_command


def bare() -> None:
    """Django alone, with `tests.bench.bare_settings`."""


def command() -> None:
    call_command("check", stdout=mock.Mock(), stderr=mock.Mock())


def worker() -> None:
    process = import_module("vms.worker")
    with mock.patch.object(process.Worker, "run", return_value=True), mock.patch("signal.signal"):
        call_command("worker", skip_checks=False, stdout=mock.Mock(), stderr=mock.Mock())


def web() -> None:
    import_module("labportal.asgi")


KINDS = {act.__name__: act for act in (bare, command, worker, web)}

if __name__ == "__main__":
    django.setup()
    KINDS[sys.argv[1]]()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = {
        "cpu": time.process_time() * 1000,
        "memory": int(status.partition("VmHWM:")[2].split()[0]) / 1024,
        "modules": sorted(sys.modules),
    }
    print(json.dumps(found))
