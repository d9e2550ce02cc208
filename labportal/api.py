"""The API at /api/v1/, put together: a router for each app, the errors, the schema, and what surrounds every call."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from accounts.api import calls, problems, rate
from accounts.api.auth import READ
from accounts.api.router import router as accounts_router
from classes.api import router as classes_router
from clusters.api import router as clusters_router
from labportal.api_schema import complete
from vms.api import router as vms_router

PREFIX = "api/v1/"
NO_CALLS = ("root", "none")


class PortalAPI(NinjaAPI):
    def get_openapi_operation_id(self, operation: Any) -> str:
        return str(operation.view_func.__name__)

    def get_openapi_schema(self, **_options: Any) -> OpenAPISchema:
        """The same for everybody, and whatever address the portal has."""
        schema = super().get_openapi_schema(path_prefix=PREFIX)
        complete(schema, rights=self._rights())
        return schema

    def _rights(self) -> dict[str, str]:
        """By the ID of the operation."""
        operations = [
            one
            for router in self._get_bound_routers()
            for view in router.path_operations.values()
            for one in view.operations
        ]
        checks: Any = {self.get_openapi_operation_id(one): one.auth_callbacks[0] for one in operations}
        return {name: " or ".join(check.rights) for name, check in checks.items()}


api = PortalAPI(
    title="Lab Portal",
    version="1",
    description="Machines, classes and clusters, with the rights of the person whose token it is.",
    openapi_url=None,
    docs_url=None,
    urls_namespace="api",
    auth=READ,
)
api.add_decorator(calls.surround, mode="operation")
for error in problems.KNOWN:
    api.add_exception_handler(error, problems.handle)
for router in (accounts_router, clusters_router, vms_router, classes_router):
    api.add_router("", router)


@cache
def schema() -> OpenAPISchema:
    return api.get_openapi_schema()


def answered(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around each address of the API: nobody is logged in here by a cookie, and every answer says what it may cost."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.user = AnonymousUser()
        answer = view(request, *args, **kwargs)
        if answer.status_code == 405:
            allowed = answer.headers.get("Allow", "")
            answer = problems.response(problems.Problem(405, _("Not with this method."), headers={"Allow": allowed}))
        if allowance := getattr(request, "allowance", None):
            for name, value in rate.headers(allowance).items():
                answer[name] = value
        answer.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(answer, ["Authorization", "Accept-Language"])
        return answer

    return wrapper


def nothing(_request: HttpRequest, rest: str = "") -> HttpResponse:
    return problems.response(problems.Problem(404, _("The API has no such address.")))


def not_with_this_method(request: HttpRequest) -> HttpResponse:
    """For what can be read alone."""
    if request.resolver_match is None or request.resolver_match.url_name in NO_CALLS:
        return nothing(request)
    return problems.response(problems.Problem(405, _("Not with this method."), headers={"Allow": "GET, HEAD"}))


def _urls() -> list[URLPattern]:
    """Without ninja's own root, which leads to its pages of documentation."""
    found, _app, _namespace = api.urls
    patterns = [one for one in found if isinstance(one, URLPattern) and one.name != "api-root"]
    for one in patterns:
        one.callback = answered(one.callback)
    return [
        *patterns,
        path("", answered(nothing), name=NO_CALLS[0]),
        path("<path:rest>", answered(nothing), name=NO_CALLS[1]),
    ]


urls = (_urls(), "api")
