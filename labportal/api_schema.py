"""What every operation of the schema has in common: errors, headers, the key of writes, the right that it needs."""

from typing import Any

from accounts.api.idempotency import HEADER
from accounts.api.problems import CONTENT_TYPE, ProblemDetails

PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
KEY = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,200}$"},
    "description": "The same key gives the first answer again for 24 hours. Use a new UUID for each write.",
}
READING = {"get", "head"}


def complete(schema: dict[str, Any], *, rights: dict[str, str]) -> None:
    """Add it, in place. `rights` are by the ID of the operation."""
    parts = schema["components"]
    found = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    parts["schemas"] |= found.pop("$defs", {}) | {"ProblemDetails": found}
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "labp_…"}}
    for operations in schema["paths"].values():
        for method, operation in operations.items():
            operation["x-right"] = rights[operation["operationId"]]
            _complete(method, operation)


def _complete(method: str, operation: dict[str, Any]) -> None:
    operation["security"] = [{"token": []}]
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    answers = operation["responses"]
    answers["4XX"] = {"description": "Problem details", "content": {CONTENT_TYPE: {"schema": PROBLEM}}}
    if method in READING:
        answers[304] = {"description": "Not modified: `If-None-Match` names this version"}
    else:
        operation["parameters"] = [*operation.get("parameters", []), KEY]
