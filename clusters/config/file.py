"""The one parser of clusters.json."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from clusters.config.cluster import ClusterConfig, validate_host, validate_pem, validate_user
from clusters.fields import Secret

MAX_BYTES = 1024 * 1024
MAX_CLUSTERS = 200
MAX_DEPTH = 8
MAX_UNKNOWN = 20  # of one entry's unknown keys, so many are told by name

_CLUSTER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_TOKEN_ID = re.compile(r"[^\s!:/@]+@[A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+")
_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")
_SEALED = re.compile(r"gAAAA[A-Za-z0-9_-]{60,131072}={0,2}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


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
# Each may be a text in the clear, or {"sealed": "…"} as export_clusters --sealed writes it.
SECRET_KEYS = ("password", "token_secret")
_TEXTS = {"id", "name", "host", "user", "token_id", "ca_certificate", "fingerprint"}
_FLAGS = {"verify_ssl": False, "is_default": False, "is_active": True}
KNOWN_KEYS = frozenset({*_TEXTS, *SECRET_KEYS, *_FLAGS, "port"})


@dataclass(frozen=True)
class ClusterFile:
    """What a file holds: its valid entries, what is wrong with the others, and what was passed over."""

    source: str
    configs: tuple[ClusterConfig, ...]
    problems: tuple[Problem, ...] = ()
    ignored_keys: tuple[str, ...] = ()
    has_plaintext: bool = False
    has_sealed: bool = False

    def strictly(self) -> list[ClusterConfig]:
        """All entries, or `ClusterFileError` with every problem."""
        if self.problems:
            raise ClusterFileError(self.source, list(self.problems))
        return list(self.configs)


def read_bytes(path: str | Path) -> bytes:
    """A file's content, cut where it is too large anyway. Raises `FileNotFoundError`, else `ClusterFileError`."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ClusterFileError(str(path), [Problem("", "", f"cannot be read ({error.strerror})")]) from error


def read_file(path: str | Path) -> list[ClusterConfig]:
    """The entries of a file. Raises `FileNotFoundError` when it is absent, else `ClusterFileError`."""
    return parse(read_bytes(path), source=str(path))


def parse(content: bytes, *, source: str) -> list[ClusterConfig]:
    """The entries, all or none. Raises `ClusterFileError`."""
    return inspect(content, source=source).strictly()


def parse_entries(document: object, *, source: str) -> list[ClusterConfig]:
    """The same for entries that were decoded already."""
    return _inspect_entries(document, source=source).strictly()


def inspect(content: bytes, *, source: str) -> ClusterFile:
    """Read a list of entries, or `{"clusters": [...]}`. UTF-8, with or without a byte order mark.

    Raises `ClusterFileError` for what is no list of clusters at all; wrong entries are told in `problems`.
    """
    if len(content) > MAX_BYTES:
        raise ClusterFileError(source, [Problem("", "", "is larger than 1 MiB")])
    document = _decode(content, source)
    if isinstance(document, dict) and set(document) == {"clusters"}:
        document = document["clusters"]
    return _inspect_entries(document, source=source)


def _decode(content: bytes, source: str) -> object:
    try:
        return json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_object_without_repeats, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        problem = Problem(f"line {error.lineno}, column {error.colno}", "", f"is not JSON ({error.msg})")
    except UnicodeDecodeError:
        problem = Problem("", "", "is not UTF-8 text")
    except RecursionError:
        problem = Problem("", "", f"is nested deeper than {MAX_DEPTH} levels")
    except _RefusedError as error:
        problem = Problem("", "", str(error))
    except ValueError:  # a number of thousands of digits
        problem = Problem("", "", "has a number that is too long")
    raise ClusterFileError(source, [problem])


def _inspect_entries(document: object, *, source: str) -> ClusterFile:
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
    repeated = _repeated_ids(configs)
    entries = [entry for entry in document if isinstance(entry, dict)]
    return ClusterFile(
        source=source,
        configs=tuple(config for config in configs if config.cluster_id.casefold() not in repeated),
        problems=(*problems, *repeated.values()),
        has_sealed=any(isinstance(entry.get(key), dict) for entry in entries for key in SECRET_KEYS),
        ignored_keys=tuple(sorted({key for entry in entries for key in entry} & IGNORED_KEYS)),
        has_plaintext=any(isinstance(entry.get(key), str) and entry[key] for entry in entries for key in SECRET_KEYS),
    )


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
        notices.append(f"{wanted[0]} wants to be the default but is not active, so it is not.")
    keep = len(wanted) == 1 and not inactive
    return [replace(config, is_default=config.is_default and keep) for config in configs], notices


class _RefusedError(ValueError):
    """JSON that the standard library accepts and this parser does not."""


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise _RefusedError(f"has the key “{_shown(repeated)}” twice in one object")
    return result


def _shown(key: str) -> str:
    """A key as it may stand in a message: short, and nothing that a terminal obeys or cannot encode."""
    return "".join(letter if letter.isprintable() else "�" for letter in key[:40]) + ("…" if len(key) > 40 else "")


def _refuse_constant(name: str) -> None:
    raise _RefusedError(f"has {name}, which is not JSON")


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
    found = _unknown_keys(entry)
    found += [(key, "is missing") for key in ("id", "host", "user") if not entry.get(key)]
    if not entry.get("password") and not entry.get("token_secret"):
        found.append(("password", "is missing"))
    if bool(entry.get("token_id")) != bool(entry.get("token_secret")):
        found.append(("token_id", "and token_secret belong together"))
    found += [(key, expected) for key, value in entry.items() if (expected := _expected(key, value))]
    return [Problem(label, key, expected) for key, expected in found]


def _unknown_keys(entry: dict[str, Any]) -> list[tuple[str, str]]:
    unknown = [key for key in entry if key not in KNOWN_KEYS | IGNORED_KEYS]
    told = [(_shown(key), f"is not a key of a cluster{_hint(key)}") for key in unknown[:MAX_UNKNOWN]]
    more = len(unknown) - len(told)
    return [*told, ("", f"has {more} more keys that are none of a cluster's")] if more else told


def _hint(key: str) -> str:
    close = difflib.get_close_matches(key.lower(), KNOWN_KEYS, n=1) if len(key) <= 40 else []
    return f" (did you mean “{close[0]}”?)" if close else ""


def _expected(key: str, value: object) -> str:
    """What a value should be, or nothing when it is."""
    if key in _FLAGS:
        return "" if isinstance(value, bool) else "should be true or false"
    if key == "port":
        return "" if _port(value) else "should be a number from 1 to 65535"
    if key not in KNOWN_KEYS or value is None:  # what may not be missing was told of as missing
        return ""
    if key in SECRET_KEYS and isinstance(value, dict):
        return "" if _is_sealed(value) else 'should be a text or {"sealed": "…"} as the export writes it'
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


def _repeated_ids(configs: list[ClusterConfig]) -> dict[str, Problem]:
    """By folded ID: entries that only differ in capitals would look like one cluster in an address."""
    spellings: dict[str, list[str]] = {}
    for config in configs:
        spellings.setdefault(config.cluster_id.casefold(), []).append(config.cluster_id)
    return {
        folded: Problem(ids[-1], "id", f"is there twice (as {ids[0]})")
        for folded, ids in spellings.items()
        if len(ids) > 1
    }


def _config(entry: dict[str, Any]) -> ClusterConfig:
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
        ca_certificate=texts["ca_certificate"],
        fingerprint=texts["fingerprint"],
        given=frozenset(entry),
        **{key: entry.get(key, default) for key, default in _FLAGS.items()},
    )
