"""No secret in logs, messages or error pages, and no detour through the environment."""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from django.test import RequestFactory
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox.session import Session
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

from .conftest import PASSWORD
from .rawserver import MARKER, RawServer, StartRaw


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in (None, "proxmoxer", "proxmoxer.core", "urllib3", "requests", "clusters"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_nothing_secret_is_logged_at_any_level(
    config: ClusterConfig, by_password: ClusterConfig, everything_logged: pytest.LogCaptureFixture
) -> None:
    for one in (config, by_password):
        with proxmox.connect(one) as pve:
            pve.resources()
            pve.power("pve1", "qemu", 101, proxmox.Power.RESET)
    logged = everything_logged.text
    assert "/cluster/resources" in logged  # urllib3 writes paths, which hold none
    for secret in (PASSWORD, config.token_secret.reveal(), "PVEAuthCookie", "CSRF", "PVE:portal"):
        assert secret not in logged
    assert not any(record.name.startswith("proxmoxer") for record in everything_logged.records)


@pytest.fixture
def without_the_filter(everything_logged: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger("proxmoxer.core")
    filters, logger.filters = logger.filters, []
    yield everything_logged
    logger.filters = filters


def test_without_the_filter_what_is_sent_would_be_logged(
    pve: proxmox.Client, without_the_filter: pytest.LogCaptureFixture
) -> None:
    pve.create_snapshot("pve1", "qemu", 101, "before", description="between you and me")
    assert "between you and me" in without_the_filter.text


def test_not_even_then_are_answers_logged(pve: proxmox.Client, without_the_filter: pytest.LogCaptureFixture) -> None:
    pve.resources()
    assert "bytes>" in without_the_filter.text
    assert "maxmem" not in without_the_filter.text


def test_warnings_of_the_library_get_through(everything_logged: pytest.LogCaptureFixture) -> None:
    logging.getLogger("proxmoxer.core").warning("look here")
    assert "look here" in everything_logged.text


FAILURES = {
    "rejected": {"status": 401, "reason": "authentication failure"},
    "refused": {"status": 500, "reason": "no"},
    "nonsense": {"body": "<html>"},
    "redirect": {"status": 302},
}


def error_page() -> str:
    """As Django makes it, without what the portal leaves out of it besides."""
    kind, error, trace = sys.exc_info()
    request = RequestFactory().get("/")
    request.exception_reporter_filter = SafeExceptionReporterFilter()
    reporter = ExceptionReporter(request, kind, error, trace)
    return reporter.get_traceback_html() + reporter.get_traceback_text()


@pytest.mark.parametrize("failure", [*FAILURES, "dropped", "hangs", "untrusted", "stopped"])
@pytest.mark.parametrize("by", ["config", "by_password"])
def test_no_secret_on_an_error_page(
    request: pytest.FixtureRequest, lab: Cluster, settings: object, by: str, failure: str
) -> None:
    settings.DEBUG = True
    config = request.getfixturevalue(by)
    if failure in FAILURES:
        lab.faults.reply(".", **FAILURES[failure])
    elif failure == "untrusted":
        config = replace(config, fingerprint=":".join(["AB"] * 32))
    else:
        {"dropped": lab.faults.reset, "hangs": lab.faults.hang}.get(failure, lambda path: lab.stop())(".")
    try:
        with proxmox.connect(config, deadline=0.2) as pve:
            pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    except proxmox.ProxmoxError:
        page = error_page()
    assert "pve.power" in page
    assert (config.token_secret or config.password).reveal() not in page


def test_an_error_page_of_the_library_would_show_it(config: ClusterConfig, lab: Cluster, settings: object) -> None:
    settings.DEBUG = True
    lab.faults.reset(".")
    with closing(Session(config, deadline=1.0)) as session:
        try:
            session.request("GET", f"{session.base_url}/version")
        except proxmox.ProxmoxError:
            page = error_page()
    assert config.token_secret.reveal() in page


@pytest.mark.parametrize("where", ["reason", "error"])
def test_a_server_that_repeats_what_it_was_told(raw: StartRaw, where: str) -> None:
    def speak(server: RawServer, conn: object) -> None:
        head = server.read_head(conn)
        told = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization"))
        body = b'{"data":null,"errors":{"x":"%s"}}' % told if where == "error" else b""
        reason = told if where == "reason" else b"Parameter verification failed."
        conn.sendall(b"HTTP/1.1 400 %s\r\nContent-Length: %d\r\n\r\n%s" % (reason, len(body), body))

    with proxmox.connect(raw(speak).config, deadline=TIMEOUT) as pve, pytest.raises(proxmox.BadParameter) as caught:
        pve.version()
    assert "PVEAPIToken" in f"{caught.value.plain} {caught.value.errors}"
    for shown in (str(caught.value), caught.value.plain, caught.value.reason, repr(caught.value.errors)):
        assert MARKER not in shown


def test_a_proxy_of_the_environment_is_not_used(
    config: ClusterConfig, lab: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert proxmox.diagnose(config)
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get(f"{lab.url}/api2/json/version", timeout=TIMEOUT)


def test_a_netrc_is_not_used(
    by_password: ClusterConfig, raw: StartRaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password netrc-marker\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    def speak(server: RawServer, conn: object) -> None:
        server.read_head(conn)

    server = raw(speak)
    config = replace(server.config, token_secret=None, password=Secret(PASSWORD))
    with proxmox.connect(config, deadline=TIMEOUT) as pve, pytest.raises(proxmox.Dropped):
        pve.version()
    assert b"authorization" not in server.requests[0].lower()
    prepared = requests.Session().prepare_request(requests.Request("GET", "https://127.0.0.1/"))
    assert prepared.headers["Authorization"].startswith("Basic ")
