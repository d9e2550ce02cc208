"""Exports the clusters as a clusters.json: without secrets, with encrypted ones, or in the clear."""

import json
import os
import tempfile
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from accounts.encrypted_fields import Secret
from clusters.config import address_lines
from clusters.importing import PLAIN
from clusters.models import SECRETS, Cluster

FIELDS = (*PLAIN, "is_default")


class Secrecy(StrEnum):
    """The treatment of passwords and token secrets in an export."""

    LEFT_OUT = "left out"
    SEALED = "sealed"
    PLAINTEXT = "plaintext"


def document(clusters: Iterable[Cluster], secrecy: Secrecy) -> str:
    """The file's text. Raises `SecretUnreadable` when a secret has to be read and cannot."""
    return json.dumps([_entry(cluster, secrecy) for cluster in clusters], indent=2, ensure_ascii=False) + "\n"


def _entry(cluster: Cluster, secrecy: Secrecy) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": cluster.cluster_id, **{name: getattr(cluster, name) for name in FIELDS}}
    entry["addresses"] = list(address_lines(cluster.addresses))
    secrets = {name: getattr(cluster, name) for name in SECRETS if getattr(cluster, name)}
    if secrecy is not Secrecy.LEFT_OUT:
        entry |= {name: _written(secret, secrecy) for name, secret in secrets.items()}
    return {key: value for key, value in entry.items() if value not in ("", [])}


def _written(secret: Secret, secrecy: Secrecy) -> Any:
    return secret.reveal() if secrecy is Secrecy.PLAINTEXT else {"sealed": secret.encrypted()}


def write(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner alone. An interruption leaves the old one."""
    path = path.resolve()  # behind a link it is the file that would keep its passwords
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
