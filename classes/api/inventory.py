"""The machines that a person sees as a dynamic inventory of Ansible, with the address, port and user of each host."""

import re
from collections import defaultdict
from typing import Any

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from django.http import HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from accounts import tokens
from accounts.api import calls
from accounts.api.auth import ApiRequest
from accounts.api.schemas import Id
from classes import access
from classes.api import common
from classes.models import LabClass
from vms.access import lookups
from vms.models import Assignment, VirtualMachine
from vms.pages.remote_desktop import address_of

router = Router(tags=["inventory"])

# Ansible accepts other names of groups only with a warning, and templates cannot use them.
OTHER = re.compile(r"[^A-Za-z0-9_]+")

SSH = 22
LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")


class InventoryFilter(Schema):
    lab_class: Id | None = Field(None, alias="class", description="ID of a class: its machines alone.")


@router.get(
    "/inventory",
    openapi_extra={
        "responses": {
            200: {
                "description": "A dynamic inventory: groups with their hosts, and `_meta.hostvars`.",
                "content": {calls.JSON: {"schema": {"type": "object", "additionalProperties": {"type": "object"}}}},
            }
        }
    },
)
def get_inventory(request: ApiRequest, asked: Query[InventoryFilter]) -> HttpResponse:
    """The machines that you see, or those of a class, as `ansible-inventory` reads them. Templates are left out."""
    lab_class = common.seen(request, asked.lab_class) if asked.lab_class else None
    return calls.json_response(inventory(_machines(request, lab_class)))


def _machines(request: ApiRequest, lab_class: LabClass | None) -> QuerySet[VirtualMachine]:
    rows = lookups.visible_to(request.user).filter(gone_at=None, missing_since=None, template=False)
    found: QuerySet[VirtualMachine] = tokens.narrowed(request.auth, rows)
    if lab_class:
        found = found.filter(class_machine__lab_class=lab_class)
    groups = tokens.narrowed(request.auth, lookups.groups_for(request.user).filter(lab_class=None))
    classes = tokens.narrowed(request.auth, access.visible_to(request.user)).values("pk")
    found = found.annotate(
        class_name=Subquery(
            LabClass.objects.filter(pk__in=classes, class_machines__vm=OuterRef("pk")).order_by().values("name")[:1]
        )
    )
    return found.prefetch_related(
        Prefetch("assignments", Assignment.objects.live().select_related("user"), to_attr="held"),
        Prefetch("sets", groups, to_attr="groups"),
    ).order_by("pk")


def inventory(machines: QuerySet[VirtualMachine]) -> dict[str, Any]:
    """In three queries. A name that two machines have is followed by cluster and VMID in both."""
    rows: list[Any] = list(machines)
    names = _host_names(rows)
    groups: dict[str, list[str]] = defaultdict(list)
    for one in rows:
        for group in sorted(_groups(one)):
            groups[group].append(names[one.pk])
    found: dict[str, Any] = {group: {"hosts": hosts} for group, hosts in sorted(groups.items())}
    return found | {"_meta": {"hostvars": {names[one.pk]: _variables(one) for one in rows}}}


def _host_names(rows: list[VirtualMachine]) -> dict[int, str]:
    plain = {one.pk: _host(one.name) or f"vm-{one.vmid}" for one in rows}
    seen: dict[str, int] = defaultdict(int)
    for name in plain.values():
        seen[name] += 1
    return {
        one.pk: plain[one.pk] if seen[plain[one.pk]] == 1 else f"{plain[one.pk]}.{one.cluster_id}.{one.vmid}"
        for one in rows
    }


def _host(name: str) -> str:
    """As a host of an inventory, where a colon or a bracket would mean something else."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def _groups(one: Any) -> set[str]:
    """Of a class and of a machine group only those that the person sees."""
    named = [("cluster", one.cluster_id), ("state", one.status or "unknown")]
    named += [("class", one.class_name)] if one.class_name else []
    named += [("team", group.title) for group in one.groups]
    named += [("tag", tag) for tag in one.tags.split(";") if tag]
    return {f"{kind}_{OTHER.sub('_', name).strip('_') or 'other'}" for kind, name in named}


def _variables(one: Any) -> dict[str, Any]:
    """`ansible_host` is there while the machine's address is known, `ansible_user` where one name is its login."""
    found: dict[str, Any] = {
        "labportal_id": one.pk,
        "labportal_cluster": one.cluster_id,
        "labportal_vmid": one.vmid,
        "labportal_node": one.node,
        "labportal_status": one.status,
        "labportal_assignee": next((held.user.username for held in one.held), None),
        "ansible_port": SSH,
    }
    if address := address_of(one):
        found["ansible_host"] = address
    if LOGIN.fullmatch(one.guest_login):
        found["ansible_user"] = one.guest_login
    return found
