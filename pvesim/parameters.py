"""What a call may be given, and the complaints about what it was given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pvesim.errors import bad_parameters
from pvesim.releases import Number, Release

Kind = Literal["string", "integer", "boolean"]
# Verified parameters by name: strings, integers and booleans.
Values = dict[str, Any]

MISSING = "property is missing and it is not optional"
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"


@dataclass(frozen=True)
class Param:
    kind: Kind = "string"
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    longest: int | None = None
    pattern: str | None = None
    complaint: str = "value does not match the regex pattern"
    inner_name: str = ""
    root_only: bool = False
    since: Number = (0, 0)

    def problem(self, text: str) -> str | None:
        """`inner_name` is of a value that is really a list of properties, of which this is the one without a name."""
        found = self._problem(text)
        return f"invalid format - format error\n{self.inner_name}: {found}\n" if found and self.inner_name else found

    def _problem(self, text: str) -> str | None:
        if self.kind == "boolean":
            return None if text in ("0", "1") else _wrong_type("boolean", text)
        if self.kind == "integer":
            return self._integer_problem(text)
        return self._string_problem(text)

    def parse(self, text: str) -> str | int | bool:
        if self.kind == "boolean":
            return text == "1"
        return int(text) if self.kind == "integer" else text

    def _integer_problem(self, text: str) -> str | None:
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            return _wrong_type("integer", text)
        if self.minimum is not None and int(text) < self.minimum:
            return f"value must have a minimum value of {self.minimum}"
        if self.maximum is not None and int(text) > self.maximum:
            return f"value must have a maximum value of {self.maximum}"
        return None

    def _string_problem(self, text: str) -> str | None:
        if self.choices and text not in self.choices:
            return f"value '{text}' does not have a value in the enumeration '{', '.join(self.choices)}'"
        if self.longest is not None and len(text) > self.longest:
            return f"value may only be {self.longest} characters long"
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            return self.complaint.format(text)
        return None


Params = Mapping[str, Param]

TEXT = Param()
FLAG = Param("boolean")
COUNT = Param("integer", minimum=0)
NUMBER = Param("integer")
VMID = Param("integer", minimum=100, maximum=999_999_999)
NODE = Param(
    pattern=r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?",
    complaint="invalid format - value does not look like a valid node name\n",
)
SKIPLOCK = Param("boolean", root_only=True)


def required(param: Param) -> Param:
    return replace(param, required=True)


def since(number: Number, param: Param) -> Param:
    """Older releases do not know it."""
    return replace(param, since=number)


def verify(schema: Params, given: Mapping[str, str], *, is_root: bool, release: Release) -> Values:
    """The parsed parameters; all complaints at once if there are any."""
    schema = {name: param for name, param in schema.items() if release.is_since(param.since)}
    complaints = {name: UNKNOWN for name in given if name not in schema}
    for name, param in schema.items():
        complaint = _complaint(param, given.get(name), is_root)
        if complaint:
            complaints[name] = complaint
    if complaints:
        raise bad_parameters(complaints)
    return {name: schema[name].parse(text) for name, text in given.items()}


def _complaint(param: Param, text: str | None, is_root: bool) -> str | None:
    if text is None:
        return MISSING if param.required else None
    if param.root_only and not is_root:
        return "Only root may use this option."
    return param.problem(text)


def _wrong_type(kind: Kind, text: str) -> str:
    return f"type check ('{kind}') failed - got '{text}'"
