"""Every place where a secret of a cluster could come to light, and how to look there.

A check returns what can be read in it. `planted` is a text that it has to show: proof that a leak would be seen there.
"""

import contextlib
import io
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from auditlog.models import LogEntry as TrailEntry
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, connections
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import URLPattern, reverse
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter

import pvesim
from accounts.models import User
from clusters.config import ClusterConfig
from clusters.models import Cluster
from labportal import context, urls
from tests.conftest import PASSWORD, join
from tests.marker_secret import MarkerSecret
from tests.own_database import ON_POSTGRES, default_connection
from tests.processes import begun
from tests.waits import TIMEOUT
from vms import inventory
from vms.models import Assignment, VirtualMachine

Parts = Iterable[str | bytes]
CLUSTERS = "admin:clusters_cluster_"


@dataclass
class Stage:
    """People, a simulated cluster whose password and tokens' secrets are canaries, and what was logged meanwhile."""

    pve: pvesim.Cluster
    folder: Path
    password: MarkerSecret
    token: MarkerSecret
    reader: MarkerSecret
    log: io.StringIO
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def admin(self) -> Client:
        return self.clients["a superuser"]

    def form(self, **changes: Any) -> dict[str, Any]:
        """What the form of a cluster sends that logs in by password."""
        usual = {
            "cluster_id": "alpha", "name": "Alpha", "host": self.pve.host, "port": self.pve.port, "user": "portal@pve",
            "new_password": self.password.text, "fingerprint": self.pve.fingerprint(), "is_active": "on",
        }  # fmt: skip
        return usual | changes

    @property
    def boxes(self) -> dict[str, str]:
        """Both tokens, as they are pasted."""
        return {
            "new_token": f"portal@pve!labs={self.token.text}", "new_read_token": f"portal@pve!look={self.reader.text}",
        }  # fmt: skip

    def act(self, action: str, cluster_id: str = "alpha", **more: Any) -> Any:
        chosen = Cluster.objects.get(cluster_id=cluster_id).pk
        data = {"action": action, "_selected_action": [chosen], **more}
        return self.admin.post(reverse(f"{CLUSTERS}changelist"), data, follow=True)

    def rename(self, name: str, cluster_id: str = "alpha") -> None:
        cluster = Cluster.objects.get(cluster_id=cluster_id)
        cluster.name = name
        cluster.save(update_fields=["name"])

    def file(self, **changes: Any) -> bytes:
        """A clusters.json with an entry that is new."""
        entry = {
            "id": "from-a-file", "name": "From a file", "host": self.pve.host, "user": "portal@pve",
            "port": self.pve.port, "password": self.password.text, "token_id": "portal@pve!labs",
            "token_secret": self.token.text, "read_token_id": "portal@pve!look", "read_token_secret": self.reader.text,
        }  # fmt: skip
        return json.dumps([entry | changes]).encode()

    def upload(self, content: bytes, **ticked: str) -> Any:
        data = {"upload": SimpleUploadedFile("clusters.json", content), **ticked}
        return self.admin.post(reverse(f"{CLUSTERS}import"), data)


def set_up(stage: Stage) -> None:
    for name, user in {
        "a superuser": User.objects.create_superuser("admin", password=PASSWORD),
        "a lab administrator": join("lena", "Lab administrator"),
        "an auditor": join("otto", "Auditor"),
        "plain staff": User.objects.create_user("paul", password=PASSWORD, is_staff=True),
        "a student": User.objects.create_user("ana", password=PASSWORD),
        "nobody": None,
    }.items():
        stage.clients[name] = Client(raise_request_exception=False)
        if user:
            stage.clients[name].force_login(user)


def live_through(stage: Stage) -> None:
    """What administrators do with a cluster in its first weeks, good and bad."""
    post, login = stage.admin.post, reverse("login")
    stage.clients["nobody"].post(login, {"username": stage.password.text, "password": stage.password.text})
    stage.clients["nobody"].post(login, {"username": "admin", "password": stage.token.text})
    connection.force_debug_cursor = True  # from here on, because what is typed as a name is looked up as it is
    post(reverse(f"{CLUSTERS}test_new"), stage.form())
    assert post(reverse(f"{CLUSTERS}add"), stage.form()).status_code == 302
    beta = stage.form(cluster_id="beta", name="Beta", **stage.boxes)
    assert post(reverse(f"{CLUSTERS}add"), beta).status_code == 302
    alpha = Cluster.objects.get(cluster_id="alpha")
    assert post(reverse(f"{CLUSTERS}change", args=[alpha.pk]), stage.form(name="Alpha I")).status_code == 302
    for action in ("try_connection", "make_default", "deactivate", "activate", "make_default"):
        stage.act(action)
    stage.act("try_connection", "beta")
    _import(stage)
    assert stage.act("delete_selected", "from-a-file", post="yes").status_code == 200
    _talk(stage)


