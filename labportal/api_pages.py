"""The schema of the API as a file, and as a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.api import problems
from accounts.api.auth import Token
from accounts.http import login_required
from labportal import api

PIECES = ("{}", "<code>{}</code>")  # of a text, by turns


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """For who is logged in, and for any token."""
    if not request.user.is_authenticated:
        try:
            Token()(request)
        except problems.Problem as problem:
            return problems.response(problem)
    answer = JsonResponse(api.schema())
    answer["Cache-Control"] = "private, no-cache"
    return answer


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    where: str
    required: bool
    description: SafeString


@dataclass(frozen=True)
class Call:
    id: str
    method: str
    path: str
    summary: SafeString
    right: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[tuple[str, str, tuple[Field, ...]], ...]


@require_safe
@login_required
def documentation(request: HttpRequest) -> HttpResponse:
    sections: dict[str, list[Call]] = {}
    for tag, call in _calls(api.schema()):
        sections.setdefault(tag, []).append(call)
    return render(request, "api/documentation.html", {"sections": sections})


def _calls(schema: dict[str, Any]) -> Iterator[tuple[str, Call]]:
    for path, operations in schema["paths"].items():
        for method, one in operations.items():
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            call = Call(
                id=one["operationId"],
                method=method.upper(),
                path=path,
                summary=_text(one),
                right=one["x-right"],
                parameters=tuple(_parameter(schema, each) for each in one.get("parameters", ())),
                body=_fields(schema, body),
                answers=tuple(_answers(schema, one["responses"])),
            )
            yield one["tags"][0], call


def _parameter(schema: dict[str, Any], one: dict[str, Any]) -> Field:
    kind = _kind(schema, one["schema"])
    return Field(one["name"], kind, one["in"], one["required"], _text(one))


def _answers(schema: dict[str, Any], answers: dict[Any, Any]) -> Iterator[tuple[str, str, tuple[Field, ...]]]:
    for status, one in answers.items():
        content: dict[str, Any] = next((each["schema"] for each in one.get("content", {}).values()), {})
        name = _kind(schema, content) if content and not str(status).startswith("4") else ""
        yield str(status), name or _text(one), _fields(schema, content) if name else ()


def _fields(schema: dict[str, Any], found: dict[str, Any]) -> tuple[Field, ...]:
    found = _resolved(schema, found)
    required = found.get("required", ())
    return tuple(
        Field(name, _kind(schema, one), "", name in required, _text(one))
        for name, one in found.get("properties", {}).items()
    )


def _resolved(schema: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    name = found.get("$ref", "").rpartition("/")[2]
    resolved: dict[str, Any] = schema["components"]["schemas"][name] if name else found
    return resolved


def _text(one: dict[str, Any]) -> SafeString:
    """Its description, with `code` as HTML."""
    parts = one.get("description", "").split("`")
    return format_html_join("", "{}", ((format_html(PIECES[at % 2], part),) for at, part in enumerate(parts)))


def _kind(schema: dict[str, Any], found: dict[str, Any]) -> str:
    """`string`, `integer or null`, `list of MachineOut`, or the values that there are."""
    if "anyOf" in found:
        return _(" or ").join(_kind(schema, one) for one in found["anyOf"])
    if "items" in found:
        return _("list of %(kind)s") % {"kind": _kind(schema, found["items"])}
    resolved = _resolved(schema, found)
    if "enum" in resolved:
        return ", ".join(map(str, resolved["enum"]))
    return str(resolved.get("title", "") if "$ref" in found else resolved.get("format") or resolved.get("type", ""))
