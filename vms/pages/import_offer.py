"""The page before the first import: the machines of clusters.json, live and read-only, and a button to import it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import stored_messages
from clusters import importing, proxmox
from clusters.config import ClusterConfig, ClusterFileError
from vms import registry

# Seconds. A person waits for this page, so a dead cluster must not hold it up for long.
DEADLINE = 4.0


@dataclass(frozen=True)
class ClusterPreview:
    """The live answer of a cluster of the file."""

    name: str
    problem: str
    guests: tuple[Any, ...] = ()


def import_offer(request: HttpRequest) -> HttpResponse:
    configs = registry.clusters()
    with ThreadPoolExecutor(max_workers=8) as pool:
        previews = list(pool.map(_read, configs))
    previews = [
        replace(preview, problem=stored_messages.render(preview.problem)) for preview in previews
    ]  # not in their threads
    context = {"state": registry.state(), "previews": previews, "file": settings.CLUSTER_CONFIG_FILE}
    return render(request, "vms/import_offer.html", context)


def _read(config: ClusterConfig) -> ClusterPreview:
    try:
        with proxmox.connect(config, deadline=DEADLINE) as pve:
            return ClusterPreview(config.name, "", pve.resources().guests)
    except proxmox.ProxmoxError as error:
        return ClusterPreview(config.name, error.plain)


@require_POST
@login_required
@permission_required("clusters.add_cluster", raise_exception=True)
def import_now(request: HttpRequest) -> HttpResponse:
    """The banner's button: what `bin/manage import_clusters` does."""
    path = importing.find_file()
    try:
        plan = importing.import_file(path)
    except FileNotFoundError:
        messages.error(request, _("The file %(path)s does not exist.") % {"path": path})
    except ClusterFileError as error:
        messages.error(request, _("Nothing was imported. %(error)s") % {"error": error})
    else:
        _tell(request, plan)
    return redirect("vms-list")


def _tell(request: HttpRequest, plan: importing.ClusterPlan) -> None:
    for problem in plan.problems:
        messages.error(request, f"{plan.source}: {problem}")
    if plan.is_refused:
        messages.error(request, _("Nothing was imported. Correct the file and try again."))
        return
    count = len(plan.written)
    messages.success(
        request,
        _("%(count)s clusters were imported. The file was not changed: it still contains their passwords.")
        % {"count": count},
    )
    for notice in plan.notices:
        messages.warning(request, str(notice))
