"""A school's directory on a real OpenLDAP server, and its row in the database."""

import importlib
import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.test import Client

from accounts.encrypted_fields import Secret
from accounts.models import Directory
from tests.accounts.sign_in.people import let_in
from tests.directories.slapd import BASE, PASSWORD, READER, READER_PASSWORD, ROOTS, Slapd

ADDRESS = "192.0.2.7"


@pytest.fixture
def start() -> Iterator[Callable[..., Slapd]]:
    """Starts servers that end with the test."""
    if not os.environ.get("LDAP_TESTS"):
        pytest.skip("allowed: needs OpenLDAP: bin/test --ldap (apt install slapd ldap-utils)")
    servers = []

    def begin(*entries: Any, **how: Any) -> Slapd:
        servers.append(server := Slapd(**how))
        server.load(ROOTS)
        server.start()
        if entries:
            server.add(entries)
        return server

    yield begin
    for server in servers:
        server.remove()


@pytest.fixture
def room(start: Any) -> Callable[[str], ModuleType]:
    """Modules that need the library."""
    return lambda name: importlib.import_module(f"accounts.sign_in.ldap.{name}")


def school(server: Slapd, *, everyone: bool = True, name: str = "school", **values: Any) -> Directory:
    """The server's row, with everyone let in."""
    known = {
        "name": name, "label": "School directory", "is_active": True, "servers": server.uri, "bind_dn": READER,
        "secret": Secret(READER_PASSWORD), "base_dn": BASE, "flavour": "openldap", "id_attribute": "entryUUID",
        "name_attribute": "uid", "ca_certificates": server.ca, "person_filter": "(objectClass=inetOrgPerson)",
        "timeout_seconds": 5,
    }  # fmt: skip
    made: Directory = Directory.objects.create(**known | values)
    if everyone:
        let_in(made)
    return made


def log_in(client: Client, username: str, password: str = PASSWORD) -> Any:
    data = {"username": username, "password": password}
    return client.post("/accounts/login/", data, REMOTE_ADDR=ADDRESS)


def is_in(client: Client) -> bool:
    return client.get("/accounts/profile/").status_code == 200
