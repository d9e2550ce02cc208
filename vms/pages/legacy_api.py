"""The two calls that the legacy portal's scripts know. JSON always says `ok`."""

import json
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.request import RawPostDataException
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from clusters.config import ClusterConfig
from clusters.models import Cluster
from vms.pages.machine_list import SESSION_KEY, options_for


def _refuse(error: str, status: int) -> JsonResponse:
    return JsonResponse({"ok": False, "error": error}, status=status)


@require_GET
def clusters(request: HttpRequest) -> JsonResponse:
    """The clusters on which the user has machines; hosts for staff only."""
    if not request.user.is_authenticated:
        return _refuse(_("Log in first."), 401)
    return JsonResponse(
        {"ok": True, "clusters": [_shown(option.cluster, request.user) for option in options_for(request.user)]}
    )


def _shown(cluster: Cluster | ClusterConfig, user: User) -> dict[str, Any]:
    keys = ("id", "name", "host") if user.is_staff and user.has_perm("clusters.view_cluster") else ("id", "name")
    safe = cluster.to_safe_dict()
    return {key: safe[key] for key in keys} | {"is_default": cluster.is_default}


@require_POST
def switch_cluster(request: HttpRequest) -> JsonResponse:
    """Body `{"cluster_id": "…"}`; answers 400 for a cluster that the caller cannot use."""
    if not request.user.is_authenticated:
        return _refuse(_("Log in first."), 401)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError, RawPostDataException):
        return _refuse(_("The body is not JSON."), 400)
    wanted = body.get("cluster_id") if isinstance(body, dict) else None
    if not isinstance(wanted, str) or wanted not in {option.cluster_id for option in options_for(request.user)}:
        return _refuse(_("Invalid cluster ID"), 400)
    request.session[SESSION_KEY] = wanted
    return JsonResponse({"ok": True, "cluster_id": wanted})
