"""A cluster's configuration as a value, and the one parser of clusters.json."""

import difflib
import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography import x509
from django.core.exceptions import ValidationError

from clusters.fields import Secret

MAX_BYTES = 1024 * 1024
MAX_CLUSTERS = 200
MAX_DEPTH = 8

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_USER = re.compile(r"[^\s:/]{1,64}@[A-Za-z][A-Za-z0-9._-]{1,30}")
_CLUSTER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_TOKEN_ID = re.compile(r"[^\s!:/@]+@[A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+")
_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Trust(StrEnum):
    """What vouches for a cluster's certificate."""

    FINGERPRINT = "pinned fingerprint"
    CA = "own CA certificate"
    SYSTEM = "system authorities"
    NONE = "not verified"


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """Where a cluster is and how to speak to it. Its secrets stay sealed until the gateway opens a session."""

    cluster_id: str
    name: str
    host: str
    user: str
    port: int = 8006
    password: Secret | None = None
    token_id: str = ""
    token_secret: Secret | None = None
    verify_ssl: bool = False
    ca_certificate: str = ""
    fingerprint: str = ""
    is_default: bool = False
    is_active: bool = True
    credential_version: int = 0
    created_at: datetime | None = field(default=None, compare=False)
    updated_at: datetime | None = field(default=None, compare=False)

    @property
    def trust(self) -> Trust:
        if self.fingerprint:
            return Trust.FINGERPRINT
        if self.ca_certificate:
            return Trust.CA
        return Trust.SYSTEM if self.verify_ssl else Trust.NONE

    def to_safe_dict(self) -> dict[str, Any]:
        """The ten keys that old scripts and the API know; times are naive UTC in ISO form."""
        return {
            "id": self.cluster_id,
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "verify_ssl": self.verify_ssl,
            "is_default": self.is_default,
            "is_active": self.is_active,
            "created_at": _naive_utc(self.created_at),
            "updated_at": _naive_utc(self.updated_at),
        }

    def to_dict(self) -> dict[str, Any]:
        """The same and the password in the clear, as old scripts expect. Nothing of the portal calls it."""
        safe = self.to_safe_dict()
        password = self.password.reveal() if self.password else ""
        return {**dict(list(safe.items())[:5]), "password": password, **dict(list(safe.items())[5:])}


def _naive_utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() if moment else None


# Validators: raise ValidationError, for the model, and for the parser below.


