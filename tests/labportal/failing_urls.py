"""The site's map with pages that break."""

from typing import NoReturn

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest
from django.urls import path

from labportal import urls
from labportal.urls import handler400, handler500

SECRET = "6c9a4f0e-marker"


def bug(request: HttpRequest) -> NoReturn:
    password = SECRET
    raise ValueError(password)


def forbidden(request: HttpRequest) -> NoReturn:
    raise PermissionDenied(SECRET)


def suspicious(request: HttpRequest) -> NoReturn:
    raise SuspiciousOperation(SECRET)


urlpatterns = [
    path("bug/", bug),
    path("forbidden/", forbidden),
    path("suspicious/", suspicious),
    *urls.urlpatterns,
]

__all__ = ["handler400", "handler500", "urlpatterns"]
