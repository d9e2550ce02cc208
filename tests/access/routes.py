"""Every route of the site as the URL configuration has it, and an address for each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import get_resolver

from accounts.models import User
from labportal import api
from tests.access.school import World
from tests.access.two_classes import FIRST_DAY, LINK

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
REGEX = re.compile(r"\^?\(\?P<(\w+)>.*?\)(/?)\$")
# Whose primary key `pk` is, by the beginning of the route; otherwise it is the machine's.
PKS = {
    "admin/clusters/": "clusters.cluster",
    "admin/vms/machinetemplate/": "vms.machinetemplate",
    "sets/": "classes.set",
    "batches/": "vms.batch",
    "runs/": "vms.provisioningrun",
    "classes/": "classes.labclass",
    "admin/accounts/user/": "accounts.user",
    "admin/accounts/directory/": "accounts.directory",
    "admin/accounts/provider/": "accounts.provider",
    "admin/accounts/trustedheader/": "accounts.trustedheader",
    "accounts/profile/tokens/": "accounts.apitoken",
}
PAGES = ("", "add/", "<path:object_id>/change/", "<path:object_id>/delete/", "<path:object_id>/history/")


def routes() -> list[str]:
    """As they are written in the `urls` modules, like `vms/<int:pk>/note/`; of a regular expression its names."""
    return list(_walk(get_resolver()))


def _walk(resolver: Any, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from _walk(entry, route)
        else:
            yield REGEX.sub(r"<\1>\2", route)


@dataclass(frozen=True)
class ModelPage:
    """One of the five pages that the admin has for a model, and a sixth that leads to the third."""

    model: str
    page: str


@cache
def model_pages() -> dict[str, ModelPage]:
    """By route."""
    return {
        f"admin/{model._meta.app_label}/{model._meta.model_name}/{page}": ModelPage(model._meta.label_lower, page)
        for model in admin.site._registry
        for page in (*PAGES, "<path:object_id>/")
    }


def values(world: World, route: str) -> dict[str, Any]:
    """What stands for the parameters of a route: the assignee's machine, its cluster, its snapshot. Add yours here."""
    found = {
        "pk": _pk(world, route),
        "name": "lesson-1",
        "action": "start",
        "cluster_id": "building-1",
        "id": world.rows["accounts.user"],
        "content_type_id": ContentType.objects.get_for_model(User).pk,
        "object_id": world.rows["accounts.user"],
        "app_label": "vms",
        "url": "nothing/of/this/name",
        "operation": world.rows["vms.operation"],
        "identity": world.rows["accounts.signinidentity"],
        "token": LINK,
        **of_class(world.rows),
    }
    if route.startswith("api/v1/"):
        found |= of_api(world, route)
    if page := model_pages().get(route):
        found["object_id"] = world.rows[page.model]
    return found


def _pk(world: World, route: str) -> Any:
    return world.rows[next((row for start, row in PKS.items() if route.startswith(start)), "vms.virtualmachine")]


def api_methods() -> dict[str, set[str]]:
    """The methods of each route of the API."""
    found: dict[str, set[str]] = {}
    for router in api.api._get_bound_routers():
        for path, view in router.path_operations.items():
            route = api.PREFIX + re.sub(r"{(\w+:)?(\w+)}", r"<\1\2>", path).lstrip("/")
            found[route] = {method for one in view.operations for method in one.methods}
    return found


def of_api(world: World, route: str) -> dict[str, Any]:
    """What stands for the parameters of the API's routes: of the assignee's machine."""
    things = {
        "operations/": "vms.operation",
        "batches/": "vms.batch",
        "classes/": "classes.labclass",
        "runs/": "vms.provisioningrun",
    }
    below = route.removeprefix(api.PREFIX)
    row = next((row for start, row in things.items() if below.startswith(start)), "vms.virtualmachine")
    return {"id": world.rows[row], "vmid": world.machine.vmid, "rest": "nothing"}


def of_class(rows: dict[str, Any]) -> dict[str, Any]:
    """What stands for the parameters that name something of a class."""
    return {
        "vm": rows["classes.machine"],
        "member": rows["classes.membership"],
        "invite": rows["classes.invite"],
        "person": rows["classes.co_owner"],
        "person_pk": rows["classes.member"],
        "made_pk": rows["vms.mademachine"],
        "help_pk": rows["vms.helprequest"],
        "free": rows["classes.free"],
        "lesson": rows["classes.lesson"],
        "exception": rows["classes.lessonexception"],
        "day": FIRST_DAY,
        "grant": rows["vms.clustergrant"],
    }


def address(world: World, route: str) -> str:
    return f"/{fill(route, values(world, route))}"


def fill(route: str, found: dict[str, Any]) -> str:
    """Put values in the place of parameters. One without a value is an error that names it."""
    return PARAMETER.sub(lambda match: quote(str(found[match[1]]), safe=""), route)
