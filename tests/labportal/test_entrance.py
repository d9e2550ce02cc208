"""The doctor tries the way that people take to the portal: what a proxy in front may do to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.test import Client

from labportal import public_address
from tests.waits import TIMEOUT

pytestmark = pytest.mark.django_db


@contextmanager
def proxy(**changed: str) -> Iterator[str]:
    """In front of the portal, with these headers in place of the browser's; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = {name: value for name, value in self.headers.items() if name != "Content-Length"} | changed
            ask = Client(enforce_csrf_checks=True, raise_request_exception=False).generic
            answer = ask(self.command, self.path, body, self.headers["Content-Type"], headers=said)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            for cookie in answer.cookies.values():
                self.send_header("Set-Cookie", cookie.OutputString())
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT)


def test_a_proxy_that_changes_nothing_is_sound():
    with proxy() as address:
        assert list(public_address.faults(address)) == []
    assert not AccessAttempt.objects.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "127.0.0.1:443"])
def test_a_proxy_that_changes_the_host_is_told(host: str):
    with proxy(Host=host) as address:
        (fault,) = public_address.faults(address)
    assert "the proxy changes host, port or protocol" in fault


def test_a_host_that_is_not_ours_is_told():
    with proxy(Host="backend.example") as address:
        (fault,) = public_address.faults(address)
    assert "check ALLOWED_HOSTS" in fault


def test_another_site_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(public_address, "reverse", lambda name: "/healthz")
    with proxy() as address:
        (fault,) = public_address.faults(address)
    assert "does not show the portal's login form" in fault


def test_an_address_that_leads_to_itself_is_told(monkeypatch: pytest.MonkeyPatch):
    headers = {"Location": "https://labs.example.org/accounts/login/"}
    monkeypatch.setattr(public_address, "_ask", lambda *args: (301, headers, ""))
    (fault,) = public_address.faults("https://labs.example.org")
    assert "redirects to itself" in fault


def doctor(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    call_command("doctor")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.split()[1] == "entrance"]
    return line


def test_the_doctor_says_it(settings: Any, capsys: pytest.CaptureFixture[str]):
    assert doctor(capsys).startswith("ok    entrance    not checked")
    with proxy() as settings.PORTAL_URL:
        assert doctor(capsys).startswith(f"ok    entrance    {settings.PORTAL_URL} shows the login form")
    assert doctor(capsys).startswith("WARN  entrance")
    with proxy(Host="localhost") as settings.PORTAL_URL, pytest.raises(SystemExit):
        doctor(capsys)
    assert "FAIL  entrance" in capsys.readouterr().out
