"""Notifications about alerts: what arrives where, how often it is tried, and what is never stored."""

import hashlib
import hmac
import json
import logging
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends import locmem, smtp
from django.utils import timezone

from tests.labs import Lab
from tests.own_database import run_in_threads
from vms.models import Alert, AlertMessage
from vms.monitoring import notifications

State = AlertMessage.State
PATH = "/hooks/very-secret-part"


@dataclass
class Receiver:
    """Takes calls, and answers with the next of its statuses; the last one for ever."""

    statuses: list[int] = field(default_factory=lambda: [204])
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((self.path, dict(self.headers), body))
                statuses = receiver.statuses
                self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{PATH}?key=s3cret"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    made = Receiver()
    made.start()
    settings.ALERT_WEBHOOK_URL = made.url
    yield made
    made.server.shutdown()
    made.server.server_close()


def begin(channel: str = "webhook") -> AlertMessage:
    now = timezone.now()
    alert = Alert.objects.create(cluster_id="building-a", kind="cluster_down", text="x", since=now, seen_at=now)
    alert.open(now, text="It does not answer.", since=now, channels=[channel])
    return AlertMessage.objects.get()


def send(*, later: timedelta = timedelta(seconds=1)) -> AlertMessage:
    notifications.send_due(timezone.now() + later)
    return AlertMessage.objects.get()


# The webhook


@pytest.mark.django_db
def test_the_webhook_is_called_with_the_facts(building_a: Lab, receiver: Receiver):
    begin()
    assert send().state == State.SENT
    path, headers, body = receiver.calls[0]
    told = json.loads(body)
    assert (path, headers["Content-Type"]) == (f"{PATH}?key=s3cret", "application/json")
    assert (told["kind"], told["cluster"], told["name"]) == ("cluster_down", "building-a", "Building A")
    assert (told["state"], told["text"]) == ("open", "It does not answer.")


@pytest.mark.django_db
def test_the_webhook_is_called_when_it_is_over(building_a: Lab, receiver: Receiver):
    begin().alert.close(timezone.now(), channels=["webhook"])
    notifications.send_due(timezone.now())
    assert [json.loads(body)["state"] for _, _, body in receiver.calls] == ["open", "closed"]


@pytest.mark.django_db
def test_a_secret_signs_the_body(building_a: Lab, receiver: Receiver, settings: Any):
    settings.ALERT_WEBHOOK_SECRET = "between us"
    begin()
    send()
    _, headers, body = receiver.calls[0]
    assert headers[notifications.SIGNATURE] == "sha256=" + hmac.new(b"between us", body, hashlib.sha256).hexdigest()


@pytest.mark.django_db
def test_without_a_secret_nothing_is_signed(building_a: Lab, receiver: Receiver):
    begin()
    send()
    assert notifications.SIGNATURE not in receiver.calls[0][1]


@pytest.mark.django_db
def test_a_redirect_is_not_followed(building_a: Lab, receiver: Receiver):
    receiver.statuses = [307]
    begin()
    assert send().state == State.WAITING
    assert [path for path, _, _ in receiver.calls] == [f"{PATH}?key=s3cret"]


