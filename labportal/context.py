"""The context of every template."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from classes import access
from classes.timetable import notices
from labportal.version import VERSION
from vms import automation, registry


def portal(request: HttpRequest) -> dict[str, Any]:
    navigation: Any = SimpleLazyObject(lambda: access.navigation(request.user))  # type: ignore[arg-type]
    return {
        "automation_held": SimpleLazyObject(automation.is_held),
        "cluster_state": SimpleLazyObject(registry.state),
        "navigation": navigation,
        "stop_notices": SimpleLazyObject(lambda: _stop_notices(request, navigation)),
        "version": VERSION,
    }


def _stop_notices(request: HttpRequest, navigation: access.Navigation) -> list[notices.ShownNotice]:
    """Asked for only where the one query of the header has found some."""
    person = request.user
    return notices.shown_to(person) if person.is_authenticated and navigation.stop_notices else []
