"""A page with a line of curl for each call, made of the schema: bodies are its examples."""

import json
from typing import Any

# What stands for a parameter in a line: a variable of the shell, by the first part of the path or by name.
BY_PLACE = {
    "machines": "MACHINE", "operations": "OPERATION", "batches": "BATCH", "classes": "CLASS", "runs": "RUN",
}  # fmt: skip
BY_NAME = {"cluster_id": "CLUSTER", "name": "SNAPSHOT", "vm": "MACHINE"}

HEAD = """\
# The API with curl

A line for each call, for curl 7.82 or newer (`.venv/bin/python bin/_openapi.py` makes this page of the schema). Before
the first line, with your portal's address and a token of yours:

```sh
export PORTAL=https://labs.school.example TOKEN=labp_…   # made under your name, API tokens
api() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $TOKEN" "$@"; }
key() { python3 -c 'import uuid; print(uuid.uuid4())'; }
```

Names like `$MACHINE` and `$CLASS` stand for the IDs that the lists tell. Each write has a new `Idempotency-Key`: send
it again with the same key if the connection breaks ([api.md](api.md)).
"""


def page(schema: dict[str, Any]) -> str:
    sections: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["api"])[0]
            sections.setdefault(tag, []).append(_task(schema, path, method, operation))
    return HEAD + "".join(
        f"\n## {tag[:1].upper()}{tag[1:]}\n\n```sh\n" + "\n".join(tasks) + "\n```\n" for tag, tasks in sections.items()
    )


def _task(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    told = operation["description"].split("\n\n")[0].replace("\n", " ")
    return f"# {told} (right: {operation['x-right']})\n{line(schema, path, method, operation)}"


def line(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    query = "&".join(
        f"{one['name']}={_example(one['schema'], schema)}"
        for one in operation.get("parameters", [])
        if one["in"] == "query" and (one.get("required") or "examples" in one["schema"])
    )
    address = f"$PORTAL{_filled(path)}" + (f"?{query}" if query else "")
    words = ["api"]
    if method != "get":
        words += [f"--request {method.upper()}", '--header "Idempotency-Key: $(key)"']
    if body := operation.get("requestBody"):
        given = _example(body["content"]["application/json"]["schema"], schema)
        words += ["--json", f"'{json.dumps(given)}'"]
    return " ".join([*words, f'"{address}"'])


def _filled(path: str) -> str:
    place = path.split("/")[3]
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            variable = BY_NAME.get(name) or (BY_PLACE[place] if name == "id" else name.upper())
            path = path.replace(part, f"${variable}")
    return path


def _example(one: dict[str, Any], schema: dict[str, Any]) -> Any:
    """The example of a schema: its own, or made of what it needs."""
    if "$ref" in one and "examples" not in one:
        one = schema["components"]["schemas"][one["$ref"].rsplit("/", 1)[1]]
    if "examples" in one:
        return one["examples"][0]
    if "enum" in one:
        return one["enum"][-1]
    needed, known = one.get("required", ()), one.get("properties", {})
    return {
        name: _example(part, schema)
        for name, part in known.items()
        if name in needed or "examples" in part or "examples" in next(iter(part.get("anyOf", [{}])), {})
    }