@pytest.mark.django_db
def test_the_environment_names_no_proxy(building_a: Lab, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    begin()
    assert send().state == State.SENT


@pytest.mark.django_db
def test_a_refused_message_is_tried_again_later(building_a: Lab, receiver: Receiver):
    receiver.statuses = [500, 204]
    begin()
    assert (send().state, send().state) == (State.WAITING, State.WAITING)
    assert len(receiver.calls) == 1
    assert send(later=timedelta(minutes=2)).state == State.SENT


@pytest.mark.django_db
def test_a_closed_port_is_given_up_after_some_tries(building_a: Lab, settings: Any):
    settings.ALERT_WEBHOOK_URL = "http://127.0.0.1:1/"
    message = begin()
    for hours in range(AlertMessage.MAX_TRIES + 2):
        message = send(later=timedelta(hours=5 * hours + 1))
    assert (message.state, message.tries, message.problem) == (
        State.FAILED, AlertMessage.MAX_TRIES, "ConnectionRefusedError",
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("drip", [b"", b"H"])
def test_who_takes_the_message_and_says_nothing_is_not_told_twice(
    building_a: Lab, settings: Any, monkeypatch: pytest.MonkeyPatch, drip: bytes
):
    monkeypatch.setattr(notifications, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=dripping, args=[listener, drip], daemon=True).start()
        settings.ALERT_WEBHOOK_URL = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        begin()
        assert send().state == State.UNKNOWN
        assert send(later=timedelta(days=1)).tries == 1


def dripping(listener: socket.socket, drip: bytes) -> None:
    """As long as it is listened to."""
    line, _ = listener.accept()
    with closing(line):
        line.settimeout(0.1)
        while True:
            try:
                line.sendall(drip)
                line.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                return


@pytest.mark.django_db
def test_the_address_and_the_secret_are_written_nowhere(
    building_a: Lab, receiver: Receiver, settings: Any, caplog: pytest.LogCaptureFixture
):
    settings.ALERT_WEBHOOK_SECRET = "between us"
    receiver.statuses = [500]
    begin()
    with caplog.at_level(logging.DEBUG):
        written = f"{send().problem} {caplog.text}"
    assert "HTTP 500" in written
    assert not [part for part in ("s3cret", "very-secret-part", "between us") if part in written]


@pytest.mark.usefixtures("own_database")
def test_of_many_workers_one_calls(building_a: Lab, receiver: Receiver):
    begin()
    now = timezone.now() + timedelta(seconds=1)
    assert run_in_threads(*[lambda: notifications.send_due(now)] * 4) == []
    assert len(receiver.calls) == 1


@pytest.mark.django_db
def test_who_died_while_sending_is_not_repeated(building_a: Lab, receiver: Receiver):
    begin().claim(timezone.now() + timedelta(seconds=1))
    assert send(later=timedelta(days=1)).state == State.SENDING
    assert receiver.calls == []


# Mail


class Broken(locmem.EmailBackend):
    on_open: Exception | None = None
    on_send: Exception | None = None

    def open(self) -> bool:
        if self.on_open:
            raise self.on_open
        return True

    def send_messages(self, letters: Any) -> int:
        if self.on_send:
            raise self.on_send
        return super().send_messages(letters)


OUTCOMES: list[tuple[dict[str, Exception], str]] = [
    ({}, State.SENT),
    ({"on_open": ConnectionRefusedError()}, State.WAITING),
    ({"on_open": smtplib.SMTPAuthenticationError(535, b"hunter2")}, State.WAITING),
    ({"on_send": smtplib.SMTPRecipientsRefused({})}, State.WAITING),
    ({"on_send": smtplib.SMTPDataError(451, b"later")}, State.WAITING),
    ({"on_send": smtplib.SMTPServerDisconnected()}, State.UNKNOWN),
    ({"on_send": TimeoutError()}, State.UNKNOWN),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("troubles", "state"), OUTCOMES)
def test_only_a_mail_that_certainly_did_not_arrive_waits(
    building_a: Lab, settings: Any, monkeypatch: pytest.MonkeyPatch, troubles: dict[str, Exception], state: str
):
    settings.ALERT_MAIL_TO = ["boss@school.test"]
    monkeypatch.setattr(mail, "get_connection", type("Server", (Broken,), troubles))
    begin("mail")
    message = send()
    assert (message.state, len(mail.outbox)) == (state, state == State.SENT)
    assert "hunter2" not in message.problem


UNSENDABLE: list[tuple[dict[str, Exception], str]] = [
    ({"on_send": ValueError("hunter2")}, "ALERT_MAIL_TO or ALERT_MAIL_FROM contains an invalid mail address"),
    ({"on_send": LookupError("hunter2")}, "LookupError"),
    ({"on_open": ValueError("hunter2")}, "ValueError"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("case", UNSENDABLE)
def test_what_cannot_be_sent_has_failed_and_the_next_message_is_sent(
    building_a: Lab, settings: Any, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, case: Any
):
    troubles, reason = case
    settings.ALERT_MAIL_TO = ["boss@school.test"]
    monkeypatch.setattr(mail, "get_connection", type("Server", (Broken,), troubles))
    now = timezone.now()
    alert = Alert.objects.create(cluster_id="building-a", kind="cluster_down", text="x", since=now, seen_at=now)
    alert.open(now, text="It does not answer.", since=now, channels=["mail", "webhook"])
    notifications.send_due(now + timedelta(seconds=1))
    by_mail, by_webhook = AlertMessage.objects.order_by("channel")
    assert (by_mail.state, by_mail.problem, by_webhook.state) == (State.FAILED, reason, State.SENT)


@pytest.mark.django_db
def test_an_address_that_is_none_is_never_left_being_sent(
    building_a: Lab, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Django's own server of mail, which refuses it."""
    settings.ALERT_MAIL_TO = ["IT <it@school.test>; net@school.test"]
    server = smtp.EmailBackend()
    server.connection = True
    monkeypatch.setattr(server, "close", lambda: None)
    monkeypatch.setattr(mail, "get_connection", lambda: server)
    begin("mail")
    message = send()
    assert (message.state, "ALERT_MAIL_TO" in message.problem) == (State.FAILED, True)
    assert "net@school.test" not in caplog.text


@pytest.mark.django_db
def test_a_name_with_line_breaks_makes_no_header(building_a: Lab, settings: Any):
    settings.ALERT_MAIL_TO = ["boss@school.test"]
    type(building_a.row).objects.update(name="Building\nBcc: all@school.test")
    begin("mail")
    send()
    assert mail.outbox[0].subject == "[Lab Portal] Building Bcc: all@school.test is not responding"
