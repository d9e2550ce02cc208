"""What every template may ask for."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from labportal.version import VERSION
from vms import registry


def portal(request: HttpRequest) -> dict[str, Any]:
    return {"cluster_state": SimpleLazyObject(registry.state), "version": VERSION}
