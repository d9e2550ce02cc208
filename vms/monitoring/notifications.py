"""The notifier: sends notifications about alerts by mail and webhook, each at most once.

A notification that was certainly not delivered is tried again, with growing delays. When nobody can tell, as after a
time-out in the middle, it is not repeated: it may have arrived.
"""

import hashlib
import hmac
import http.client
import json
import logging
import smtplib
import socket
import ssl
import threading
from contextlib import closing, suppress
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms.models import Alert, AlertMessage

logger = logging.getLogger(__name__)

Kind, Event, Channel = Alert.Kind, AlertMessage.Event, AlertMessage.Channel

# Seconds for connecting, and as many for the answer.
TIMEOUT = 5.0
SIGNATURE = "X-Lab-Portal-Signature"

HEADLINES = {
    (Kind.DOWN, Event.OPEN): gettext_lazy("%(name)s is not responding"),
    (Kind.DOWN, Event.CLOSED): gettext_lazy("%(name)s is responding again"),
    (Kind.CERTIFICATE, Event.OPEN): gettext_lazy("The certificate of %(name)s is not trusted"),
    (Kind.CERTIFICATE, Event.CLOSED): gettext_lazy("The certificate of %(name)s is trusted again"),
    (Kind.CREDENTIAL, Event.OPEN): gettext_lazy("%(name)s rejects the portal's credential"),
    (Kind.CREDENTIAL, Event.CLOSED): gettext_lazy("%(name)s accepts the portal's credential again"),
    (Kind.READ_TOKEN, Event.OPEN): gettext_lazy("%(name)s rejects the portal's read-only token"),
    (Kind.READ_TOKEN, Event.CLOSED): gettext_lazy("%(name)s accepts the portal's read-only token again"),
    (Kind.EXPIRY, Event.OPEN): gettext_lazy("The portal's credential for %(name)s expires soon"),
    (Kind.EXPIRY, Event.CLOSED): gettext_lazy("The portal's credential for %(name)s was renewed"),
    (Kind.STALE, Event.OPEN): gettext_lazy("The machines of %(name)s are out of date"),
    (Kind.STALE, Event.CLOSED): gettext_lazy("The machines of %(name)s are up to date again"),
}


class NotDelivered(Exception):
    """It was certainly not delivered. Another try may succeed."""


class Undeliverable(Exception):
    """It was not delivered, and another try would fail the same way."""


class DeliveryUnknown(Exception):
    """Nobody can tell whether it was delivered."""


def channels() -> list[str]:
    """The channels that are set up."""
    wanted = {Channel.MAIL: settings.ALERT_MAIL_TO, Channel.WEBHOOK: settings.ALERT_WEBHOOK_URL}
    return [str(channel) for channel, address in wanted.items() if address]


def send_due(now: datetime) -> None:
    """Send notifications that are due and not claimed by another process. No transaction is open meanwhile."""
    for message in AlertMessage.objects.due(now).select_related("alert__cluster"):
        if message.claim(now):
            _send(message, now)


def _send(message: AlertMessage, now: datetime) -> None:
    try:
        (_send_mail if message.channel == Channel.MAIL else _post_webhook)(message)
    except NotDelivered as failure:
        logger.warning("Alert %s, %s: not sent (%s).", message.alert_id, message.channel, failure)
        message.retry_later(now, str(failure))
    except DeliveryUnknown as failure:
        logger.warning("Alert %s, %s: perhaps not sent (%s).", message.alert_id, message.channel, failure)
        message.mark_unknown(str(failure))
    except Undeliverable as failure:
        _fail(message, str(failure))
    except Exception as failure:  # noqa: BLE001 - whatever it is, this message has an end and the next one its turn
        _fail(message, type(failure).__name__)
    else:
        message.mark_sent()


def _fail(message: AlertMessage, reason: str) -> None:
    """Without the exception itself, which may quote an address and what is secret in it."""
    logger.error("Alert %s, %s: cannot be sent (%s).", message.alert_id, message.channel, reason)
    message.mark_failed(reason)