def validate_host(host: str) -> None:
    """Accept an IP address or a DNS name, and nothing that a URL could read otherwise."""
    if not _is_address(host) and not _is_name(host):
        raise ValidationError("Enter an IP address or a host name, without https:// and port.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # behind it the library lets almost anything pass


def _is_name(host: str) -> bool:
    labels = host.split(".")
    # A name whose last label is a number (2130706433, 0x7f.1) is an address in disguise.
    disguised = re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", labels[-1])
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not disguised


def validate_user(user: str) -> None:
    if not _USER.fullmatch(user):
        raise ValidationError("Write the user with its realm, like portal@pve.")


def validate_pem(pem: str) -> None:
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValidationError("This is not a certificate in PEM form (-----BEGIN CERTIFICATE-----).") from None


# clusters.json


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file: the entry (its position and id), the key, what was expected."""

    entry: str
    key: str
    expected: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.entry, self.key, self.expected) if part)


class ClusterFileError(Exception):
    """A clusters.json that cannot be used. `problems` has every one; the text names the file and repeats no value."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source, self.problems = source, problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


# The predecessor's to_dict() had these; they configured what the portal does elsewhere or not at all.
IGNORED_KEYS = frozenset(
    (
        "created_at updated_at db_id description priority allow_vm_deployment allow_template_sync allow_iso_sync "
        "auto_shutdown_enabled default_storage template_storage iso_storage qcow2_template_path qcow2_images_path "
        "admin_group admin_users arp_subnets vm_cache_ttl enable_ip_lookup enable_ip_persistence"
    ).split()
)
_TEXTS = {
    "id",
    "name",
    "host",
    "user",
    "password",
    "token_id",
    "token_secret",
    "ca_certificate",
    "fingerprint",
}
_FLAGS = {"verify_ssl": False, "is_default": False, "is_active": True}
KNOWN_KEYS = frozenset({*_TEXTS, *_FLAGS, "port"})


def read_file(path: str | Path) -> list[ClusterConfig]:
    """The entries of a file. Raises `FileNotFoundError` when it is absent, else `ClusterFileError`."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ClusterFileError(str(path), [Problem("", "", f"cannot be read ({error.strerror})")]) from error
    return parse(content, source=str(path))


def parse(content: bytes, *, source: str) -> list[ClusterConfig]:
    """Parse a list of entries, or `{"clusters": [...]}`. UTF-8, with or without a byte order mark."""
    if len(content) > MAX_BYTES:
        raise ClusterFileError(source, [Problem("", "", "is larger than 1 MiB")])
    try:
        document = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_object_without_repeats,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ClusterFileError(source, [Problem(where, "", f"is not JSON ({error.msg})")]) from None
    except UnicodeDecodeError:
        raise ClusterFileError(source, [Problem("", "", "is not UTF-8 text")]) from None
    except RecursionError:
        raise ClusterFileError(source, [Problem("", "", f"is nested deeper than {MAX_DEPTH} levels")]) from None
    except ValueError as error:
        raise ClusterFileError(source, [Problem("", "", str(error))]) from None
    if isinstance(document, dict) and set(document) == {"clusters"}:
        document = document["clusters"]
    return parse_entries(document, source=source)


def parse_entries(document: object, *, source: str) -> list[ClusterConfig]:
    """Turn decoded entries into configurations, all or none: `ClusterFileError` lists every problem."""
    if not isinstance(document, list):
        raise ClusterFileError(source, [Problem("", "", "should be a list of clusters")])
    if len(document) > MAX_CLUSTERS:
        raise ClusterFileError(source, [Problem("", "", f"has more than {MAX_CLUSTERS} clusters")])
    problems: list[Problem] = []
    configs: list[ClusterConfig] = []
    for number, entry in enumerate(document, start=1):
        found = _entry_problems(number, entry)
        problems += found
        if not found:
            configs.append(_config(entry))
    problems += _repeated_ids(configs)
    if problems:
        raise ClusterFileError(source, problems)
    return configs


def settle_default(configs: Iterable[ClusterConfig]) -> tuple[list[ClusterConfig], list[str]]:
    """At most one default, and an active one. Returns the configurations and what had to be decided."""
    configs, notices = list(configs), []
    wanted = [config.cluster_id for config in configs if config.is_default]
    if len(wanted) > 1:
        notices.append(
            f"Several entries want to be the default ({', '.join(wanted)}): none is. Choose one in the admin."
        )
    inactive = [config.cluster_id for config in configs if config.is_default and not config.is_active]
    if len(wanted) == 1 and inactive:
        notices.append(f"{wanted[0]} wants to be the default but is not active: there is no default.")
    keep = len(wanted) == 1 and not inactive
    return [replace(config, is_default=config.is_default and keep) for config in configs], notices


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"has the key “{repeated[:40]}” twice in one object")
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"has {name}, which is not JSON")


def _depth(value: object) -> int:
    """How deep lists and objects are nested, without recursion."""
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, level = stack.pop()
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        deepest = max(deepest, level)
        stack += [(child, level + 1) for child in children]
    return deepest


def _entry_problems(number: int, entry: object) -> list[Problem]:
    if not isinstance(entry, dict):
        return [Problem(f"entry {number}", "", "should be an object with id, host, user and password")]
    label = f"entry {number}"
    if isinstance(entry.get("id"), str) and _CLUSTER_ID.fullmatch(entry["id"]):
        label += f" ({entry['id']})"
    if _depth(entry) > MAX_DEPTH - 1:
        return [Problem(label, "", f"is nested deeper than {MAX_DEPTH} levels")]
    found = [(key, _unknown_key(key)) for key in entry if key not in KNOWN_KEYS | IGNORED_KEYS]
    found += [(key, "is missing") for key in ("id", "host", "user") if not entry.get(key)]
    if not entry.get("password") and not entry.get("token_secret"):
        found.append(("password", "is missing"))
    if bool(entry.get("token_id")) != bool(entry.get("token_secret")):
        found.append(("token_id", "and token_secret belong together"))
    found += [(key, expected) for key, value in entry.items() if (expected := _expected(key, value))]
    return [Problem(label, key, expected) for key, expected in found]


def _unknown_key(key: str) -> str:
    close = difflib.get_close_matches(key.lower(), KNOWN_KEYS, n=1)
    return "is not a key of a cluster" + (f" (did you mean “{close[0]}”?)" if close else "")


def _expected(key: str, value: object) -> str:
    """What a value should be, or nothing when it is."""
    if key in _FLAGS:
        return "" if isinstance(value, bool) else "should be true or false"
    if key == "port":
        return "" if _port(value) else "should be a number from 1 to 65535"
    if key not in _TEXTS or value is None:  # what may not be missing was told of as missing
        return ""
    if not isinstance(value, str):
        return "should be a text"
    return _expected_text(key, value) if value else ""


def _expected_text(key: str, value: str) -> str:
    limits = {"name": 120, "host": 255, "user": 80, "token_id": 140}
    if len(value) > limits.get(key, 65536):
        return f"should have at most {limits.get(key, 65536)} characters"
    if _UNSTORABLE.search(value):
        return "should have no null character and no half of a surrogate pair"
    patterns = {"id": _CLUSTER_ID, "token_id": _TOKEN_ID, "fingerprint": _FINGERPRINT}
    if key in patterns and not patterns[key].fullmatch(value):
        return {
            "id": "should be 1 to 50 letters, digits, dots, dashes and underscores",
            "token_id": "should look like portal@pve!labs",
            "fingerprint": "should be SHA-256 as 32 pairs, like AA:BB:…",
        }[key]
    validators = {"host": validate_host, "user": validate_user, "ca_certificate": validate_pem}
    try:
        if key in validators:
            validators[key](value)
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def _port(value: object) -> int:
    """The port, or 0 for what is none. A decimal text is the one thing that is coerced."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535 else 0


def _repeated_ids(configs: list[ClusterConfig]) -> list[Problem]:
    seen: dict[str, str] = {}
    problems = []
    for config in configs:
        folded = config.cluster_id.casefold()
        if folded in seen:
            problems.append(Problem(config.cluster_id, "id", f"is there twice (as {seen[folded]})"))
        seen.setdefault(folded, config.cluster_id)
    return problems


def _config(entry: dict[str, Any]) -> ClusterConfig:
    texts = {key: entry.get(key) or "" for key in _TEXTS}
    return ClusterConfig(
        cluster_id=texts["id"],
        name=texts["name"] or f"Cluster {texts['id']}",
        host=texts["host"],
        user=texts["user"],
        port=_port(entry.get("port", 8006)),
        password=Secret(texts["password"]) if texts["password"] else None,
        token_id=texts["token_id"],
        token_secret=Secret(texts["token_secret"]) if texts["token_secret"] else None,
        ca_certificate=texts["ca_certificate"],
        fingerprint=texts["fingerprint"],
        **{key: entry.get(key, default) for key, default in _FLAGS.items()},
    )
