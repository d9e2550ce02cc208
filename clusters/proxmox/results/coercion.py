"""Coercion: the one place where values of a response get their types, and parts of a path are checked.

Proxmox VE is written in Perl: a number may arrive as text, a truth as 0, 1, "0", "1" or not at all. Text is
foreign: it loses control characters and what cannot be stored, and is cut to a length.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeGuard

from django.utils.translation import gettext_noop

from clusters.proxmox.errors import BadParameter, ProtocolError
from clusters.sentences import say

MAX_ROWS = 20_000
MAX_NUMBER = 2**63 - 1
MAX_VMID = 999_999_999

_SNAPSHOT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_POOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*){0,2}")
_STORAGE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
# Control characters, separators of lines, what turns the direction of the text around it, and what has no width or
# no ink: two names that look the same are to be the same.
_DIRECTIONS = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
_NO_WIDTH = "\xad\u034f\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
_NO_INK = "\u115f\u1160\u3164\uffa0"
_INVISIBLE = f"\x7f-\x9f{_DIRECTIONS}{_NO_WIDTH}{_NO_INK}"
_UNPRINTABLE = re.compile(f"[\x00-\x1f{_INVISIBLE}]")
_UNPRINTABLE_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_INVISIBLE}]")
_MAC = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")

Row = Mapping[str, Any]


def text(value: object, limit: int = 255) -> str:
    """Printable text of at most this length; empty for nothing and for what is neither text nor a number."""
    if type(value) is str and len(value) <= limit and value.isascii() and value.isprintable():
        return value.strip()  # as nearly always
    return _UNPRINTABLE.sub(" ", _storable(value, limit)).strip()[:limit]


def lines(value: object, limit: int) -> str:
    """Like `text`, for several lines."""
    return _UNPRINTABLE_IN_LINES.sub(" ", _storable(value, limit).replace("\r\n", "\n")).strip()[:limit]


def _storable(value: object, limit: int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    # A number of thousands of digits is not worth the time that its text takes.
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        return ""
    return str(value)[: limit * 4].encode("utf-8", "replace").decode()


def real(value: object) -> float:
    """A number from 0 to what a database holds, 0 for nothing. Raises `ValueError`."""
    if (type(value) is int or type(value) is float) and 0 <= value <= MAX_NUMBER:
        return float(value)
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(gettext_noop("not a number"))
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(gettext_noop("too large")) from None
    # NaN is in no range.
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(gettext_noop("out of range"))
    return number


def whole(value: object) -> int:
    """Like `real`, without a fraction, and exact."""
    if type(value) is int and 0 <= value <= MAX_NUMBER:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER:
        return value
    return int(real(value))


def figure(value: object) -> int | float:
    """For what is only shown: 0 for what is no such number."""
    try:
        return real(value) if isinstance(value, float) else whole(value)
    except ValueError:
        return 0


def flag(value: object) -> bool:
    return value in (1, "1", "true")


def ip_address(value: object) -> str:
    """An address in its normal form, or nothing for what is none. Its scope, which means nothing here, is cut off."""
    try:
        return str(ipaddress.ip_address(value.partition("%")[0])) if isinstance(value, str) else ""
    except ValueError:
        return ""


def mac_address(value: object) -> str:
    """In capitals with colons, or nothing for what is none."""
    upper = value.upper() if isinstance(value, str) and len(value) == 17 else ""
    return upper if _MAC.fullmatch(upper) else ""


def rows(data: object) -> list[Any]:
    if not isinstance(data, list):
        raise ProtocolError(say("list-expected"))
    if len(data) > MAX_ROWS:
        raise ProtocolError(say("list-too-long", most=MAX_ROWS))
    return data


def row(data: object) -> Row:
    if not isinstance(data, dict):
        raise ProtocolError(say("object-expected"))
    return data


# Parts of paths: checked before a URL is made of them.


def is_node_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= 63 and _is_node_name(value)


@lru_cache(maxsize=1024)
def _is_node_name(value: str) -> bool:
    """Remembered, because every guest names one of the few."""
    return _NODE.fullmatch(value) is not None


def is_vmid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= MAX_VMID


def node_part(node: str) -> str:
    if not is_node_name(node):
        raise BadParameter({"node": gettext_noop("is not the name of a node")})
    return node


def vmid_part(vmid: int) -> str:
    if not is_vmid(vmid):
        raise BadParameter({"vmid": gettext_noop("is not a number from 100 to 999999999")})
    return str(vmid)


def snapshot_part(name: str) -> str:
    if not isinstance(name, str) or not _SNAPSHOT.fullmatch(name) or name.lower() in ("current", "pending"):
        raise BadParameter({"snapname": gettext_noop("takes 2 to 40 letters, digits, - and _, the first one a letter")})
    return name


def is_pool_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= 100 and _POOL.fullmatch(value) is not None


def pool_part(name: str) -> str:
    if not is_pool_name(name):
        raise BadParameter({"poolid": gettext_noop("is not the name of a pool")})
    return name


def storage_part(name: str) -> str:
    if not isinstance(name, str) or not _STORAGE.fullmatch(name):
        raise BadParameter({"storage": gettext_noop("is not the name of a storage")})
    return name


def kind_part(kind: str) -> str:
    if kind not in ("qemu", "lxc"):
        raise BadParameter({"kind": gettext_noop("is neither qemu nor lxc")})
    return kind