def headline(message: AlertMessage) -> str:
    name = " ".join(message.alert.cluster.name.split())
    return str(HEADLINES[Kind(message.alert.kind), Event(message.event)] % {"name": name})


def clusters_url() -> str:
    """The address of the clusters' page; empty without PORTAL_URL."""
    return f"{settings.PORTAL_URL}{reverse('vms-clusters')}" if settings.PORTAL_URL else ""


# Mail


def _send_mail(message: AlertMessage) -> None:
    letter = mail.EmailMessage(f"[Lab Portal] {headline(message)}", _body(message), to=settings.ALERT_MAIL_TO)
    server = mail.get_connection()
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as failure:
        raise NotDelivered(type(failure).__name__) from None
    try:
        if not server.send_messages([letter]):
            raise NotDelivered("no mail server")
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError) as failure:
        raise NotDelivered(type(failure).__name__) from None
    except (OSError, smtplib.SMTPException) as failure:
        raise DeliveryUnknown(type(failure).__name__) from None
    except ValueError:  # before anything is sent; it quotes the address
        raise Undeliverable("ALERT_MAIL_TO or ALERT_MAIL_FROM contains an invalid mail address") from None
    finally:
        server.close()


def _body(message: AlertMessage) -> str:
    alert, over = message.alert, message.event == Event.CLOSED
    lines = [f"{headline(message)}.", ""]
    if over:
        lines += [
            _("Started: %(moment)s") % {"moment": _moment(alert.since)},
            _("Ended: %(moment)s") % {"moment": _moment(alert.quiet_since or timezone.now())},
        ]
        lines += ["", _("You don't need to do anything.")]
    else:
        lines += [alert.rendered_text, "", _("Since: %(moment)s") % {"moment": _moment(alert.since)}]
        lines += ["", _("You will get another mail when the problem is solved.")]
    return "\n".join([*lines, *(["", clusters_url()] if clusters_url() else [])]) + "\n"


def _moment(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "Y-m-d H:i e")


# Webhook


def _post_webhook(message: AlertMessage) -> None:
    """One POST, without redirects and proxies: they would pass it and its address on."""
    target = urlsplit(settings.ALERT_WEBHOOK_URL)
    body = json.dumps(_facts(message)).encode()
    connection = _connection(target)
    with closing(connection):
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as failure:
            raise NotDelivered(type(failure).__name__) from None
        status = _post(connection, target, body)
    if not 200 <= status < 300:
        raise NotDelivered(f"HTTP {status}")


def _facts(message: AlertMessage) -> dict[str, Any]:
    alert = message.alert
    return {
        "kind": alert.kind,
        "cluster": alert.cluster_id,
        "name": alert.cluster.name,
        "state": message.event,
        "title": headline(message),
        "text": alert.text if message.event == Event.OPEN else f"{headline(message)}.",
        "since": alert.since.isoformat(timespec="seconds"),
        "url": clusters_url(),
    }


def _connection(target: SplitResult) -> http.client.HTTPConnection:
    host = target.hostname or ""
    if target.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, target.port, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(host, target.port, timeout=TIMEOUT)


def _post(connection: http.client.HTTPConnection, target: SplitResult, body: bytes) -> int:
    """The status of the response, whose body is not read."""
    # The time-out of a socket starts again with each byte; this one does not.
    guard = threading.Timer(TIMEOUT, _close_socket, [connection.sock])
    guard.daemon = True
    guard.start()
    try:
        connection.request("POST", _path(target), body, _headers(body))
        return connection.getresponse().status
    except (OSError, ValueError, AttributeError, http.client.HTTPException) as failure:
        raise DeliveryUnknown(type(failure).__name__) from None
    finally:
        guard.cancel()


def _close_socket(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _path(target: SplitResult) -> str:
    return (target.path or "/") + (f"?{target.query}" if target.query else "")


def _headers(body: bytes) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "Lab Portal"}
    if secret := settings.ALERT_WEBHOOK_SECRET:
        headers[SIGNATURE] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return headers
