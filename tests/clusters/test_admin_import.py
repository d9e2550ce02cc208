"""The import in the admin: a preview, then exactly what it showed."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, DeletedCluster, PendingImport
from tests.admin_pages import rows, signed
from tests.clusters.config_files import CORE, MARKER, PEM, entry
from vms.worker import schedule

pytestmark = pytest.mark.django_db

TICKS = ("restore", "update", "update_secrets", "partial")


def url() -> str:
    return reverse("admin:clusters_cluster_import")


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def server_file(tmp_path: Path, settings: Any) -> Path:
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")
    return tmp_path / "clusters.json"


@pytest.fixture
def everything() -> list[dict[str, Any]]:
    """Entries for every verdict but the invalid one, beside the clusters that make them so."""
    for cluster_id in "here", "moved":
        Cluster.objects.create(
            cluster_id=cluster_id, name=cluster_id, host="a.test", user="portal@pve", password=MARKER
        )
    DeletedCluster.objects.remember(["gone"], by="otto")
    like = {"host": "a.test"}
    moved = entry("moved", name="moved", host="b.test", ca_certificate=PEM)
    return [entry("new"), entry("here", name="here", **like), moved, entry("gone")]


def upload(client: Client, content: object, *ticked: str, name: str = "clusters.json") -> HttpResponse:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    file = SimpleUploadedFile(name, content, content_type="application/json")
    return client.post(url(), {"upload": file, **dict.fromkeys(ticked, "on")})


def confirm(client: Client, page: HttpResponse) -> HttpResponse:
    return client.post(url(), {"shown": signed(page)})


def said(response: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def ids() -> list[str]:
    return list(Cluster.objects.order_by("cluster_id").values_list("cluster_id", flat=True))


# The preview.


def test_the_form_names_the_file_on_the_server(lena, server_file):
    assert str(server_file) in lena.get(url()).content.decode()


def test_a_preview_shows_the_plan_of_an_upload(lena, everything):
    new, here, moved, gone = rows(upload(lena, everything))
    assert (new, here) == ("new will be created", "here nothing to change")
    assert moved == "moved differs; will not be changed host: a.test → b.test ca_certificate: none → a certificate"
    deleted = r"gone was deleted here; will not be brought back deleted \d{4}-\d\d-\d\d by otto"
    assert re.fullmatch(deleted, gone)


def test_a_preview_shows_the_plan_of_the_servers_file(lena, server_file):
    server_file.write_text(json.dumps([entry("new")]))
    assert rows(lena.post(url())) == ["new will be created"]


def test_a_preview_changes_nothing(lena, everything):
    before = list(Cluster.objects.values_list("cluster_id", "host", "updated_at"))
    upload(lena, everything, *TICKS)
    assert list(Cluster.objects.values_list("cluster_id", "host", "updated_at")) == before


def test_a_preview_shows_notices(lena):
    page = upload(lena, [entry("a", is_default=True, priority=1), entry("b", is_default=True)]).content.decode()
    assert "Several entries are marked as the default (a, b)" in page
    assert "unknown and ignored: priority." in page


def test_a_wrong_entry_can_be_seen_and_not_confirmed(lena):
    page = upload(lena, [entry("new"), entry("bad", port=0)])
    assert rows(page)[1] == "entry 2 (bad) invalid port should be a number from 1 to 65535"
    assert b'name="shown"' not in page.content
    assert not PendingImport.objects.exists()


def test_a_wrong_entry_can_be_left_out(lena):
    confirm(lena, upload(lena, [entry("new"), entry("bad", port=0)], "partial"))
    assert ids() == ["new"]


def test_a_name_makes_no_element(lena, everything):
    Cluster.objects.filter(cluster_id="here").update(name="old")
    page = upload(lena, [entry("here", name="<b>bold</b>")])
    assert b"<b>bold" not in page.content
    assert b"&lt;b&gt;bold" in page.content


# The confirmation.


def test_what_was_shown_is_imported(lena, everything):
    response = confirm(lena, upload(lena, everything))
    assert (response.status_code, said(response)) == (302, "1 cluster created.")
    assert ids() == ["here", "moved", "new"]
    assert Cluster.objects.get(cluster_id="moved").host == "a.test"


def test_what_was_ticked_is_imported_too(lena, everything):
    response = confirm(lena, upload(lena, everything, "restore", "update", "update_secrets"))
    assert said(response) == "2 clusters created. 1 cluster changed."
    assert ids() == ["gone", "here", "moved", "new"]
    assert Cluster.objects.get(cluster_id="moved").host == "b.test"


def test_a_password_comes_in_as_it_was_uploaded(lena):
    confirm(lena, upload(lena, [entry("new")]))
    assert Cluster.objects.get().password.reveal() == MARKER


def test_the_servers_file_is_imported_as_it_was_at_the_preview(lena, server_file):
    server_file.write_text(json.dumps([entry("new")]))
    page = lena.post(url())
    server_file.write_text(json.dumps([entry("evil")]))
    confirm(lena, page)
    assert ids() == ["new"]


def test_the_trail_names_who_confirmed(lena, lab_admin):
    confirm(lena, upload(lena, [entry("new")]))
    assert LogEntry.objects.get_for_object(Cluster.objects.get()).get().actor == lab_admin


def test_a_byte_order_mark_survives_the_way_through_the_preview(lena):
    confirm(lena, upload(lena, b"\xef\xbb\xbf" + json.dumps([entry("new")]).encode()))
    assert ids() == ["new"]


def test_a_confirmation_counts_once(lena):
    page = upload(lena, [entry("new")])
    confirm(lena, page)
    Cluster.objects.get().delete()
    assert "too old" in said(confirm(lena, page))
    assert ids() == []


# What happened in between.


def test_a_cluster_added_in_between_leads_to_a_new_preview(lena, everything):
    page = upload(lena, everything)
    Cluster.objects.create(cluster_id="new", name="n", host="c.test", user="portal@pve", password="x")
    again = confirm(lena, page)
    assert "changed after this preview" in again.content.decode()
    assert rows(again)[0].startswith("new differs; will not be changed")


def test_a_changed_cluster_is_not_overwritten_unseen(lena, everything):
    page = upload(lena, everything, "update", "update_secrets")
    Cluster.objects.filter(cluster_id="moved").update(host="c.test")
    confirm(lena, page)
    assert Cluster.objects.get(cluster_id="moved").host == "c.test"
    assert ids() == ["here", "moved"]


def test_the_new_preview_can_be_confirmed(lena, everything):
    page = upload(lena, everything, "update", "update_secrets")
    Cluster.objects.filter(cluster_id="moved").update(host="c.test")
    confirm(lena, confirm(lena, page))
    assert Cluster.objects.get(cluster_id="moved").host == "b.test"


def test_the_outdated_preview_is_forgotten(lena, everything):
    page, before = upload(lena, everything), PendingImport.objects.get().pk
    Cluster.objects.filter(cluster_id="moved").update(host="c.test")
    confirm(lena, page)
    assert PendingImport.objects.get().pk != before


def test_a_cluster_deleted_in_between_is_not_brought_back(lena, everything):
    page = upload(lena, everything)
    Cluster.objects.get(cluster_id="here").delete()
    confirm(lena, page)
    assert ids() == ["moved"]


def test_a_preview_of_sixteen_minutes_ago_is_too_old(lena):
    page = upload(lena, [entry("new")])
    PendingImport.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    assert "too old" in said(confirm(lena, page))
    assert ids() == []
    assert not PendingImport.objects.exists()


def test_a_preview_of_sixteen_minutes_ago_is_forgotten_by_a_worker(lena):
    upload(lena, [entry("new")])
    schedule.PERIODIC_JOBS["forget old previews"].work()
    assert PendingImport.objects.exists()
    PendingImport.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    schedule.PERIODIC_JOBS["forget old previews"].work()
    assert not PendingImport.objects.exists()


@pytest.mark.parametrize("shown", ["", "77", "x:y:z"])
def test_what_nobody_was_shown_is_too_old(lena, shown):
    upload(lena, [entry("new")])
    PendingImport.objects.update(id=77)
    assert "too old" in said(lena.post(url(), {"shown": shown}))
    assert ids() == []


# Who may.


def test_another_persons_preview_is_not_confirmed(lena, admin):
    page = upload(lena, [entry("new")])
    lena.force_login(admin)
    assert "too old" in said(confirm(lena, page))
    assert ids() == []


@pytest.mark.parametrize("who", ["auditor", "ana"])
@pytest.mark.parametrize("data", [None, {}, {"shown": "1"}], ids=["form", "preview", "confirmation"])
def test_who_may_not_change_clusters_imports_nothing(client, request, server_file, who, data):
    server_file.write_text(json.dumps([entry("new")]))
    client.force_login(request.getfixturevalue(who))
    response = client.get(url()) if data is None else client.post(url(), data)
    assert response.status_code == (403 if who == "auditor" else 302)
    assert (ids(), PendingImport.objects.count()) == ([], 0)


def test_a_confirmation_needs_a_csrf_token(lab_admin):
    client = Client(enforce_csrf_checks=True)
    client.force_login(lab_admin)
    assert client.post(url(), {"shown": "1"}).status_code == 403


# What is not a file of clusters.


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[{\"name\": \"Ñandú\"}]".encode("latin-1"), "is not UTF-8 text"), (b"\x89PNG\r\n", "is not UTF-8 text"),
        (b"{", "is not JSON"), (b"[" + b" " * 2**20, "is larger than 1 MiB"), (b"[" * 9999, "nested deeper than 8"),
        (rb'[{"\ud800": 1}]', "is not a key of a cluster"), (b"", "The submitted file is empty"),
    ],
    ids=["Latin-1", "picture", "half", "large", "deep", "half a character", "empty"],
)  # fmt: skip
def test_an_unusable_upload_is_told(lena, content, told):
    assert told in upload(lena, content).content.decode()
    assert (ids(), PendingImport.objects.count()) == ([], 0)


def test_a_file_that_is_not_on_the_server_is_told(lena, server_file):
    assert "There is no file" in lena.post(url()).content.decode()


def test_credentials_go_with_differences_only(lena):
    assert "Select “Apply differences" in upload(lena, [entry("new")], "update_secrets").content.decode()


def test_a_path_in_the_name_of_an_upload_is_cut_off(lena):
    assert b"/etc" not in upload(lena, [entry("new")], name="/etc/passwd").content


# No secret stays anywhere.


def everywhere() -> bytes:
    """Every row of every table as the database holds it."""
    with connection.cursor() as cursor:
        found = []
        for name in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - names of tables
            found += cursor.fetchall()
    sessions = [session.get_decoded() for session in Session.objects.all()]
    return repr([found, sessions]).encode()


def test_an_uploaded_password_is_in_no_page_no_message_and_no_row(lena, everything):
    page = upload(lena, everything, "update", "update_secrets", "restore")
    assert CORE.encode() not in page.content + everywhere()
    done = confirm(lena, page)
    assert CORE not in said(done)
    assert CORE.encode() not in lena.get(done.url).content + everywhere()


def test_what_the_page_keeps_of_an_upload_is_where_it_waits_and_nothing_of_it(lena, everything):
    page = upload(lena, everything, "update", "update_secrets")
    kept = signing.loads(signed(page), salt="preview.clusters")["shown"]
    assert kept["facts"] == {"pending": PendingImport.objects.get().pk}
    assert set(kept) == {"facts", "digest", "marks"}
    assert CORE not in repr(kept)


def test_the_password_of_a_refused_upload_is_in_no_page_and_no_row(lena):
    page = upload(lena, [entry("bad", host=MARKER, port=MARKER, user=MARKER, pasword=MARKER)])
    assert CORE.encode() not in page.content + everywhere()


def test_where_it_is_kept_it_is_found(lena):
    page = upload(lena, [entry("new", name=CORE)])
    confirm(lena, page)
    assert CORE.encode() in everywhere()
