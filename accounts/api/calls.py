"""What surrounds each call: a write in one transaction, once for each key, and the answer as JSON with its ETag."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from django.db import transaction
from django.http import HttpResponse
from pydantic import BaseModel

from accounts.api import idempotency, problems
from accounts.api.auth import ApiRequest

SAFE = {"GET", "HEAD"}
JSON = "application/json"

View = TypeVar("View", bound=Callable[..., Any])
Result = Any  # a schema, an `Answer`, a response, or None for 204


@dataclass(frozen=True)
class Answer:
    """A body with another status than 200, or with headers."""

    body: BaseModel | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def surround(view: Callable[..., Result]) -> Callable[..., HttpResponse]:
    """The decorator of all calls, below the check of the token and of the parameters."""

    @wraps(view)
    def wrapper(request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in SAFE:
            return with_etag(request, as_response(view(request, *args, **kwargs)))

        if prepare := getattr(view, "prepare", None):
            request.found_beforehand = _kept(lambda: prepare(request, *args, **kwargs))

        def work() -> HttpResponse:
            return as_response(view(request, *args, **kwargs))

        if idempotency.HEADER in request.headers:
            return idempotency.once(request, work)
        with transaction.atomic():
            return work()

    return wrapper


def beforehand(prepare: Callable[..., Any]) -> Callable[[View], View]:
    """What a call needs and cannot find in its transaction, such as a cluster's answer: `prepare` finds it before.

    The call gets it, or the problem of finding it, from `request.found_beforehand()`.
    """

    def decorate(view: View) -> View:
        view.prepare = prepare  # type: ignore[attr-defined]
        return view

    return decorate


def _kept(find: Callable[[], Any]) -> Callable[[], Any]:
    """The result, or the error that is raised when the result is asked for: a repeated call needs neither."""
    try:
        found = find()
    except problems.KNOWN as error:
        kept = error

        def fail() -> Any:
            raise kept

        return fail
    return lambda: found


def json_response(value: Any) -> HttpResponse:
    """For what has no schema of its own."""
    return HttpResponse(json.dumps(value), content_type=JSON)


def as_response(result: Result) -> HttpResponse:
    if isinstance(result, HttpResponse):
        return result
    answer = result if isinstance(result, Answer) else Answer(result, 200 if result else 204)
    if answer.body:
        content = answer.body.model_dump_json()
        return HttpResponse(content, status=answer.status, content_type=JSON, headers=answer.headers)
    empty = HttpResponse(status=answer.status, headers=answer.headers)
    del empty["Content-Type"]
    return empty


def created(body: BaseModel, location: str) -> Answer:
    return Answer(body, 201, {"Location": location})


def never_repeat(request: ApiRequest, *names: str) -> None:
    """These fields of the answer are secrets: a repeated answer has null in their place."""
    request.not_repeated = frozenset(names)


# ETags: a list says what its version is before it is made; of everything else the content does.


def etag(content: bytes, *more: object) -> str:
    return f'"{hashlib.sha256(repr(more).encode() + content).hexdigest()[:32]}"'


def is_known(request: ApiRequest, tag: str) -> bool:
    """Whether the caller has this version already."""
    given = request.headers.get("If-None-Match", "")
    return bool(given) and (given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")})


def not_modified(tag: str) -> HttpResponse:
    answer = HttpResponse(status=304, headers={"ETag": tag})
    del answer["Content-Type"]
    return answer


def with_etag(request: ApiRequest, answer: HttpResponse) -> HttpResponse:
    if answer.status_code != 200 or answer.streaming:
        return answer
    answer.headers.setdefault("ETag", etag(answer.content))
    tag = answer["ETag"]
    return not_modified(tag) if is_known(request, tag) else answer
