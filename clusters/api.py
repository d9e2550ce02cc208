"""Clusters in the API: what everybody may know of the clusters on which they have machines."""

from datetime import datetime

from django.apps import apps
from django.db.models import Exists, OuterRef, QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import BaseModel, Field

from accounts import tokens
from accounts.api.auth import ApiRequest
from accounts.api.paging import Page, Paging, page_of
from accounts.api.schemas import Line
from accounts.models import User
from clusters.models import Cluster

router = Router(tags=["clusters"])


class ClusterOut(BaseModel):
    id: str = Field(examples=["building-a"])
    name: str
    is_default: bool
    is_restricted: bool = Field(description="Whether it can be used only with a grant.")
    answers: bool | None = Field(description="Whether it answered at the last contact; null: never asked.")
    version: str = Field(description="Of Proxmox VE, as it said last.")
    last_answer_at: datetime | None


def visible_to(user: User) -> QuerySet[Cluster]:
    """Active clusters with a machine that the user sees; all active ones for staff who see all machines."""
    clusters: QuerySet[Cluster] = Cluster.objects.filter(is_active=True).select_related("health")
    if user.is_staff and user.has_perm("vms.view_virtualmachine"):
        return clusters
    machines = apps.get_model("vms", "VirtualMachine").objects.visible_to(user).filter(template=False)
    return clusters.filter(Exists(machines.filter(cluster=OuterRef("cluster_id"))))


@router.get("/clusters", response=Page[ClusterOut])
def list_clusters(request: ApiRequest, paging: Query[Paging]) -> Page[ClusterOut]:
    """The clusters on which you have machines."""
    rows = tokens.narrowed(request.auth, visible_to(request.user))
    found, next_page = page_of(rows, paging, by="cluster_id", keys=("cluster_id",))
    return Page[ClusterOut](items=[cluster_out(row) for row in found], next=next_page)


@router.get("/clusters/{cluster_id}", response=ClusterOut)
def get_cluster(request: ApiRequest, cluster_id: Line) -> ClusterOut:
    """One cluster."""
    rows = tokens.narrowed(request.auth, visible_to(request.user))
    return cluster_out(get_object_or_404(rows, cluster_id=cluster_id))


def cluster_out(cluster: Cluster) -> ClusterOut:
    health = getattr(cluster, "health", None)
    return ClusterOut(
        id=cluster.cluster_id,
        name=cluster.name,
        is_default=cluster.is_default,
        is_restricted=cluster.is_restricted,
        answers=health.ok if health else None,
        version=health.version if health else "",
        last_answer_at=health.last_ok_at if health else None,
    )
