"""What clusters.json is made of in these tests. Everything here is the same in every process and every run."""

import base64
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.db import connection

# A key of these tests, so that what is sealed here is readable and never changes.
KEY = base64.urlsafe_b64encode(b"this key belongs to tests alone.")
OTHER_KEY = base64.urlsafe_b64encode(b"and this one to another portal..")

# A password that spoils whatever forgets to escape it, and that is no valid text of any other key but `name`.
CORE = "c4nary"
MARKER = f"{CORE} &<'\"%ü"
# The same of a token's secret, which a header has to carry.
TOKEN_MARKER = f"{CORE}&<'\"%"

PEM = """-----BEGIN CERTIFICATE-----
MIHOMIGBoAMCAQICAQcwBQYDK2VwMBExDzANBgNVBAMMBkxhYiBDQTAeFw0yNjAx
MDEwMDAwMDBaFw0zNjAxMDEwMDAwMDBaMBExDzANBgNVBAMMBkxhYiBDQTAqMAUG
AytlcAMhAK8Go+MpFxTk81bBnJsVzRlR7G5mYqp3vgdUfyiTgzQdMAUGAytlcANB
APpoRMY1GXI946C/mT3vx0uQIyJOiOhHutOJ//g68MMoGM1xOXhWZnzYoZVgz6mE
/XjFa6Sf7QtCuB0S6i/ByQk=
-----END CERTIFICATE-----
"""
FINGERPRINT = ":".join(["AB"] * 32)


def sealed(text: str, key: bytes = KEY) -> dict[str, str]:
    """A secret as the export writes it. Time and start are fixed, which only a test may do."""
    return {"sealed": Fernet(key)._encrypt_from_parts(text.encode(), 1_700_000_000, bytes(16)).decode()}


def entry(cluster_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": cluster_id, "host": "pve.test", "user": "portal@pve", "password": MARKER, **fields}


@pytest.fixture
def fixed_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encrypted_model_fields.fields.CRYPTER", MultiFernet([Fernet(KEY)]))


def raw_rows(*tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables hold, without Django's models in between."""
    found = {}
    with connection.cursor() as cursor:
        for table in tables or ("clusters", "clusters_adoption", "clusters_deletedcluster", "auditlog_logentry"):
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608 - the names are written here
            found[table] = cursor.fetchall()
    return found
