"""Names on which others rely: links, scripts, units of systemd, `.env` files, reports, groups that a school made.

They are read from the running product, in lines that say what there is and nothing of where in the code it is.
"""

import ast
import json
import re
import sys
from argparse import SUPPRESS, ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from auditlog.registry import auditlog
from django.apps import apps
from django.conf import settings
from django.contrib.auth.management import _get_all_permissions
from django.contrib.auth.models import Group
from django.core.management import BaseCommand, get_commands, load_command_class
from django.db.models import Field, Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django_tasks.base import Task

from accounts import stored_messages
from clusters.models import Cluster

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("accounts", "clusters", "vms", "classes", "labportal")

# Django's own options.
OF_ALL_COMMANDS = {action.dest for action in BaseCommand().create_parser("", "")._actions} | {"skip_checks"}

Section = Callable[[], Iterable[str]]


def own_models() -> list[type[Model]]:
    found = [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in ROOMS]
    return sorted(found, key=lambda model: model._meta.db_table)


# Addresses


def _patterns(resolver: URLResolver, prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    for one in resolver.url_patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _patterns(one, path, f"{space}{one.namespace}:" if one.namespace else space)
        elif isinstance(one, URLPattern):
            yield path, f"{space}{one.name}" if one.name else ""


def _is_of_others(name: str) -> bool:
    """The pages of packages in the admin."""
    return name.startswith("admin:") and not any(name.startswith(f"admin:{room}_") for room in ROOMS)


def addresses() -> Iterator[str]:
    for path, name in _patterns(get_resolver()):
        if not path.startswith("admin/") and not _is_of_others(name):
            yield f"/{path}  {name}".rstrip()


def admin_addresses() -> Iterator[str]:
    for path, name in _patterns(get_resolver()):
        if path.startswith("admin/") and not _is_of_others(name):
            yield f"/{path}  {name}".rstrip()


# Commands


def _options(parser: ArgumentParser, of_all: set[str], before: str) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, below in action.choices.items():
                yield f"{before} {name}"
                yield from _options(below, of_all, f"{before} {name}")
        elif action.dest not in of_all and action.help != SUPPRESS:
            yield f"{before} {' '.join(action.option_strings) or f'<{action.dest}>'}"


def commands() -> Iterator[str]:
    for name, app in get_commands().items():
        if app not in ROOMS or name in {"makemigrations", "migrate"}:
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        yield name
        yield from _options(parser, OF_ALL_COMMANDS, name)


# Variables of the environment


def _variables(code: str, *, called: str) -> Iterator[str]:
    """The first argument of calls of functions whose name matches."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.args[0].value
            is_name = isinstance(name, str) and name.isidentifier() and name.isupper()
            if is_name and re.fullmatch(called, ast.unparse(node.func)):
                yield name


def variables() -> set[str]:
    """Those of the settings, and what the product reads besides."""
    found = set(
        _variables((ROOT / "labportal/settings.py").read_text(encoding="utf-8"), called=r"\w+|environment\.\w+")
    )
    for path in (path for room in (*ROOMS, "pvesim") for path in (ROOT / room).rglob("*.py")):
        found |= set(_variables(path.read_text(encoding="utf-8"), called=r"os\.(environ\.get|getenv)"))
    return found


# The database


def _column(field: Field[Any, Any]) -> str:
    width = f"({field.max_length})" if field.max_length else ""
    to = f" → {field.related_model._meta.db_table}" if field.related_model else ""
    values = [str(value) for value, _label in field.flatchoices]
    choices = f" {{{' | '.join(values)}}}" if values else ""
    return f"{field.get_internal_type()}{width}{to}{' null' if field.null else ''}{choices}"


def columns() -> Iterator[str]:
    for model in own_models():
        for field in model._meta.concrete_fields:
            yield f"{model._meta.db_table}.{field.column}  {_column(field)}"


def constraints() -> Iterator[str]:
    for model in own_models():
        for one in model._meta.constraints:
            yield f"{model._meta.db_table}: {one.name}  {type(one).__name__}"
        for index in model._meta.indexes:
            yield f"{model._meta.db_table}: {index.name}  {type(index).__name__}"


def permissions() -> Iterator[str]:
    for model in own_models():
        if not model._meta.auto_created:
            for codename, _label in _get_all_permissions(model._meta):
                yield f"{model._meta.app_label}.{codename}"


def content_types() -> Iterator[str]:
    for model in own_models():
        if not model._meta.auto_created:
            yield f"{model._meta.app_label}.{model._meta.model_name}"


def groups() -> Iterator[str]:
    for group in Group.objects.prefetch_related("permissions__content_type"):
        yield group.name
        for one in group.permissions.all():
            yield f"{group.name}: {one.content_type.app_label}.{one.codename}"


def audited() -> Iterator[str]:
    """Models whose changes are in the audit trail, with what is left out and what is masked."""
    for model in auditlog.get_models():
        fields = auditlog.get_model_fields(model)
        yield model._meta.label_lower
        for kind in ("exclude_fields", "mask_fields"):
            for name in sorted(fields[kind]):
                yield f"{model._meta.label_lower}: {kind.partition('_')[0]} {name}"


# What is stored, and read by the next version


def tasks() -> Iterator[str]:
    """The names under which work waits in the queue."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ROOMS:
            for one in vars(module).values():
                if isinstance(one, Task):
                    yield f"{one.module_path}  {one.queue_name}"


def schedule() -> Iterator[str]:
    """The names of what is done regularly, as rows remember when it is next."""
    for name, module in list(sys.modules.items()):
        lines = getattr(module, "PERIODIC_JOBS", None) if name.split(".")[0] in ROOMS else None
        if isinstance(lines, dict):
            yield from lines


def sessions() -> Iterator[str]:
    """What the session of somebody who is logged in names: without it, everybody is logged out."""
    for path in settings.AUTHENTICATION_BACKENDS:
        yield f"logged in by {path}"
    yield f"cookie {settings.SESSION_COOKIE_NAME}"
    yield f"signed with {import_module(settings.SESSION_ENGINE).SessionStore().key_salt}"


# What programs read


def _keys(value: Any, before: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield f"{before} {key}"
            yield from _keys(below, f"{before} {key}")
    elif isinstance(value, list):
        for below in value:
            yield from _keys(below, f"{before} []")


def json_keys() -> Iterator[str]:
    """For a database with an administrator who sees one cluster: see the test."""
    client = Client()
    for path in ("/healthz", "/readyz", "/api/clusters"):
        yield from _keys(client.get(path).json(), f"GET {path}, anonymous:")
    yield from _keys(client.post("/api/switch-cluster").json(), "POST /api/switch-cluster, anonymous:")
    client.force_login(apps.get_model("accounts", "User").objects.get(is_superuser=True))
    yield from _keys(client.get("/api/clusters").json(), "GET /api/clusters:")
    body = json.dumps({"cluster_id": Cluster.objects.get().cluster_id})
    switched = client.post("/api/switch-cluster", body, content_type="application/json")
    yield from _keys(switched.json(), "POST /api/switch-cluster {cluster_id}:")
    for name in ("to_dict", "to_safe_dict"):
        yield from _keys(getattr(Cluster.objects.get(), name)(), f"Cluster.{name}():")


def metrics() -> Iterator[str]:
    said = Client().get(reverse("metrics"), headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).content
    for line in said.decode().splitlines():
        if line.startswith("# TYPE "):
            yield line.removeprefix("# TYPE ")


SECTIONS: dict[str, Section] = {
    "Addresses": addresses,
    "Addresses of the administration": admin_addresses,
    "Commands": commands,
    "Variables": variables,
    "Tables and columns": columns,
    "Constraints and indexes": constraints,
    "Permissions": permissions,
    "Content types": content_types,
    "Groups": groups,
    "Audit trail": audited,
    "Tasks in the queue": tasks,
    "Schedule": schedule,
    "Sessions": sessions,
    "Stored messages": stored_messages.codes,
    "JSON": json_keys,
    "Metrics": metrics,
}


def text(version: str) -> str:
    parts = [f"What outsiders see of Lab Portal {version}."]
    for heading, section in SECTIONS.items():
        parts += ["", f"## {heading}", "", *sorted(set(section()))]
    return "\n".join(parts) + "\n"
