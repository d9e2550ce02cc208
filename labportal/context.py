"""The context of every template."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from classes import access
from labportal.version import VERSION
from vms import registry


def portal(request: HttpRequest) -> dict[str, Any]:
    return {
        "cluster_state": SimpleLazyObject(registry.state),
        "navigation": SimpleLazyObject(lambda: access.navigation(request.user)),  # type: ignore[arg-type]
        "version": VERSION,
    }
