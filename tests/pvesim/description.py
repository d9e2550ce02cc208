"""What calls take and return: `api_description.json`, which was written for this simulator, or another file.

An entry of ours is short: `"name?"` may be missing or null, `"a|b"` is one of these words, `{"*": …}` an object with
any keys, `"boolean since 8.2"` a parameter that older releases do not know; `since` and `until` are of the whole call.
PVE_API_SCHEMA names a file that maps a release ("9.2") to calls and their JSON schemas: `parameters`, `returns`,
`permissions` and `allowtoken`.
"""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pvesim.releases import RELEASES, release_named
from pvesim.roles import catalogue

FILE = os.environ.get("PVE_API_SCHEMA", "")
OWN = Path(__file__).with_name("api_description.json")
NEVER = (99, 0)
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")

Schema = dict[str, Any]


@cache
def described(release: str) -> dict[str, Schema]:
    """From a call ("GET /nodes") to its schemas."""
    if FILE:
        found: dict[str, Schema] = json.loads(Path(FILE).read_text(encoding="utf-8"))[release]
        return found
    entries = json.loads(OWN.read_text(encoding="utf-8"))
    return {call: _call(entry, release) for call, entry in entries.items() if _exists(entry, release)}


def _exists(entry: Schema, release: str) -> bool:
    number = RELEASES[release].number
    return _number(entry.get("since", "0.0")) <= number <= (_number(entry["until"]) if "until" in entry else NEVER)


def _number(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _call(entry: Schema, release: str) -> Schema:
    found: Schema = {"parameters": {"properties": {}}, "returns": _schema(entry["returns"])}
    for name, text in entry.get("parameters", {}).items():
        kind, _, since = text.partition(" since ")
        if not since or RELEASES[release].is_since(_number(since)):
            found["parameters"]["properties"][name.rstrip("?")] = {**_schema(kind), "optional": name.endswith("?")}
    if "permission" in entry:
        path, *privileges = entry["permission"]
        known = catalogue(release_named(release).major).privileges
        found["permissions"] = {"check": ["perm", path, [name for name in privileges if name in known]]}
    return found


def _schema(short: Any) -> Schema:
    if isinstance(short, list):
        return {"type": "array", "items": _schema(short[0]) if short else {}}
    if isinstance(short, dict):
        properties = {
            name.rstrip("?"): {**_schema(inner), **({"optional": 1, "nullable": 1} if name.endswith("?") else {})}
            for name, inner in short.items()
            if name != "*"
        }
        return {"type": "object", "properties": properties, "others": _schema(short["*"]) if "*" in short else None}
    return {"type": "string", "enum": short.split("|")} if "|" in short else {"type": short}


def complaints(value: Any, schema: Schema, where: str = "data") -> Iterator[str]:
    """What is not as described. As lenient as Perl: numbers may be text, and there may be more fields."""
    kind = schema.get("type", "object" if "properties" in schema else "any")
    if value is None and schema.get("nullable"):
        return
    if not fits(kind, value):
        yield f"{where} is no {kind}: {value!r:.60}"
        return
    if "enum" in schema and str(value) not in map(str, schema["enum"]):
        yield f"{where} is none of {schema['enum']}: {value!r}"
    if kind == "array":
        for number, item in enumerate(value):
            yield from complaints(item, schema.get("items", {}), f"{where}[{number}]")
    if kind == "object":
        yield from _field_complaints(value, schema, where)


def _field_complaints(value: Schema, schema: Schema, where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name, inner in properties.items():
        if name in value:
            yield from complaints(value[name], inner, f"{where}.{name}")
        elif not inner.get("optional"):
            yield f"{where} lacks {name}"
    for name in value.keys() - properties.keys() if schema.get("others") else ():
        yield from complaints(value[name], schema["others"], f"{where}.{name}")


def undescribed(value: Any, schema: Schema, where: str = "data") -> Iterator[str]:
    """Fields of which nothing is said. A description of others is never complete in this; ours is."""
    if isinstance(value, list):
        for item in value:
            yield from undescribed(item, schema.get("items", {}), f"{where}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name) or schema.get("others")
            if known is None:
                yield f"{where}.{name}"
            else:
                yield from undescribed(inner, known, f"{where}.{name}")


def fits(kind: str, value: Any) -> bool:
    match kind:
        case "null":
            return value is None
        case "array" | "object":
            return isinstance(value, list if kind == "array" else dict)
        case "boolean":
            return str(value) in ("0", "1", "True", "False")
        case "integer":
            return re.fullmatch(r"-?\d+", str(value)) is not None
        case "number":
            return NUMBER.fullmatch(str(value)) is not None
    return kind == "any" or isinstance(value, str | int | float)
