"""What people see when something broke. These pages ask the database nothing."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when the database does not answer, so that a probe and a proxy know that it will pass; else 500."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _static("503.html", status=503, headers={"Retry-After": "10"})
    return _static("500.html", status=500)


def _static(template: str, *, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(loader.get_template(template).render(), status=status, headers=headers)
