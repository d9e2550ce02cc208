"""What people see when something broke. These pages ask the database nothing."""

import re
import sys
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.debug import SafeExceptionReporterFilter


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when the database does not answer, so that a probe and a proxy know that it will pass; else 500."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _static("503.html", status=503, headers={"Retry-After": "10"})
    return _static("500.html", status=500)


def _static(template: str, *, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(loader.get_template(template).render(), status=status, headers=headers)


class WithoutValues(SafeExceptionReporterFilter):
    """Reports of errors, on a page or by mail, show the way to a fault and no value on it.

    Django hides what is named like a secret, and shows the same text again in forms, requests and libraries.
    """

    # Django's, and addresses: those of mail servers, webhooks and Redis have passwords in them.
    hidden_settings = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|URL", flags=re.IGNORECASE)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request else {}

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        return dict.fromkeys(tb_frame.f_locals, self.cleansed_substitute).items()
