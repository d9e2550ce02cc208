"""The one place where the types of foreign values are made sure of.

Proxmox VE is written in Perl: a number may arrive as text, a truth as 0, 1, "0", "1" or not at all. Text is
foreign: it loses control characters and what cannot be stored, and is cut to a length.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from clusters.proxmox.errors import BadAnswer, InvalidRequest

MAX_ROWS = 20_000
MAX_NUMBER = 2**63 - 1
MAX_VMID = 999_999_999

_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
# Control characters, separators of lines, and what turns the direction of the text around it.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

Row = Mapping[str, Any]


def text(value: object, limit: int = 255) -> str:
    """Printable text of at most this length; empty for nothing and for what is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    clean = str(value)[: limit * 4].encode("utf-8", "replace").decode()
    return _UNPRINTABLE.sub(" ", clean).strip()[:limit]


def real(value: object) -> float:
    """A number from 0 to what a database holds, 0 for nothing. Raises `ValueError`."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("too large") from None
    # NaN is in no range.
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError("out of range")
    return number


def whole(value: object) -> int:
    """The same without a fraction, and exact."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER:
        return value
    return int(real(value))


def flag(value: object) -> bool:
    return value in (1, "1", "true")


def rows(data: object) -> list[Any]:
    if not isinstance(data, list):
        raise BadAnswer("a list was expected")
    if len(data) > MAX_ROWS:
        raise BadAnswer(f"a list of more than {MAX_ROWS} entries")
    return data


def row(data: object) -> Row:
    if not isinstance(data, dict):
        raise BadAnswer("an object was expected")
    return data


# Parts of paths: checked before a URL is made of them.


def is_node_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _NODE.fullmatch(value) is not None


def is_vmid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= MAX_VMID


def node_part(node: str) -> str:
    if not is_node_name(node):
        raise InvalidRequest({"node": "is not the name of a node"})
    return node


def vmid_part(vmid: int) -> str:
    if not is_vmid(vmid):
        raise InvalidRequest({"vmid": "is not a number from 100 to 999999999"})
    return str(vmid)


def kind_part(kind: str) -> str:
    if kind not in ("qemu", "lxc"):
        raise InvalidRequest({"kind": "is neither qemu nor lxc"})
    return kind
