"""The one parser of clusters.json."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from clusters.config import places
from clusters.config.cluster import ClusterConfig
from clusters.config.entry import IGNORED_KEYS, MAX_DEPTH, SECRET_KEYS, Problem, config_of, problems_of, shown, tidied

MAX_BYTES = 1024 * 1024
MAX_CLUSTERS = 200


class ClusterFileError(Exception):
    """A clusters.json that cannot be used. `problems` has every one; the text names the file and repeats no value."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source, self.problems = source, problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


@dataclass(frozen=True)
class ClusterFile:
    """The content of a file: its valid entries, the faults of the others, and what was ignored."""

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
        raise ClusterFileError(
            str(path), [Problem("", "", _("cannot be read (%(why)s)") % {"why": error.strerror})]
        ) from error


def read_file(path: str | Path) -> list[ClusterConfig]:
    """The entries of a file. Raises `FileNotFoundError` when it is absent, else `ClusterFileError`."""
    return parse(read_bytes(path), source=str(path))


def parse(content: bytes, *, source: str) -> list[ClusterConfig]:
    """The entries, all or none. Raises `ClusterFileError`."""
    return inspect(content, source=source).strictly()


def parse_entries(document: object, *, source: str) -> list[ClusterConfig]:
    """Parses decoded entries. Raises `ClusterFileError` if any is wrong."""
    return _inspect_entries(document, source=source).strictly()


def inspect(content: bytes, *, source: str) -> ClusterFile:
    """Read a list of entries, or `{"clusters": [...]}`. UTF-8, with or without a byte order mark.

    Raises `ClusterFileError` for what is no list of clusters at all; wrong entries are told in `problems`.
    """
    if len(content) > MAX_BYTES:
        raise ClusterFileError(source, [Problem("", "", _("is larger than 1 MiB"))])
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
        problem = Problem(
            _("line %(line)s, column %(column)s") % {"line": error.lineno, "column": error.colno},
            "",
            _("is not JSON (%(msg)s)") % {"msg": error.msg},
        )
    except UnicodeDecodeError:
        problem = Problem("", "", _("is not UTF-8 text"))
    except RecursionError:
        problem = Problem("", "", _("is nested deeper than %(most)s levels") % {"most": MAX_DEPTH})
    except _RefusedError as error:
        problem = Problem(places.of_refused(content.decode("utf-8-sig")), "", str(error))
    except ValueError:  # a number of thousands of digits
        problem = Problem(places.of_refused(content.decode("utf-8-sig")), "", _("has a number that is too long"))
    raise ClusterFileError(source, [problem])


def _inspect_entries(document: object, *, source: str) -> ClusterFile:
    if not isinstance(document, list):
        raise ClusterFileError(source, [Problem("", "", _("should be a list of clusters"))])
    if len(document) > MAX_CLUSTERS:
        raise ClusterFileError(source, [Problem("", "", _("has more than %(most)s clusters") % {"most": MAX_CLUSTERS})])
    problems: list[Problem] = []
    configs: list[ClusterConfig] = []
    for number, written in enumerate(document, start=1):
        entry = tidied(written)
        found = problems_of(number, entry)
        problems += found
        if not found:
            configs.append(config_of(entry))
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
            _(
                "Several entries are marked as the default (%(clusters)s), so there is none. "
                "Choose one in the administration."
            )
            % {"clusters": ", ".join(wanted)}
        )
    inactive = [config.cluster_id for config in configs if config.is_default and not config.is_active]
    if len(wanted) == 1 and inactive:
        notices.append(
            _("%(cluster)s is marked as the default but is not active, so it is not the default.")
            % {"cluster": wanted[0]}
        )
    keep = len(wanted) == 1 and not inactive
    return [replace(config, is_default=config.is_default and keep) for config in configs], notices


class _RefusedError(ValueError):
    """JSON that the standard library accepts and this parser does not."""


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        repeated = Counter(key for key, _value in pairs).most_common(1)[0][0]
        raise _RefusedError(_("has the key “%(key)s” twice in one object") % {"key": shown(repeated)})
    return result


def _refuse_constant(name: str) -> None:
    raise _RefusedError(_("has %(name)s, which is not JSON") % {"name": name})


def _repeated_ids(configs: list[ClusterConfig]) -> dict[str, Problem]:
    """By folded ID: entries that only differ in capitals would look like one cluster in an address."""
    spellings: dict[str, list[str]] = {}
    for config in configs:
        spellings.setdefault(config.cluster_id.casefold(), []).append(config.cluster_id)
    return {
        folded: Problem(ids[-1], "id", _("is there twice (as %(other)s)") % {"other": ids[0]})
        for folded, ids in spellings.items()
        if len(ids) > 1
    }
