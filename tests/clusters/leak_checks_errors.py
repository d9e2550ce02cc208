"""Leak checks of what is said when something fails: error pages, mails, reports."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from django.core import mail
from django.http import HttpResponse
from django.test.utils import override_settings
from django.urls import reverse
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter

from clusters.models import Cluster
from labportal import urls
from tests.clusters.leak_checks_commands import printed
from tests.clusters.leak_checks_pages import read
from tests.clusters.leak_stage import CLUSTERS, Parts, Stage, leak_check
from tests.own_database import ON_POSTGRES, default_connection
from vms import inventory

# Where an exception can arise while a secret is at hand, and what leads there.
LAYERS = {
    "form": "clusters.forms.ClusterForm._check_present",
    "model": "django.db.models.Model.save_base",
    "cipher": "accounts.encrypted_fields.encrypted.encrypt_str",
    "gateway": "urllib3.connectionpool.HTTPConnectionPool.urlopen",
    "parser": "clusters.config.file.config_of",
    "plan": "clusters.importing.plan",
    "login": "django.contrib.auth.base_user.check_password",
}


def break_everywhere(stage: Stage, message: str) -> Iterator[Any]:
    """The answers of the portal when something breaks, layer by layer."""
    alpha = Cluster.objects.get(cluster_id="alpha")
    for layer, place in LAYERS.items():
        with patch(place, side_effect=RuntimeError(message)) as broken:
            if layer in {"parser", "plan"}:
                answer = stage.upload(stage.file())
            elif layer == "gateway":
                answer = stage.admin.post(reverse(f"{CLUSTERS}test_new"), stage.form(cluster_id="new"))
            elif layer == "login":
                typed = {"username": "admin", "password": stage.password.text}
                answer = stage.clients["nobody"].post(reverse("login"), typed)
            else:
                answer = stage.admin.post(reverse(f"{CLUSTERS}change", args=[alpha.pk]), stage.form(name=layer))
            assert broken.called, layer
        assert answer.status_code == 500, layer
        yield answer


@leak_check("error pages")
def _(stage: Stage, planted: str) -> Parts:
    said = patch.object(urls, "handler500", lambda _: HttpResponse(planted, status=500)) if planted else ExitStack()
    with said:
        for answer in break_everywhere(stage, planted or "broken"):
            yield from read(answer)


@leak_check("error pages with DEBUG on")
def _(stage: Stage, planted: str) -> Parts:
    with override_settings(DEBUG=True):
        for answer in break_everywhere(stage, planted or "broken"):
            assert "RuntimeError" in answer.content.decode()
            yield from read(answer)


@leak_check("mail about errors")
def _(stage: Stage, planted: str) -> Parts:
    handler, logger = AdminEmailHandler(include_html=True), logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        with override_settings(ADMINS=[("Admin", "admin@portal.test")]):
            list(break_everywhere(stage, planted or "broken"))
    finally:
        logger.removeHandler(handler)
    assert len(mail.outbox) >= len(LAYERS)
    for message in mail.outbox:
        yield message.message().as_string()
        yield message.body
        yield from (str(content) for content, _ in message.alternatives)
    mail.outbox.clear()


@leak_check("reports of exceptions")
def _(stage: Stage, planted: str) -> Parts:
    """As a worker or a command has them: without a request, with the credential opened."""
    config = Cluster.objects.get(cluster_id="alpha").config
    for debug in (False, True):
        with override_settings(DEBUG=debug), patch(LAYERS["gateway"], side_effect=RuntimeError(planted or "broken")):
            try:
                inventory.sync(config)
            except RuntimeError:
                kind, error, where = sys.exc_info()
                reporter = ExceptionReporter(None, kind, error, where)
                yield reporter.get_traceback_text()
                yield reporter.get_traceback_html()
                yield traceback.format_exc()


@leak_check("without a database")
def _(stage: Stage, planted: str) -> Parts:
    path = stage.folder / "second.json"
    path.write_bytes(stage.file(name=planted or "Second"))
    nowhere: dict[str, Any] = {"NAME": "/nonexistent/lab_portal.db"}
    if ON_POSTGRES:
        nowhere = {"HOST": "127.0.0.1", "PORT": "1", "OPTIONS": {"pool": False}}
    with default_connection(**nowhere), override_settings(CLUSTER_CONFIG_FILE=str(path)):
        yield printed("clusters", "list")
        yield printed("clusters", "test", "from-a-file")
        yield printed("doctor")
        for address in ("/healthz", "/vms/", "/admin/"):
            yield from read(stage.admin.get(address))
