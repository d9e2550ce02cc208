"""Parses one entry of clusters.json: its keys, and the form of their values."""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.encrypted_fields import Secret
from accounts.printable import validate_printable
from clusters.config import syntax
from clusters.config.cluster import ClusterConfig

MAX_DEPTH = 8
MAX_UNKNOWN = 20  # of one entry's unknown keys, so many are told by name

_CLUSTER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_SEALED = re.compile(r"gAAAA[A-Za-z0-9_-]{60,131072}={0,2}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SEVERAL_LINES = {"ca_certificate", "fingerprint"}
_TIDIED = ("user", "token_id", "token_secret", "read_token_id", "read_token_secret")

# The legacy portal's to_dict() had these; they configured what the portal does elsewhere or not at all.
IGNORED_KEYS = frozenset(
    (
        "created_at updated_at db_id description priority allow_vm_deployment allow_template_sync allow_iso_sync "
        "auto_shutdown_enabled default_storage template_storage iso_storage qcow2_template_path qcow2_images_path "
        "admin_group admin_users arp_subnets vm_cache_ttl enable_ip_lookup enable_ip_persistence"
    ).split()
)
# Each may be a text in the clear, or {"sealed": "…"} as export_clusters --sealed writes it.
SECRET_KEYS = ("password", "token_secret", "read_token_secret")
_TEXTS = {"id", "name", "host", "user", "token_id", "read_token_id", "ca_certificate", "fingerprint"}
_FLAGS = {"verify_ssl": False, "is_default": False, "is_active": True, "is_restricted": False}
KNOWN_KEYS = frozenset({*_TEXTS, *SECRET_KEYS, *_FLAGS, "port", "addresses"})
_MAX_LENGTHS = {"name": 120, "host": 255, "user": 80, "token_id": 140, "read_token_id": 140}
_VALIDATORS = {
    "host": syntax.validate_host,
    "user": syntax.validate_user,
    "token_id": syntax.validate_token_id,
    "token_secret": syntax.validate_token_secret,
    "read_token_id": syntax.validate_token_id,
    "read_token_secret": syntax.validate_token_secret,
    "ca_certificate": syntax.validate_pem,
    "fingerprint": syntax.validate_pins,
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file: the entry (its position and id), the key, what was expected."""

    entry: str
    key: str
    expected: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.entry, self.key, self.expected) if part)


def tidied(entry: Any) -> Any:
    """An entry as its writer means it: see `syntax.tidy`. A port behind the host counts where the entry has none."""
    if not isinstance(entry, dict):
        return entry
    texts: dict[str, Any] = {key: syntax.tidy(entry[key]) for key in _TIDIED if isinstance(entry.get(key), str)}
    if isinstance(entry.get("host"), str):
        host, port = syntax.host_and_port(entry["host"])
        if port is None or entry.get("port") is None or _port(entry["port"]) == port:
            texts |= {"host": host} | ({"port": port} if port else {})
    return entry | texts


def problems_of(number: int, entry: object) -> list[Problem]:
    if not isinstance(entry, dict):
        return [
            Problem(
                _("entry %(number)s") % {"number": number},
                "",
                _("should be an object with id, host, user and password"),
            )
        ]
    label = _("entry %(number)s") % {"number": number}
    if isinstance(entry.get("id"), str) and _CLUSTER_ID.fullmatch(entry["id"]):
        label += f" ({entry['id']})"
    if _depth(entry) > MAX_DEPTH - 1:
        return [Problem(label, "", _("is nested deeper than %(most)s levels") % {"most": MAX_DEPTH})]
    found = _unknown_keys(entry)
    found += [(key, _("is missing")) for key in ("id", "host", "user") if not entry.get(key)]
    if not entry.get("password") and not entry.get("token_secret"):
        found.append(("password", _("is missing")))
    for token in ("token", "read_token"):
        if bool(entry.get(f"{token}_id")) != bool(entry.get(f"{token}_secret")):
            found.append((f"{token}_id", _("and %(token)s_secret belong together") % {"token": token}))
    found += [(key, expected) for key, value in entry.items() if (expected := _expected(key, value))]
    return [Problem(label, key, expected) for key, expected in found]


def config_of(entry: dict[str, Any]) -> ClusterConfig:
    """The configuration of an entry without problems."""
    texts = {key: entry.get(key) or "" for key in _TEXTS}
    return ClusterConfig(
        cluster_id=texts["id"],
        name=texts["name"] or f"Cluster {texts['id']}",
        host=texts["host"],
        user=texts["user"],
        port=_port(entry.get("port", 8006)),
        password=_secret(entry.get("password")),
        token_id=texts["token_id"],
        token_secret=_secret(entry.get("token_secret")),
        read_token_id=texts["read_token_id"],
        read_token_secret=_secret(entry.get("read_token_secret")),
        addresses=tuple(entry.get("addresses") or ()),
        ca_certificate=texts["ca_certificate"],
        fingerprint=", ".join(syntax.pins(texts["fingerprint"])) if texts["fingerprint"] else "",
        given=frozenset(entry),
        **{key: entry.get(key, default) for key, default in _FLAGS.items()},
    )


def shown(key: str) -> str:
    """A key as it may stand in a message: short, and nothing that a terminal obeys or cannot encode."""
    return "".join(letter if letter.isprintable() else "�" for letter in key[:40]) + ("…" if len(key) > 40 else "")


def _depth(value: object) -> int:
    """The depth of nested lists and objects, without recursion."""
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, level = stack.pop()
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        deepest = max(deepest, level)
        stack += [(child, level + 1) for child in children]
    return deepest


def _unknown_keys(entry: dict[str, Any]) -> list[tuple[str, str]]:
    unknown = [key for key in entry if key not in KNOWN_KEYS | IGNORED_KEYS]
    told = [
        (shown(key), _("is not a key of a cluster%(hint)s") % {"hint": _hint(key)}) for key in unknown[:MAX_UNKNOWN]
    ]
    more = len(unknown) - len(told)
    return [*told, ("", _("has %(more)s more unknown keys") % {"more": more})] if more else told


def _hint(key: str) -> str:
    close = difflib.get_close_matches(key.lower(), KNOWN_KEYS, n=1) if len(key) <= 40 else []
    return _(" (did you mean “%(guess)s”?)") % {"guess": close[0]} if close else ""


def _expected(key: str, value: object) -> str:
    """The expected form of a value, or nothing when it has it."""
    if key in _FLAGS:
        return "" if isinstance(value, bool) else _("should be true or false")
    if key == "port":
        return "" if _port(value) else _("should be a number from 1 to 65535")
    if key not in KNOWN_KEYS or value is None:  # what may not be missing was told of as missing
        return ""
    if key == "addresses":
        return _expected_addresses(value)
    if key in SECRET_KEYS and isinstance(value, dict):
        return "" if _is_sealed(value) else _('should be a text or {"sealed": "…"} as the export writes it')
    return _expected_text(key, value) if value != "" else ""


def _expected_text(key: str, value: object) -> str:
    if not isinstance(value, str):
        return _("should be a text")
    if len(value) > (most := _MAX_LENGTHS.get(key, 65536)):
        return _("should have at most %(most)s characters") % {"most": most}
    if key in SECRET_KEYS and _UNSTORABLE.search(value):
        return _("should not contain null characters or unpaired surrogates")
    if key == "id" and not _CLUSTER_ID.fullmatch(value):
        return _("should be 1 to 50 letters, digits, dots, dashes and underscores")
    try:
        if key not in SECRET_KEYS:
            validate_printable(value, one_line=key not in _SEVERAL_LINES)
        if key in _VALIDATORS:
            _VALIDATORS[key](value)
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def _expected_addresses(value: object) -> str:
    if not isinstance(value, list) or not all(isinstance(address, str) for address in value):
        return _("should be a list of texts")
    if len(value) > syntax.MAX_ADDRESSES:
        return _("should have at most %(most)s addresses") % {"most": syntax.MAX_ADDRESSES}
    for number, address in enumerate(value, start=1):
        try:
            syntax.validate_address(address)
        except ValidationError as error:
            return _("number %(number)s: %(problem)s") % {"number": number, "problem": error.messages[0]}
    return ""


def _is_sealed(value: dict[str, Any]) -> bool:
    sealed = value.get("sealed")
    return set(value) == {"sealed"} and isinstance(sealed, str) and bool(_SEALED.fullmatch(sealed))


def _secret(value: Any) -> Secret | None:
    if isinstance(value, dict):
        return Secret(ciphertext=value["sealed"])
    return Secret(value) if value else None


def _port(value: object) -> int:
    """The port, or 0 for what is none. A decimal text is the one thing that is coerced."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535 else 0
