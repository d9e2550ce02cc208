"""Leak checks of pages: of the admin, of the portal, and of its API."""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from django.contrib import admin
from django.test.utils import override_settings
from django.urls import URLPattern, reverse

from clusters.models import Cluster
from labportal import context
from tests.clusters.leak_stage import CLUSTERS, LEAK_CHECKS, LeakCheck, Parts, Stage, leak_check
from vms.models import VirtualMachine

ROLES = ("a superuser", "a lab administrator", "an auditor", "plain staff", "a student", "nobody")
SEES_CLUSTERS = ROLES[:3]


def read(answer: Any) -> Parts:
    yield answer.content
    yield repr(answer.headers)
    yield repr(answer.cookies)


def admin_addresses() -> Iterator[str]:
    """Every address of the admin, with rows in the place of an ID."""
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
            # One logs in by password and one by tokens; what other rows hold, another check reads from the tables.
            most = 2 if model is Cluster else 1
            return list(model._default_manager.values_list("pk", flat=True)[:most])
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
