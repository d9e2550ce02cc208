"""Leak checks of what is stored: tables, files of the database, dumps, caches."""

import contextlib
import io
import os
import pickle
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from auditlog.models import LogEntry as TrailEntry
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.urls import reverse

from accounts.models import User
from clusters.models import Cluster
from tests.clusters.leak_stage import LEAK_CHECKS, LeakCheck, Parts, Stage, leak_check
from tests.own_database import ON_POSTGRES
from tests.waits import TIMEOUT


def rows(*models: Any) -> Parts:
    for model in models:
        yield repr(list(model.objects.values()))


@leak_check("the history of Django")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
        stage.act("deactivate")
        stage.act("activate")
    assert LogEntry.objects.count() > 5
    return rows(LogEntry)


@leak_check("the audit trail")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    assert TrailEntry.objects.count() > 5
    return rows(TrailEntry)


@leak_check("attempts to log in")
def _(stage: Stage, planted: str) -> Parts:
    assert AccessAttempt.objects.count() > 1
    if planted:
        User.objects.create(username=planted)
        stage.clients["nobody"].post(reverse("login"), {"username": planted, "password": "x"})
    return rows(AccessAttempt, AccessFailureLog, AccessLog)


@leak_check("sessions")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        session = SessionStore()
        session["place"] = planted
        session.save()
    assert Session.objects.count() > 3
    for session in Session.objects.all():
        yield repr(session.get_decoded())
        yield session.session_data


@leak_check("every row of every table")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - from the schema
            yield repr(cursor.fetchall())


@leak_check("the database's files, or its dump")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    name = Path(connections.settings["default"]["NAME"])
    if not ON_POSTGRES:
        found = sorted(name.parent.glob(f"{name.name}*"))
        assert [path.suffix for path in found] == [".db", ".db-shm", ".db-wal"]
        # By another process: closing a file drops the locks that SQLite has on it in the same process.
        return [subprocess.run(["cat", *map(str, found)], capture_output=True, check=True, timeout=TIMEOUT).stdout]
    if not shutil.which("pg_dump"):
        return LEAK_CHECKS["every row of every table"](stage, "")
    url = os.environ["DATABASE_URL"]
    host = re.sub(r"^\w+://[^/]*@/?", "/", url).rsplit("/", 1)[0]
    settings = connections.settings["default"]
    where = ["--host", settings["HOST"] or host, "--username", settings["USER"], settings["NAME"]]
    dump = subprocess.run(["pg_dump", *where], capture_output=True, check=True, timeout=TIMEOUT)
    assert b"COPY public.clusters " in dump.stdout
    return [dump.stdout]


def fixture(kind: str) -> LeakCheck:
    def look(stage: Stage, planted: str) -> Parts:
        if planted:
            stage.rename(planted)
        out = io.StringIO()
        call_command("dumpdata", format=kind, stdout=out)
        assert "portal@pve" in out.getvalue()
        return [out.getvalue()]

    return look


for _kind in ("json", "jsonl", "xml"):
    LEAK_CHECKS[f"dumpdata as {_kind}"] = fixture(_kind)


@leak_check("caches and pickles")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        cache.set("planted", planted)
    cluster = Cluster.objects.get(cluster_id="alpha")
    for thing in (cluster, cluster.config, cluster.password, list(Cluster.objects.values()), Cluster.objects.all()):
        with contextlib.suppress(TypeError):
            yield pickle.dumps(thing)
    yield from cache._cache.values()
