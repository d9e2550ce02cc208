"""Errors of the API as problem details (RFC 9457), which name the field where there is one."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.core.exceptions import ValidationError as FormError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

CONTENT_TYPE = "application/problem+json"


class FieldError(BaseModel):
    field: str = Field(description="Where it is: `body.action`, `query.limit`, `path.id`, `header.Idempotency-Key`.")
    detail: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457). `detail` is a sentence for people, in the language of `Accept-Language`."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int = Field(examples=[404])
    detail: str
    errors: list[FieldError] = Field(default=[], description="One for each field that is to blame.")


class Problem(Exception):
    """Raise it anywhere below a call. `field` is like `body.action`; `errors` are more fields with their sentences."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str = "",
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status, self.detail = status, detail
        self.errors = [*([(field, detail)] if field else []), *errors]
        self.headers = dict(headers or {})


def response(problem: Problem) -> HttpResponse:
    told = ProblemDetails(
        type="about:blank",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        errors=[FieldError(field=name, detail=text) for name, text in problem.errors],
    )
    return HttpResponse(
        told.model_dump_json(), status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers
    )


def of(error: Exception) -> Problem:
    """The problem for one of `KNOWN`."""
    if isinstance(error, Problem):
        return error
    return next(make(error) for kind, make in _OF.items() if isinstance(error, kind))


def _of_schema(error: Any) -> Problem:
    errors = [(_where(one["loc"]), str(one["msg"])) for one in error.errors]
    return Problem(422, _("The request is not as the schema says."), errors=errors)


def _of_http(error: Any) -> Problem:
    return Problem(error.status_code, _("The body is not JSON.") if error.status_code == 400 else str(error))


_OF: dict[type[Exception], Callable[[Any], Problem]] = {
    ValidationError: _of_schema,
    FormError: lambda error: Problem(422, " ".join(error.messages), errors=_form_errors(error)),
    PermissionDenied: lambda error: Problem(403, str(error) or _("You may not do this.")),
    Http404: lambda _error: Problem(404, _("There is nothing here that this token reaches.")),
    RequestDataTooBig: lambda _error: Problem(413, _("The body is too large.")),
    TooManyFieldsSent: lambda _error: Problem(413, _("The body is too large.")),
    HttpError: _of_http,
}

# What calls raise on purpose. Everything else is a fault of the portal's.
KNOWN: tuple[type[Exception], ...] = (Problem, *_OF)


def unauthenticated(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="Lab Portal"'})


def handle(_request: HttpRequest, error: Any) -> HttpResponse:
    return response(of(error))


def _where(location: Sequence[Any]) -> str:
    """Without the name of the parameter that takes the whole body or query."""
    source, *path = location
    if source in {"body", "query"} and path and path[0] in {"body", "query", "filters"}:
        path = path[1:]
    return ".".join(str(part) for part in (source, *path))


def _form_errors(error: FormError) -> list[tuple[str, str]]:
    if not hasattr(error, "error_dict"):
        return []
    return [(f"body.{name}", " ".join(found)) for name, found in error.message_dict.items()]
