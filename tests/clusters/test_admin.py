"""Clusters in the admin: who may do what, what is asked again, and what is never shown."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.admin.models import LogEntry as History
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth, DeletedCluster
from tests.admin_pages import said
from tests.labs import Lab, building_a, clock, sim, simulated
from vms.models import Assignment, ClusterSync

__all__ = ["building_a", "clock", "sim"]

pytestmark = pytest.mark.django_db

SECRET = "c4nary-of-the-admin"
LIST = "admin:clusters_cluster_changelist"


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def alpha() -> Cluster:
    return Cluster.objects.create(
        cluster_id="alpha", name="Alpha", host="a.test", user="p@pve", password=SECRET, verify_ssl=True
    )


def stored(cluster: Cluster, column: str = "password") -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM clusters WHERE id = %s", [cluster.pk])  # noqa: S608 - a name of ours
        value = cursor.fetchone()[0]
    return None if value is None else str(value)


def form(cluster: Cluster, **changes: Any) -> dict[str, Any]:
    """What a browser posts for this cluster when a person changes these fields."""
    fields = {
        "name": cluster.name, "is_active": "on" if cluster.is_active else "", "host": cluster.host,
        "port": cluster.port, "verify_ssl": "on" if cluster.verify_ssl else "", "user": cluster.user,
        "ca_certificate": cluster.ca_certificate, "fingerprint": cluster.fingerprint,
        "addresses": cluster.addresses,
    }  # fmt: skip
    return {name: value for name, value in (fields | changes).items() if value != ""}


def change(client: Client, cluster: Cluster, **changes: Any) -> HttpResponse:
    url = reverse("admin:clusters_cluster_change", args=[cluster.pk])
    return client.post(url, form(cluster, **changes))  # type: ignore[return-value]


def act(client: Client, action: str, *clusters: Cluster) -> list[str]:
    answer = client.post(reverse(LIST), {"action": action, "_selected_action": [c.pk for c in clusters]})
    return [str(message) for message in get_messages(answer.wsgi_request)]


# The form


def test_a_blank_credential_keeps_the_stored_one_to_the_byte(lena: Client, alpha: Cluster) -> None:
    before = stored(alpha)
    assert change(lena, alpha, name="Renamed").status_code == 302
    assert stored(alpha) == before
    assert Cluster.objects.get().name == "Renamed"


def test_a_new_password_replaces_the_old_one(lena: Client, alpha: Cluster) -> None:
    change(lena, alpha, new_password="another one")
    alpha.refresh_from_db()
    assert alpha.password.reveal() == "another one"
    assert alpha.credential_version == 2


def test_white_space_is_part_of_a_password(lena: Client, alpha: Cluster) -> None:
    change(lena, alpha, new_password=" x ")
    assert Cluster.objects.get().password.reveal() == " x "


TARGETS = {
    "host": "evil.test",
    "port": 8007,
    "user": "other@pve",
    "verify_ssl": "",
    "fingerprint": ":".join(["AB"] * 32),
}


@pytest.mark.parametrize("field", TARGETS)
def test_a_new_target_asks_for_the_credential_again(lena: Client, alpha: Cluster, field: str) -> None:
    answer = change(lena, alpha, **{field: TARGETS[field]})
    assert answer.status_code == 200
    assert "Enter the credential again" in answer.content.decode()
    assert Cluster.objects.get().host == "a.test"


@pytest.mark.parametrize("field", TARGETS)
def test_a_new_target_with_the_credential_is_saved(lena: Client, alpha: Cluster, field: str) -> None:
    assert change(lena, alpha, **{field: TARGETS[field], "new_password": "again"}).status_code == 302


def test_what_was_typed_comes_back_with_the_error_and_secrets_do_not(lena: Client, alpha: Cluster) -> None:
    page = change(lena, alpha, name="Typed", host="not a host", new_password="typed-secret").content.decode()
    assert 'value="Typed"' in page
    assert 'value="not a host"' in page
    assert "typed-secret" not in page


def test_other_line_ends_are_no_other_certificate(lena: Client, target: "Target") -> None:
    as_a_browser_sends_it = target.pve.ca_pem.replace("\n", "\r\n")
    assert change(lena, target.row, ca_certificate=as_a_browser_sends_it).status_code == 302


def test_the_box_removes_the_token(lena: Client, alpha: Cluster) -> None:
    change(lena, alpha, new_token="p@pve!labs=x")
    assert stored(alpha, "token_secret")
    assert change(lena, alpha, remove_token="on", new_password="typed").status_code == 302
    assert stored(alpha, "token_secret") is None
    assert Cluster.objects.get().token_id == ""


def test_a_new_cluster_needs_a_credential(lena: Client) -> None:
    fields = {"cluster_id": "b", "name": "B", "host": "b.test", "port": 8006, "user": "p@pve"}
    page = lena.post(reverse("admin:clusters_cluster_add"), fields).content.decode()
    assert "Enter a password or an API token" in page
    lena.post(reverse("admin:clusters_cluster_add"), fields | {"new_password": "x"})
    assert Cluster.objects.get().cluster_id == "b"


def test_the_id_of_a_cluster_is_not_changed(lena: Client, alpha: Cluster) -> None:
    change(lena, alpha, cluster_id="other", name="N")
    assert Cluster.objects.get().cluster_id == "alpha"


def test_a_stale_form_does_not_undo_another_default(lena: Client, alpha: Cluster) -> None:
    beta = Cluster.objects.create(cluster_id="beta", name="Beta", host="b.test", user="p@pve", password="x")
    alpha.make_default()
    opened = form(alpha, name="Late")
    beta.make_default()
    assert lena.post(reverse("admin:clusters_cluster_change", args=[alpha.pk]), opened).status_code == 302
    assert Cluster.objects.default() == beta


def seen(client: Client, cluster: Cluster) -> str:
    page = client.get(reverse("admin:clusters_cluster_change", args=[cluster.pk])).content.decode()
    found = re.search(r'name="seen" value="(\w{64})"', page)
    assert found
    return found[1]


def test_a_stale_form_does_not_bring_back_what_somebody_switched_off(lena: Client, alpha: Cluster) -> None:
    opened = form(alpha, name="Late", seen=seen(lena, alpha))
    alpha.deactivate()
    answer = lena.post(reverse("admin:clusters_cluster_change", args=[alpha.pk]), opened)
    assert "somebody else changed this cluster" in answer.content.decode()
    alpha.refresh_from_db()
    assert (alpha.is_active, alpha.name) == (False, "Alpha")


def test_a_form_is_not_stale_because_another_is_the_default_now(lena: Client, alpha: Cluster) -> None:
    opened = form(alpha, name="Late", seen=seen(lena, alpha))
    alpha.make_default()
    assert lena.post(reverse("admin:clusters_cluster_change", args=[alpha.pk]), opened).status_code == 302
    assert Cluster.objects.default().name == "Late"


def test_saving_without_a_change_leaves_nothing_in_history_and_trail(lena: Client, alpha: Cluster) -> None:
    before = LogEntry.objects.count()
    assert change(lena, alpha, seen=seen(lena, alpha)).status_code == 302
    assert (History.objects.count(), LogEntry.objects.count()) == (0, before)


def test_switching_the_default_off_in_the_form_clears_it(lena: Client, alpha: Cluster) -> None:
    alpha.make_default()
    assert change(lena, alpha, is_active="").status_code == 302
    alpha.refresh_from_db()
    assert (alpha.is_active, alpha.is_default) == (False, False)


def test_unverified_certificates_are_warned_about_after_saving(lena: Client, alpha: Cluster) -> None:
    answer = change(lena, alpha, verify_ssl="", new_password="x")
    assert any("not verified" in str(message) for message in get_messages(answer.wsgi_request))


# Actions


def test_actions_switch_clusters_and_say_so(lena: Client, alpha: Cluster) -> None:
    assert any("now deactivated" in text for text in act(lena, "deactivate", alpha))
    assert not Cluster.objects.get().is_active
    assert any("is active" in text for text in act(lena, "activate", alpha))
    assert Cluster.objects.get().is_active


def test_deactivating_the_default_says_that_there_is_none_now(lena: Client, alpha: Cluster) -> None:
    act(lena, "make_default", alpha)
    assert any("no default cluster now" in text for text in act(lena, "deactivate", alpha))


def test_an_inactive_cluster_is_not_made_the_default(lena: Client, alpha: Cluster) -> None:
    alpha.deactivate()
    assert any("not active" in text for text in act(lena, "make_default", alpha))
    assert Cluster.objects.default() is None


def test_only_one_cluster_is_made_the_default(lena: Client, alpha: Cluster) -> None:
    beta = Cluster.objects.create(cluster_id="beta", name="Beta", host="b.test", user="p@pve", password="x")
    assert any("exactly one" in text for text in act(lena, "make_default", alpha, beta))
    assert Cluster.objects.default() is None


@pytest.mark.parametrize("action", ["activate", "deactivate", "make_default", "try_connection"])
def test_an_auditor_has_no_actions(client: Client, auditor: User, alpha: Cluster, action: str) -> None:
    client.force_login(auditor)
    act(client, action, alpha)
    alpha.refresh_from_db()
    assert (alpha.is_active, alpha.is_default) == (True, False)
    assert action not in client.get(reverse(LIST)).content.decode()


def test_actions_stand_in_history_and_trail_with_the_person(lena: Client, lab_admin: User, alpha: Cluster) -> None:
    act(lena, "make_default", alpha)
    assert History.objects.get().change_message == "Made the default."
    entry = LogEntry.objects.get_for_object(alpha).first()
    assert entry.actor == lab_admin
    assert entry.changes == {"is_default": ["False", "True"]}


def test_an_action_that_changes_nothing_is_not_audited(lena: Client, alpha: Cluster) -> None:
    before = LogEntry.objects.count()
    act(lena, "activate", alpha)
    assert LogEntry.objects.count() == before
    assert not History.objects.exists()


def test_the_trail_says_that_a_secret_changed_and_not_which(lena: Client, admin: User, alpha: Cluster) -> None:
    change(lena, alpha, new_password="the-new-secret")
    lena.force_login(admin)
    page = lena.get(reverse("admin:auditlog_logentry_changelist")).content.decode()
    assert "secret changed" in page
    assert "password set" in page
    assert SECRET not in page
    assert "the-new-secret" not in page


# Deleting


def test_deleting_asks_first_and_leaves_a_tombstone_with_a_name(lena: Client, alpha: Cluster) -> None:
    url = reverse("admin:clusters_cluster_delete", args=[alpha.pk])
    assert "Are you sure" in lena.get(url).content.decode()
    lena.post(url, {"post": "yes"})
    assert not Cluster.objects.exists()
    assert DeletedCluster.objects.get().deleted_by == "lena"


def test_a_cluster_whose_machine_somebody_holds_is_not_deleted(lena: Client, building_a: Lab, ana: User) -> None:
    building_a.assign(101, ana)
    url = reverse("admin:clusters_cluster_delete", args=[building_a.row.pk])
    assert "net-01" in lena.get(url).content.decode()
    lena.post(url, {"post": "yes"})
    assert Cluster.objects.exists()


def test_a_cluster_is_deleted_when_its_machines_are_ready_for_others(lena: Client, building_a: Lab, ana: User) -> None:
    building_a.assign(101, ana)
    Assignment.objects.all().end()
    url = reverse("admin:clusters_cluster_delete", args=[building_a.row.pk])
    lena.post(url, {"post": "yes"})
    assert Cluster.objects.exists()
    Assignment.objects.update(released_at=timezone.now())
    lena.post(url, {"post": "yes"})
    assert not Cluster.objects.exists()


def test_a_used_cluster_is_retired_on_one_page(lena: Client, building_a: Lab, ana: User) -> None:
    building_a.assign(101, ana)
    building_a.assign(102, ana)
    Assignment.objects.filter(vm__vmid=102).end()  # and kept for her
    url = reverse("admin:clusters_cluster_delete", args=[building_a.row.pk])
    assert "End assignments and delete cluster" in lena.get(url).content.decode()
    lena.post(url, {"post": "yes"})
    assert Cluster.objects.exists()
    assert "2 assignments ended." in said(lena.post(url, {"post": "yes", "end": "yes"}, follow=True))
    assert (Cluster.objects.exists(), Assignment.objects.exists()) == (False, False)
    assert building_a.commands() == 0


def test_who_may_end_no_assignments_retires_no_cluster(
    client: Client, building_a: Lab, ana: User, auditor: User
) -> None:
    building_a.assign(101, ana)
    auditor.user_permissions.add(Permission.objects.get(codename="delete_cluster"))
    client.force_login(auditor)
    url = reverse("admin:clusters_cluster_delete", args=[building_a.row.pk])
    assert client.post(url, {"post": "yes", "end": "yes"}).status_code == 403
    assert Assignment.objects.live().exists()


def test_deactivating_says_whom_it_hits(lena: Client, building_a: Lab, ana: User) -> None:
    building_a.assign(101, ana)
    building_a.assign(102, ana)
    assert "1 person can't use their machines there." in act(lena, "deactivate", building_a.row)


def test_saving_a_new_cluster_leaves_no_values_in_the_url(lena: Client, target: "Target") -> None:
    fields = form(target.row, cluster_id="fresh", new_password="unused", _continue="1")
    answer = lena.post(reverse("admin:clusters_cluster_add") + "?cluster_id=fresh&fingerprint=AA", fields)
    made = Cluster.objects.get(cluster_id="fresh")
    assert answer["Location"] == reverse("admin:clusters_cluster_change", args=[made.pk])


# Lists


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_the_list_asks_as_often_for_thirty_clusters_as_for_one(lena: Client, alpha: Cluster) -> None:
    one = queries(lena, reverse(LIST))
    for n in range(29):
        made = Cluster.objects.create(cluster_id=f"c{n}", name=f"C{n}", host="c.test", user="p@pve", password="x")
        ClusterHealth.succeeded(made.cluster_id)
    assert queries(lena, reverse(LIST)) == one


def test_the_trail_asks_as_often_for_thirty_changes_as_for_one(lena: Client, alpha: Cluster) -> None:
    url = reverse("admin:auditlog_logentry_changelist")
    one = queries(lena, url)
    for n in range(29):
        change(lena, alpha, name=f"N{n}")
    assert queries(lena, url) == one


FILTERS = {"is_active__exact=1": True, "is_active__exact=0": False, "trust=none": False, "trust=verified": True,
           "health=ok": False, "health=unasked": True, "q=a.test": True, "q=nothing": False}  # fmt: skip


@pytest.mark.parametrize(("query", "found"), FILTERS.items())
def test_filters_and_search_find_what_they_say(lena: Client, alpha: Cluster, query: str, found: bool) -> None:
    page = lena.get(f"{reverse(LIST)}?{query}").content.decode()
    assert ("1 cluster\n" in page) is found


def test_the_documented_address_leads_to_the_list(lena: Client, alpha: Cluster) -> None:
    assert lena.get("/admin/clusters/", follow=True).redirect_chain[-1][0] == reverse(LIST)


# Trying the connection out


@dataclass
class Target:
    """A simulated cluster as it would be typed into the form, and its row in the portal."""

    pve: Any
    row: Cluster

    def try_out(self, client: Client, **changes: Any) -> str:
        url = reverse("admin:clusters_cluster_test", args=[self.row.pk])
        return client.post(url, form(self.row, **changes), headers={"HX-Request": "true"}).content.decode()


@pytest.fixture
def target(sim: Any) -> Iterator[Target]:
    pve = simulated(sim)
    row = Cluster.objects.create(
        cluster_id="live", name="Live", host=pve.host, port=pve.port, user="portal@pve", password="unused",
        ca_certificate=pve.ca_pem,
    )  # fmt: skip
    yield Target(pve, row)
    sim.remove_cluster(pve.name)


def test_a_working_connection_is_described(lena: Client, target: Target) -> None:
    found = target.try_out(lena)
    assert "The connection works." in found
    assert "1 node (pve1)" in found


def test_the_list_has_a_badge_for_the_health(lena: Client, target: Target) -> None:
    page = lena.get(reverse("admin:clusters_cluster_changelist")).content.decode()
    assert '<span class="health unknown">not checked yet</span>' in page
    ClusterHealth.failed(Cluster.objects.get().cluster_id, "It is gone.")
    page = lena.get(reverse("admin:clusters_cluster_changelist")).content.decode()
    assert '<span class="health failing">not responding for' in page


def test_trying_saves_nothing_but_the_health_of_what_is_stored(lena: Client, target: Target) -> None:
    target.try_out(lena, name="Typed")
    assert Cluster.objects.get().name == "Live"
    assert not ClusterHealth.objects.exists()
    target.try_out(lena)
    assert ClusterHealth.objects.get().ok


def next_sync_later(row: Cluster) -> None:
    """As while the breaker is open."""
    later = timezone.now() + timedelta(minutes=5)
    ClusterSync.objects.update_or_create(cluster=row, defaults={"due_at": later, "failures": 9})


def test_a_test_that_works_makes_the_sync_due_and_says_so(lena: Client, target: Target) -> None:
    next_sync_later(target.row)
    assert "Its machines are synced now." in target.try_out(lena)
    assert ClusterSync.objects.get().due_at <= timezone.now()


def test_a_test_of_unsaved_settings_makes_no_sync_due(lena: Client, target: Target) -> None:
    next_sync_later(target.row)
    assert "synced now" not in target.try_out(lena, name="Typed")
    assert ClusterSync.objects.get().due_at > timezone.now()


def test_a_test_that_fails_makes_no_sync_due(lena: Client, target: Target) -> None:
    next_sync_later(target.row)
    target.pve.stop()
    assert "synced now" not in target.try_out(lena)
    assert ClusterSync.objects.get().due_at > timezone.now()


def test_the_test_in_the_list_makes_the_sync_due_and_says_so(lena: Client, target: Target) -> None:
    next_sync_later(target.row)
    assert "Its machines are synced now." in act(lena, "try_connection", target.row)[0]
    assert ClusterSync.objects.get().due_at <= timezone.now()


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [({"new_password": "unused"}, True), ({"ca_certificate": "", "new_password": "x"}, True), ({"name": "X"}, False)],
)
def test_a_mended_cluster_is_synced_now(lena: Client, target: Target, changes: dict[str, str], is_due: bool) -> None:
    next_sync_later(target.row)
    url = reverse("admin:clusters_cluster_change", args=[target.row.pk])
    page = lena.post(url, form(target.row, **changes), follow=True).content.decode()
    assert ("are synced now." in page, ClusterSync.objects.get().due_at <= timezone.now()) == (is_due, is_due)


def test_a_new_cluster_is_tried_before_it_is_saved(lena: Client, target: Target) -> None:
    fields = form(target.row, cluster_id="fresh", new_password="unused")
    page = lena.post(reverse("admin:clusters_cluster_test_new"), fields).content.decode()
    assert "The connection works." in page
    assert not Cluster.objects.filter(cluster_id="fresh").exists()


def test_a_stored_secret_is_not_sent_to_a_new_place(lena: Client, target: Target, sim: Any) -> None:
    evil = simulated(sim)
    found = target.try_out(lena, port=evil.port, ca_certificate=evil.ca_pem)
    assert "Enter the credential again" in found
    assert evil.requests == []
    target.try_out(lena, port=evil.port, ca_certificate=evil.ca_pem, new_password="typed")
    assert evil.requests != []  # with a secret that was typed, it is asked
    sim.remove_cluster(evil.name)


def wrong_password(target: Target) -> dict[str, Any]:
    return {"new_password": "wrong"}


def no_listener(target: Target) -> dict[str, Any]:
    target.pve.stop()
    return {}


def unknown_name(target: Target) -> dict[str, Any]:
    return {"host": "nowhere.invalid", "new_password": "unused"}


def other_certificate(target: Target) -> dict[str, Any]:
    return {"fingerprint": ":".join(["AB"] * 32), "new_password": "unused"}


def no_privilege(target: Target) -> dict[str, Any]:
    target.pve.add_user("poor@pve", password="poor", acl={"/": "PVEAuditor"})
    return {"user": "poor@pve", "new_password": "poor"}


FAILURES = {
    "rejected the portal&#x27;s credential": wrong_password,
    "refuses connections on its port": no_listener,
    "host name was not found": unknown_name,
    "certificate changed from AB:": other_certificate,
    "The privilege VM.PowerMgmt is missing": no_privilege,
}


@pytest.mark.parametrize("said", FAILURES)
def test_what_is_wrong_is_said_in_plain_words(lena: Client, target: Target, said: str) -> None:
    assert said in target.try_out(lena, **FAILURES[said](target))


@pytest.mark.parametrize("method", ["get", "head"])
def test_nothing_is_tried_by_looking(lena: Client, target: Target, method: str) -> None:
    answer = getattr(lena, method)(reverse("admin:clusters_cluster_test", args=[target.row.pk]))
    assert answer.status_code == 405
    assert target.pve.requests == []


def test_an_auditor_tries_nothing(client: Client, auditor: User, target: Target) -> None:
    client.force_login(auditor)
    answer = client.post(reverse("admin:clusters_cluster_test", args=[target.row.pk]), form(target.row))
    assert answer.status_code == 403
    assert target.pve.requests == []


def test_the_action_tries_stored_clusters(lena: Client, target: Target) -> None:
    assert any("Proxmox VE" in text for text in act(lena, "try_connection", target.row))
    target.pve.stop()
    assert any("refuses connections" in text for text in act(lena, "try_connection", target.row))


# The banner


OLD = [{"id": "old", "host": "192.0.2.9", "user": "portal@pve", "password": "secret"}]


def test_the_admin_says_that_clusters_come_from_elsewhere(lena: Client, settings: Any, tmp_path: Path) -> None:
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")
    (tmp_path / "clusters.json").write_text(json.dumps(OLD))
    page = lena.get(reverse("admin:index")).content.decode()
    assert "Clusters do not come from the database" in page
    assert "no cluster was ever saved" in page


def test_a_new_portal_says_what_to_do_first(lena: Client) -> None:
    page = lena.get(reverse("admin:index")).content.decode()
    assert "No cluster is saved in the portal yet" in page
    assert reverse("admin:clusters_cluster_add") in page


def test_the_banner_goes_with_the_first_cluster(lena: Client, alpha: Cluster) -> None:
    page = lena.get(reverse("admin:index")).content.decode()
    assert ("do not come from the database" in page, "No cluster is saved" in page) == (False, False)


# As people write it


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ({"host": "[fd00::10]"}, ("fd00::10", 8006)),
        ({"host": "[fd00::11]:8007"}, ("fd00::11", 8007)),
        ({"host": "b.test:443"}, ("b.test", 443)),
        ({"host": "b.test.", "port": "443"}, ("b.test", 443)),
        ({"host": " b.test\u200b"}, ("b.test", 8006)),
    ],
)
def test_a_host_is_stored_as_it_is_meant(
    lena: Client, alpha: Cluster, written: dict[str, str], target: tuple[str, int]
):
    change(lena, alpha, new_password="again", **written)
    alpha.refresh_from_db()
    assert (alpha.host, alpha.port) == target


def test_two_ports_are_refused_where_they_are_written(lena: Client, alpha: Cluster):
    page = change(lena, alpha, host="a.test:443", port="8007", new_password="again")
    assert "This host has port 443, and the field “Port” another one." in page.content.decode()


def test_a_port_behind_the_same_host_is_another_place_for_the_password(lena: Client, alpha: Cluster):
    page = change(lena, alpha, host="a.test:443")
    assert page.status_code == 200
    assert "Enter the credential again" in page.content.decode()
    alpha.refresh_from_db()
    assert alpha.port == 8006


@pytest.mark.parametrize(
    "place", [{"host": "169.254.169.254"}, {"host": "224.0.0.1"}, {"addresses": "b.test\n169.254.1.1"}]
)
def test_what_is_never_connected_to_is_not_saved(lena: Client, alpha: Cluster, place: dict[str, str]):
    page = change(lena, alpha, new_password="again", **place)
    assert "The portal may not connect to this address." in page.content.decode()
    alpha.refresh_from_db()
    assert (alpha.host, alpha.addresses) == ("a.test", "")


def test_a_token_of_a_directory_user_is_taken_as_it_is_pasted(lena: Client, alpha: Cluster):
    secret = "01234567-89ab-cdef-0123-456789abcdef"
    change(lena, alpha, new_token=f'"ana.gil@school.example@entra!labs={secret}"\u200b', user="")
    alpha.refresh_from_db()
    assert (alpha.token_id, alpha.token_secret.reveal()) == ("ana.gil@school.example@entra!labs", secret)
    assert alpha.user == "ana.gil@school.example@entra"
