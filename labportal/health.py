"""For probes: is the database there, and where do clusters come from."""

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vms import registry

BROKEN = {registry.Reason.NO_CONNECTION, registry.Reason.NO_TABLE}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the database can be worked with, 503 otherwise. Names no host and no cluster."""
    try:
        state = registry.state()
    except (DatabaseError, InterfaceError) as error:
        return JsonResponse({"ok": False, "clusters_source": None, "reason": type(error).__name__}, status=503)
    ok = state.reason not in BROKEN
    body = {"ok": ok, "clusters_source": state.source, "reason": state.reason}
    if state.since:
        body["since"] = state.since.isoformat(timespec="seconds")
    return JsonResponse(body, status=200 if ok else 503)
