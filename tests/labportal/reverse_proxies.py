"""The real nginx and Caddy with the configurations of docs/deployment, in front of a real bin/serve."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import urllib3
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from pvesim.tls import Authority
from tests.labportal.portal_process import ROOT
from tests.processes import environment
from tests.waits import PDEATHSIG, TIMEOUT, stop_process

HOST = "labs.example.org"
SHIPPED = ROOT / "docs" / "deployment"
# Where visitors come from: the whole of 127.0.0.0/8 is this machine, and the proxies are at 127.0.0.1.
VISITORS = "127.0.0.2"

NGINX = """daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ }}
http {{
access_log off;
client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
{site}
}}
"""
CADDY = """{{
	admin off
	skip_install_trust
	default_bind 127.0.0.1
	http_port {http}
	https_port {https}
	storage file_system {folder}/storage
}}
{site}
"""


def free_ports(number: int) -> list[int]:
    """Ports that nobody had a moment ago."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def program(command: list[str], log: Path, port: int, **how: Any) -> Iterator[None]:
    """A server that listens there, to the end of the block."""
    with log.open("wb") as said:
        process = subprocess.Popen([*PDEATHSIG, *command], stdout=said, stderr=said, **how)
        try:
            deadline = time.monotonic() + TIMEOUT
            while not answers(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            stop_process(process, 20)


@contextmanager
def portal(folder: Path) -> Iterator[int]:
    """bin/serve on the test's database; its port."""
    (port,) = free_ports(1)
    surroundings = environment(
        DJANGO_SETTINGS_MODULE="labportal.settings", ALLOWED_HOSTS=f"{HOST},127.0.0.1", FORWARDED_ALLOW_IPS="127.0.0.1",
        CLUSTER_CONFIG_FILE=str(folder / "none.json"),
    )  # fmt: skip
    command = [str(ROOT / "bin" / "serve"), "--no-worker", "--processes", "1", "--port", str(port)]
    with program(command, folder / "serve.log", port, cwd=ROOT, env=surroundings):
        yield port


@dataclass(frozen=True)
class Front:
    """A proxy with TLS."""

    http: int
    https: int
    authority: Path


@contextmanager
def proxy(name: str, portal_port: int, folder: Path) -> Iterator[Front]:
    binary = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not binary:
        pytest.skip(f"needs {name}: apt install {name}")
    http, https = free_ports(2)
    authority = Authority("Fronts")
    certificate = authority.issue(HOST, names=[HOST])
    for file, content in {
        "ca.pem": authority.certificate.pem,
        "c.pem": certificate.pem,
        "k.pem": certificate.key_pem,
    }.items():
        (folder / file).write_text(content)
    (nginx_site if name == "nginx" else caddy_site)(folder, portal_port, http, https)
    command = {"nginx": ["-p", str(folder), "-c", str(folder / "conf")],
               "caddy": ["run", "--adapter", "caddyfile", "--config", str(folder / "conf")]}[name]  # fmt: skip
    surroundings = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with program([binary, *command], folder / "proxy.log", https, env=surroundings):
        yield Front(http, https, folder / "ca.pem")


def nginx_site(folder: Path, portal_port: int, http: int, https: int) -> None:
    site = shipped("nginx.conf", {
        "127.0.0.1:8000": f"127.0.0.1:{portal_port}", "listen 80;": f"listen 127.0.0.1:{http};",
        "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
        "/etc/ssl/labs.example.org.pem": f"{folder}/c.pem", "/etc/ssl/private/labs.example.org.key": f"{folder}/k.pem",
    })  # fmt: skip
    (folder / "conf").write_text(NGINX.format(folder=folder, site=site))


def caddy_site(folder: Path, portal_port: int, http: int, https: int) -> None:
    site = shipped("Caddyfile", {
        "127.0.0.1:8000": f"127.0.0.1:{portal_port}",
        f"\n{HOST} {{": f"\n{HOST} {{\n\ttls {folder}/c.pem {folder}/k.pem",
    })  # fmt: skip
    (folder / "conf").write_text(CADDY.format(folder=folder, http=http, https=https, site=site))


def shipped(name: str, changes: dict[str, str]) -> str:
    text = (SHIPPED / name).read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@dataclass
class Visitor:
    """A browser, as far as it is needed here: addresses, cookies and the Origin of forms."""

    front: Front
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.host = f"{HOST}:{self.front.https}"
        self.origin = f"https://{self.host}"
        self.pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1", self.front.https, source_address=(VISITORS, 0), server_hostname=HOST, assert_hostname=HOST,
            ca_certs=str(self.front.authority), cert_reqs="CERT_REQUIRED", retries=False, timeout=30,
        )  # fmt: skip

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self._ask("GET", path)

    def post(self, path: str, fields: dict[str, Any], **more: str) -> urllib3.BaseHTTPResponse:
        """The form of this page, filled in and sent."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).data.decode())
        assert token
        return self._ask("POST", path, {"csrfmiddlewaretoken": token[1], **fields}, Origin=self.origin, **more)

    def _ask(self, method: str, path: str, fields: dict[str, Any] | None = None, **more: str) -> Any:
        headers = {"Host": self.host, "Cookie": self.cookie, **more}
        answer = self.pool.request(method, path, fields=fields, headers=headers, redirect=False)
        for line in answer.headers.getlist("Set-Cookie"):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return answer

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def websocket(self, path: str) -> ClientConnection:
        context = ssl.create_default_context(cafile=str(self.front.authority))
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # for the reason in tests/pvesim/vnc_client.py
        line = socket.create_connection(("127.0.0.1", self.front.https), timeout=30, source_address=(VISITORS, 0))
        return connect(
            f"wss://{self.host}{path}", sock=line, ssl=context, server_hostname=HOST, origin=Origin(self.origin),
            additional_headers={"Cookie": self.cookie}, proxy=None, legacy=True,
        )  # fmt: skip

    def close(self) -> None:
        self.pool.close()