def _import(stage: Stage) -> None:
    stage.upload(stage.file(port=stage.password.text))
    preview = stage.upload(stage.file())
    stage.admin.post(reverse(f"{CLUSTERS}import"), {"shown": preview.context["shown"]})
    assert Cluster.objects.filter(cluster_id="from-a-file").exists()


def _talk(stage: Stage) -> None:
    """Conversations with the cluster: a good one, one that repeats what it was told, and one that breaks off."""
    config = Cluster.objects.get(cluster_id="alpha").config
    assert not inventory.sync(config).problem
    machine = VirtualMachine.objects.get(vmid=101)
    Assignment.objects.create(vm=machine, user=User.objects.get(username="ana"))
    stage.pve.faults.reply("/access/ticket", 400, reason=f"Not {stage.password.text}", times=2)
    stage.act("try_connection")
    stage.pve.faults.reset("/version", times=2)
    stage.act("try_connection")
    stage.pve.faults.clear()
    stage.act("try_connection")


# The places.

LeakCheck = Callable[[Stage, str], Parts]
LEAK_CHECKS: dict[str, LeakCheck] = {}


def leak_check(name: str) -> Callable[[LeakCheck], LeakCheck]:
    def add(function: LeakCheck) -> LeakCheck:
        LEAK_CHECKS[name] = function
        return function

    return add


ROLES = ("a superuser", "a lab administrator", "an auditor", "plain staff", "a student", "nobody")
SEES_CLUSTERS = ROLES[:3]


def read(answer: Any) -> Parts:
    yield answer.content
    yield repr(answer.headers)
    yield repr(answer.cookies)


def admin_addresses() -> Iterator[str]:
    """Every address of the admin, with each of the rows that there are in the place of an ID."""
    for prefix, pattern in _patterns(admin.site.get_urls(), "/admin/"):
        names = re.findall(r"<(?:\w+:)?(\w+)>", prefix)
        if not names:
            yield re.sub(r"\(\?P<app_label>(\w+).*", r"\1/", prefix)
        model = re.match(r"/admin/(\w+)/(\w+)/", prefix)
        for key in _keys(model, pattern) if len(names) == 1 else []:
            yield re.sub(r"<.*?>", str(key), prefix)


