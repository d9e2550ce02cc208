import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from playwright.sync_api import Browser

from accounts.models import Provider, SignInRule, User
from tests.browser.conftest import window
from tests.labportal.portal_process import ROOT, SERVER
from tests.own_database import copy_of, default_connection, migrated_template
from tests.waits import PDEATHSIG, TIMEOUT, read_line_with, stop_process

__all__ = ["migrated_template", "window"]

PEOPLE = {
    "ana": {"preferred_username": "ana", "name": "Ana Gómez", "email": "ana@school.example", "groups": ["pupils"]},
    "1": {"preferred_username": "tess.one", "email": "Tess@school.example"},
    "2": {"preferred_username": "tess.two", "email": "tess@school.example"},
}


def keys(name: str) -> list[dict[str, Any]]:
    """A private key for each algorithm."""
    made = {
        "RS256": RSAKey.generate_key(2048),
        "PS256": RSAKey.generate_key(2048),
        "ES256": ECKey.generate_key("P-256"),
        "EdDSA": OKPKey.generate_key("Ed25519"),
    }
    return [
        key.as_dict(private=True) | {"kid": f"{name}-{algorithm}", "alg": algorithm, "use": "sig"}
        for algorithm, key in made.items()
    ]


@dataclass
class School:
    """A portal and a provider beside each other."""

    portal: str
    issuer: str

    def tell(self, **changes: Any) -> None:
        """Change what the provider does."""
        request = urllib.request.Request(f"{self.issuer}/tests", json.dumps(changes).encode(), method="POST")  # noqa: S310
        urllib.request.urlopen(request, timeout=TIMEOUT).close()  # noqa: S310


@contextmanager
def program(command: list[str], **how: Any) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([*PDEATHSIG, *command], text=True, **how)
    try:
        yield process
    finally:
        stop_process(process)
        if process.stdout:
            process.stdout.close()


@contextmanager
def portal(database: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.oidc.portal_settings", "DATABASE_URL": database}
        command = [sys.executable, *SERVER, "--fd", str(listener.fileno())]
        with program(command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()]):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def _both(
    window: Browser, migrated_template: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[School]:
    """The real ones: Lab Portal's own server, and the provider in Node."""
    found = os.environ.get("OIDC_PROVIDER")
    if not found:
        pytest.skip("needs an OpenID Connect provider: bin/test --oidc tests/oidc (apt install nodejs npm)")
    folder = tmp_path_factory.mktemp("oidc")
    with (
        pytest.MonkeyPatch.context() as patch,
        django_db_blocker.unblock(),
        copy_of(migrated_template, folder) as name,
    ):
        # The thread that drives Chromium has an event loop, and may use the database all the same.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "yes")
        with default_connection(NAME=name, OPTIONS={"timeout": TIMEOUT}), portal(f"sqlite:///{name}") as address:
            settings = {
                "client_id": "lab-portal", "client_secret": "s%cr+t&more", "algorithm": "RS256", "people": PEOPLE,
                "redirect_uris": [f"{address}/accounts/sign-in/school/callback/"],
                "post_logout_redirect_uris": [f"{address}/accounts/login/"], "keys": keys("first"),
            }  # fmt: skip
            command = ["node", found, json.dumps(settings)]
            with program(command, cwd=Path(found).parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
                issuer = read_line_with(node, "listening on").split()[-1]
                _register(issuer, settings)
                yield School(address, issuer)


@pytest.fixture
def school(_both: School) -> School:
    """Nobody has an account yet, and both do what they should."""
    User.objects.all().delete()
    Provider.objects.update(ask_again=True, sign_out_there=True)
    _both.tell(clock=0, algorithm="RS256")
    return _both


def _register(issuer: str, settings: dict[str, Any]) -> None:
    source = Provider(
        name="school", label="School account", is_active=True, issuer=issuer, client_id=settings["client_id"],
        secret=settings["client_secret"], allowed_algorithms="RS256 PS256 ES256 EdDSA",
    )  # fmt: skip
    source.save()
    SignInRule.objects.create(source=source, on="everyone", gives="entry")
