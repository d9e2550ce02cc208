"""Leak checks of commands and of the log: what they print, export, and show of themselves."""

import contextlib
import io
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from clusters.config import ClusterConfig
from clusters.models import Cluster
from tests.clusters.leak_stage import LEAK_CHECKS, LeakCheck, Parts, Stage, leak_check
from tests.processes import begun


@leak_check("command lines")
def _(stage: Stage, planted: str) -> Parts:
    path = stage.folder / "clusters.json"
    path.write_bytes(stage.file(id="by-command"))
    commands = ["manage.py", "import_clusters", str(path)], ["manage.py", "export_clusters", "--sealed"]
    extra = [["-c", "import time; time.sleep(5)", planted]] if planted else []
    for command in (*commands, *extra):
        with begun(*command) as program:
            seen = 0
            while program.poll() is None and seen < (20 if planted else 200):
                lines = [line for line in _command_lines() if b"manage.py" in line or b"time" in line]
                yield from lines
                seen += planted not in command or any(planted.encode() in line for line in lines)  # not yet
                time.sleep(0.005)
            assert seen


def _command_lines() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (process / "cmdline").read_bytes()


@leak_check("what commands print")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    path = stage.folder / "clusters.json"
    path.write_bytes(stage.file(id="alpha", password=stage.password.text + "!"))
    bad = stage.folder / "bad.json"
    bad.write_bytes(stage.file(host=stage.password.text, port=stage.token.text))
    for command in (
        ["clusters", "list"], ["clusters", "test", "alpha"], ["clusters", "test", "beta"], ["doctor"],
        ["check", "--deploy"], ["rotate_encryption_key", "--check"], ["rotate_encryption_key"],
        ["import_clusters", str(path), "--dry-run", "--update", "--update-secrets"], ["import_clusters", str(bad)],
        ["export_clusters"],
    ):  # fmt: skip
        yield printed(*command)


def printed(*command: str) -> str:
    out = io.StringIO()
    try:
        call_command(*command, stdout=out, stderr=out)
    except SystemExit:
        pass
    except Exception as error:  # noqa: BLE001 - what it says is what counts
        out.write(f"{error}\n{traceback.format_exc()}")
    assert out.getvalue()
    return out.getvalue()


def export(*options: str) -> LeakCheck:
    def look(stage: Stage, planted: str) -> Parts:
        if planted:
            stage.rename(planted)
        text = printed("export_clusters", *options)
        assert '"id": "alpha"' in text
        return [text]

    return look


LEAK_CHECKS["an export"] = export()
LEAK_CHECKS["a sealed export"] = export("--sealed")


@leak_check("rows and configurations as text")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    for cluster in Cluster.objects.all():
        for thing in (cluster, cluster.config, cluster.to_safe_dict(), cluster.__dict__, cluster.password):
            yield from (str(thing), repr(thing), f"{thing}", "%s" % (thing,))  # noqa: UP031 - one way more
        revealed: ClusterConfig = cluster.config
        if revealed.password:
            revealed.password.reveal()
        yield repr(revealed)


@leak_check("the log at DEBUG")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        logging.getLogger("urllib3.connectionpool").debug("POST %s", planted)
    text = stage.log.getvalue()
    assert "clusters" in text
    assert "urllib3" in text or not planted
    return [text]


@contextmanager
def logged_at_debug() -> Iterator[io.StringIO]:
    """Everything that any logger has to say, whatever level the settings give it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(exc_text)s"))
    names = ["", "proxmoxer", "proxmoxer.core", "urllib3", "requests", "axes", "django.db.backends"]
    levels = {name: logging.getLogger(name).level for name in names}
    root, django = logging.getLogger(), logging.getLogger("django")
    others, root.handlers, django.handlers = (root.handlers, django.handlers), [handler], []
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        connection.force_debug_cursor = False
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        root.handlers, django.handlers = others