def _patterns(found: Iterable[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for one in found:
        here = prefix + str(one.pattern).replace("^", "").replace("$", "")
        if isinstance(one, URLPattern):
            if "(?P<url>" not in here:
                yield here, one
        else:
            yield from _patterns(one.url_patterns, here)


def _keys(named: re.Match[str] | None, pattern: URLPattern) -> list[Any]:
    for model in admin.site._registry:
        if named and (model._meta.app_label, model._meta.model_name) == named.groups():
            return list(model._default_manager.values_list("pk", flat=True)[:4])
    return []


def pages_of(role: str) -> LeakCheck:
    def look(stage: Stage, planted: str) -> Parts:
        client = stage.clients[role]
        with ExitStack() as place:
            if planted and role in SEES_CLUSTERS:
                stage.rename(planted)
            elif planted:
                place.enter_context(patch.object(context, "VERSION", planted))
            for address in admin_addresses():
                answer = client.get(address)
                assert answer.status_code < 500, address
                yield from read(answer)
                if planted and planted.encode() in answer.content:
                    return  # one page is proof enough

    return look


for _role in ROLES:
    LEAK_CHECKS[f"the admin as seen by {_role}"] = pages_of(_role)


@leak_check("the form shown again with errors")
def _(stage: Stage, planted: str) -> Parts:
    alpha = Cluster.objects.get(cluster_id="alpha")
    data = stage.form(name=planted or "Alpha", host="no host", **stage.boxes)
    for address in (reverse(f"{CLUSTERS}add"), reverse(f"{CLUSTERS}change", args=[alpha.pk])):
        answer = stage.admin.post(address, data)
        assert "Enter an IP address or a host name" in answer.content.decode()
        yield from read(answer)


@leak_check("confirmations of a deletion")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    alpha = Cluster.objects.get(cluster_id="alpha")
    yield from read(stage.admin.get(reverse(f"{CLUSTERS}delete", args=[alpha.pk])))
    yield from read(stage.act("delete_selected"))
    yield from read(stage.act("delete_selected", "beta"))


@leak_check("results of a connection test")
def _(stage: Stage, planted: str) -> Parts:
    alpha, data = Cluster.objects.get(cluster_id="alpha"), stage.form()
    addresses = reverse(f"{CLUSTERS}test_new"), reverse(f"{CLUSTERS}test", args=[alpha.pk])
    said = planted or stage.password.text
    stage.pve.faults.reply("/version", 500, reason=f"Not {said}")
    stage.pve.faults.reply("/access/ticket", 400, reason=f"Not {said}", times=2)
    for address in addresses:
        yield from read(stage.admin.post(address, data))
        yield from read(stage.admin.post(address, data, headers={"HX-Request": "true"}))
        yield from read(stage.admin.post(address, data | {"port": "none"}))
    stage.pve.faults.clear()
    yield from read(stage.admin.post(addresses[1], data))


@leak_check("the import: errors, preview and result")
def _(stage: Stage, planted: str) -> Parts:
    bad = stage.file(
        host=stage.password.text, user=stage.token.text, fingerprint=stage.reader.text, addresses=[stage.reader.text]
    )
    broken = stage.file()[:-9]
    changed = stage.file(
        id="alpha", token_id="", token_secret="", password=stage.password.text + "!", addresses=["b.test"]
    )
    for content in (bad, broken, b"\xff" + stage.file(), stage.file(name=planted or "File", id="fresh"), changed):
        answer = stage.upload(content, update="on", update_secrets="on", restore="on")
        yield from read(answer)
    alpha = stage.upload(stage.file(id="alpha", name=planted or "Alpha"), update="on", update_secrets="on")
    yield from read(alpha)
    yield from read(stage.admin.post(reverse(f"{CLUSTERS}import"), {"shown": "0"}, follow=True))


@leak_check("messages")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    for action in ("deactivate", "activate", "make_default", "try_connection"):
        answer = stage.act(action)
        assert answer.context["messages"]
        yield "".join(str(message) for message in answer.context["messages"])
        yield repr(stage.admin.cookies)


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


# Where an exception can arise while a secret is at hand, and what leads there.
LAYERS = {
    "form": "clusters.forms.ClusterForm._check_present",
    "model": "django.db.models.Model.save_base",
    "cipher": "clusters.fields.encrypted.encrypt_str",
    "gateway": "urllib3.connectionpool.HTTPConnectionPool.urlopen",
    "parser": "clusters.config.file.config_of",
    "plan": "clusters.importing.plan",
    "login": "django.contrib.auth.base_user.check_password",
}


def break_everywhere(stage: Stage, message: str) -> Iterator[Any]:
    """The answers of the portal when something breaks, layer by layer."""
    alpha = Cluster.objects.get(cluster_id="alpha")
    for layer, place in LAYERS.items():
        with patch(place, side_effect=RuntimeError(message)) as broken:
            if layer in {"parser", "plan"}:
                answer = stage.upload(stage.file())
            elif layer == "gateway":
                answer = stage.admin.post(reverse(f"{CLUSTERS}test_new"), stage.form(cluster_id="new"))
            elif layer == "login":
                typed = {"username": "admin", "password": stage.password.text}
                answer = stage.clients["nobody"].post(reverse("login"), typed)
            else:
                answer = stage.admin.post(reverse(f"{CLUSTERS}change", args=[alpha.pk]), stage.form(name=layer))
            assert broken.called, layer
        assert answer.status_code == 500, layer
        yield answer


@leak_check("error pages")
def _(stage: Stage, planted: str) -> Parts:
    said = patch.object(urls, "handler500", lambda _: HttpResponse(planted, status=500)) if planted else ExitStack()
    with said:
        for answer in break_everywhere(stage, planted or "broken"):
            yield from read(answer)


@leak_check("error pages with DEBUG on")
def _(stage: Stage, planted: str) -> Parts:
    with override_settings(DEBUG=True):
        for answer in break_everywhere(stage, planted or "broken"):
            assert "RuntimeError" in answer.content.decode()
            yield from read(answer)


@leak_check("mail about errors")
def _(stage: Stage, planted: str) -> Parts:
    handler, logger = AdminEmailHandler(include_html=True), logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        with override_settings(ADMINS=[("Admin", "admin@portal.test")]):
            list(break_everywhere(stage, planted or "broken"))
    finally:
        logger.removeHandler(handler)
    assert len(mail.outbox) >= len(LAYERS)
    for message in mail.outbox:
        yield message.message().as_string()
        yield message.body
        yield from (str(content) for content, _ in message.alternatives)
    mail.outbox.clear()


@leak_check("reports of exceptions")
def _(stage: Stage, planted: str) -> Parts:
    """As a worker or a command has them: without a request, with the credential opened."""
    config = Cluster.objects.get(cluster_id="alpha").config
    for debug in (False, True):
        with override_settings(DEBUG=debug), patch(LAYERS["gateway"], side_effect=RuntimeError(planted or "broken")):
            try:
                inventory.sync(config)
            except RuntimeError:
                kind, error, where = sys.exc_info()
                reporter = ExceptionReporter(None, kind, error, where)
                yield reporter.get_traceback_text()
                yield reporter.get_traceback_html()
                yield traceback.format_exc()


@leak_check("command lines")
def _(stage: Stage, planted: str) -> Parts:
    path = stage.folder / "clusters.json"
    path.write_bytes(stage.file(id="by-command"))
    commands = ["manage.py", "import_clusters", str(path)], ["manage.py", "export_clusters", "--sealed"]
    extra = [["-c", "import time; time.sleep(5)", planted]] if planted else []
    for command in (*commands, *extra):
        with begun(*command) as program:
            seen = 0
            while program.poll() is None and seen < (20 if planted else 400):
                lines = [line for line in _command_lines() if b"manage.py" in line or b"time" in line]
                yield from lines
                seen += planted not in command or any(planted.encode() in line for line in lines)  # not yet
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
        yield _printed(*command)


def _printed(*command: str) -> str:
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
        text = _printed("export_clusters", *options)
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


@leak_check("GET /api/clusters")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    for role in ROLES:
        yield from read(stage.clients[role].get(reverse("api-clusters")))


@leak_check("pages of the portal")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        stage.rename(planted)
    machine = VirtualMachine.objects.get(vmid=101)
    for role in ROLES:
        for address in ("/", "/vms/", f"/vms/{machine.pk}/start/", "/healthz", "/accounts/login/", "/nowhere"):
            yield from read(stage.clients[role].get(address))


@leak_check("the page before the first import")
def _(stage: Stage, planted: str) -> Parts:
    path = stage.folder / "first.json"
    path.write_bytes(stage.file(name=planted or "First"))
    before = patch("vms.registry._active_rows", return_value=[])
    never = patch("vms.registry.Adoption.objects.exists", return_value=False)
    with before, never, override_settings(CLUSTER_CONFIG_FILE=str(path)):
        for role in ROLES:
            yield from read(stage.clients[role].get("/vms/"))
        page = stage.admin.get(reverse("admin:index"))
        assert "Clusters do not come from the database" in page.content.decode()
        yield from read(page)


@leak_check("without a database")
def _(stage: Stage, planted: str) -> Parts:
    path = stage.folder / "second.json"
    path.write_bytes(stage.file(name=planted or "Second"))
    nowhere: dict[str, Any] = {"NAME": "/nonexistent/lab_portal.db"}
    if ON_POSTGRES:
        nowhere = {"HOST": "127.0.0.1", "PORT": "1", "OPTIONS": {"pool": False}}
    with default_connection(**nowhere), override_settings(CLUSTER_CONFIG_FILE=str(path)):
        yield _printed("clusters", "list")
        yield _printed("clusters", "test", "from-a-file")
        yield _printed("doctor")
        for address in ("/healthz", "/vms/", "/admin/"):
            yield from read(stage.admin.get(address))


@leak_check("caches and pickles")
def _(stage: Stage, planted: str) -> Parts:
    if planted:
        cache.set("planted", planted)
    cluster = Cluster.objects.get(cluster_id="alpha")
    for thing in (cluster, cluster.config, cluster.password, list(Cluster.objects.values()), Cluster.objects.all()):
        with contextlib.suppress(TypeError):
            yield pickle.dumps(thing)
    yield from cache._cache.values()


@leak_check("the log at DEBUG")
def _(stage: Stage, planted: str) -> Parts:
    """The last one, because what all the others did is in it."""
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


__all__ = ["LEAK_CHECKS", "Stage", "live_through", "logged_at_debug", "set_up"]
