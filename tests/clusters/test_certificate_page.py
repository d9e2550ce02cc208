"""Looking at a certificate tells the cluster nothing; deciding about it pins exactly what was shown."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry as History
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import pvesim
from accounts.models import User
from clusters import proxmox
from clusters.admin import certificate
from clusters.models import Cluster, ClusterHealth
from tests.clusters.test_admin import act
from tests.labs import NUMBERS, Lab, building_a, clock, sim
from vms.models import ClusterSync

__all__ = ["building_a", "clock", "sim"]

pytestmark = pytest.mark.django_db

OTHER = ":".join(["AB"] * 32)


@dataclass
class Page:
    """A cluster's certificate as a person meets it."""

    client: Client
    lab: Lab

    @property
    def row(self) -> Cluster:
        return Cluster.objects.get(pk=self.lab.row.pk)

    @property
    def token(self) -> str:
        """The whole token that is stored."""
        return f"{self.row.token_id}={self.row.token_secret.reveal()}"

    def fetch(self, **form: Any) -> str:
        url = reverse("admin:clusters_cluster_certificate", args=[self.row.pk])
        answer = self.client.post(url, {"host": self.row.host, "port": self.row.port} | form)
        assert answer.status_code == 200
        return html.unescape(answer.content.decode())

    def accept(self, page: str, **entered: str) -> HttpResponse:
        found = re.search(r'name="shown" value="([^"]+)"', page)
        assert found
        url = reverse("admin:clusters_cluster_accept", args=[self.row.pk])
        return self.client.post(url, {"shown": found[1], **entered})  # type: ignore[return-value]

    def refused(self, page: str, said: str, **entered: str) -> bool:
        """Whether accepting says this, and changes nothing."""
        before = (self.row.fingerprint, self.row.credential_version)
        answer = self.accept(page, **entered)
        assert answer.status_code == 200
        return said in html.unescape(answer.content.decode()) and before == (
            self.row.fingerprint,
            self.row.credential_version,
        )


@pytest.fixture
def page(client: Client, lab_admin: User, building_a: Lab) -> Page:
    client.force_login(lab_admin)
    return Page(client, building_a)


@pytest.fixture
def changed(page: Page) -> Page:
    """Its node has another certificate since the pin."""
    page.lab.pve.renew_certificate("pve1")
    proxmox.forget(page.row.cluster_id)  # its service restarts for that, which ends all connections
    return page


# Looking


def test_the_page_shows_what_the_certificate_says(page: Page) -> None:
    shown = page.fetch()
    for said in (page.lab.pve.fingerprint(), "CN=pve1", "Proxmox Virtual Environment", "localhost", "127.0.0.1"):
        assert said in shown
    assert "This is the pinned certificate." in shown


def test_looking_sends_nothing_but_a_handshake(page: Page) -> None:
    page.fetch(user="x@pve", new_password="typed")
    assert page.lab.pve.requests == []


def test_a_certificate_that_is_pinned_is_not_offered(page: Page) -> None:
    assert "Trust exactly this certificate" not in page.fetch()


def test_a_changed_certificate_stands_beside_the_old_one(changed: Page) -> None:
    shown = changed.fetch()
    assert changed.row.fingerprint in shown
    assert changed.lab.pve.fingerprint() in shown
    assert "This is not the certificate that is pinned." in shown


def test_an_expired_certificate_of_another_name_is_doubted(page: Page) -> None:
    node = page.lab.pve.nodes["pve1"]
    node.present(node.authority.issue("pve1", names=["elsewhere.test"], is_over=True))
    shown = page.fetch()
    assert "It expired on" in shown
    assert "It is issued for elsewhere.test, not for this host (127.0.0.1)." in shown


@pytest.mark.parametrize("form", [{"host": "a b"}, {"port": "0"}, {"port": "66000"}, {"host": ""}, {"port": "x"}])
def test_a_host_or_port_that_is_none_is_not_asked(page: Page, form: dict[str, str]) -> None:
    assert "Correct host and port" in page.fetch(**form)


def test_a_host_that_does_not_answer_is_a_sentence(page: Page) -> None:
    page.lab.pve.stop()
    assert "refuses connections on its port" in page.fetch()


def test_a_host_that_is_not_allowed_is_not_asked(page: Page, settings: Any) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ["10.0.0.0/8"]
    assert "The portal may not connect to this address" in page.fetch()


def test_another_host_than_the_stored_one_is_shown_and_not_accepted(changed: Page) -> None:
    shown = changed.fetch(host="localhost")
    assert changed.lab.pve.fingerprint() in shown
    assert "cannot be accepted here" in shown
    assert 'name="shown"' not in shown


def test_the_change_page_has_the_button(page: Page) -> None:
    shown = page.client.get(reverse("admin:clusters_cluster_change", args=[page.row.pk])).content.decode()
    assert f'formaction="{reverse("admin:clusters_cluster_certificate", args=[page.row.pk])}"' in shown


# Deciding


def test_accepting_pins_what_was_shown(changed: Page) -> None:
    assert changed.accept(changed.fetch(), new_token=changed.token).status_code == 302
    assert changed.row.fingerprint == changed.lab.pve.fingerprint()


def test_accepting_makes_the_sync_due_and_says_so(changed: Page) -> None:
    later = timezone.now() + timedelta(minutes=5)
    ClusterSync.objects.update_or_create(cluster=changed.row, defaults={"due_at": later, "failures": 9})
    answer = changed.accept(changed.fetch(), new_token=changed.token)
    assert ClusterSync.objects.get().due_at <= timezone.now()
    assert "Its machines are synced now." in changed.client.get(answer.headers["Location"]).content.decode()


def test_accepting_stands_in_the_history_with_both(changed: Page) -> None:
    before = changed.row.fingerprint
    changed.accept(changed.fetch(), new_token=changed.token)
    said = History.objects.get().change_message
    assert before in said
    assert changed.lab.pve.fingerprint() in said


def test_accepting_asks_for_the_credential_again(changed: Page) -> None:
    assert changed.refused(changed.fetch(), "Enter the credential again")


def test_every_credential_that_will_be_sent_is_asked_for(changed: Page) -> None:
    read = {"read_token_id": "portal@pve!look", "read_token_secret": "stored"}
    Cluster.objects.filter(pk=changed.row.pk).update(password="stored", **read)
    shown = changed.fetch()
    assert 'name="new_read_token"' in shown
    assert 'name="new_password"' not in shown  # a token wins over it
    assert changed.refused(shown, "Enter the credential again", new_token=changed.token)


def test_a_rejected_page_shows_no_secret(changed: Page) -> None:
    answer = changed.accept(changed.fetch(), new_token="portal@pve!labs", new_password="c4nary-typed")
    assert "Paste ID and secret together" in answer.content.decode()
    assert "c4nary-typed" not in answer.content.decode()


def test_a_certificate_that_changes_between_look_and_yes_is_not_pinned(changed: Page) -> None:
    shown = changed.fetch()
    changed.lab.pve.renew_certificate("pve1")
    assert changed.refused(shown, "The node now shows a different certificate", new_token=changed.token)


def test_a_look_that_was_not_made_here_is_not_taken(changed: Page) -> None:
    forged = re.sub(r'name="shown" value="[^"]+"', 'name="shown" value="eyJwayI6MX0:1:x"', changed.fetch())
    assert changed.refused(forged, "The page was out of date", new_token=changed.token)


def test_a_look_of_long_ago_is_not_taken(changed: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = changed.fetch()
    monkeypatch.setattr(certificate, "KEPT", -1)
    assert changed.refused(shown, "The page was out of date", new_token=changed.token)


def test_a_look_at_another_place_is_not_taken(changed: Page) -> None:
    shown = changed.fetch()
    Cluster.objects.filter(pk=changed.row.pk).update(host="localhost")
    assert changed.refused(shown, "The page was out of date", new_token=changed.token)


def test_a_look_at_another_cluster_is_not_taken(changed: Page) -> None:
    shown = changed.fetch()
    twin = Cluster.objects.create(
        cluster_id="twin", name="Twin", host=changed.row.host, port=changed.row.port, user="p@pve", password="x"
    )
    found = re.search(r'name="shown" value="([^"]+)"', shown)
    url = reverse("admin:clusters_cluster_accept", args=[twin.pk])
    changed.client.post(url, {"shown": found and found[1], "new_password": "x"})
    twin.refresh_from_db()
    assert twin.fingerprint == ""


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(changed: Page) -> None:
    shown = changed.fetch()
    Cluster.objects.filter(pk=changed.row.pk).update(fingerprint=OTHER)
    assert changed.refused(shown, "somebody else changed this cluster", new_token=changed.token)


def test_of_several_pins_only_the_chosen_one_is_replaced(changed: Page) -> None:
    old = changed.row.fingerprint
    Cluster.objects.filter(pk=changed.row.pk).update(fingerprint=f"{old}, {OTHER}")
    assert changed.refused(changed.fetch(), "This field is required", new_token=changed.token)
    changed.accept(changed.fetch(), new_token=changed.token, replaces=old)
    assert changed.row.fingerprint == f"{OTHER}, {changed.lab.pve.fingerprint()}"


def test_of_several_pins_all_stay_for_a_further_node(changed: Page) -> None:
    old = changed.row.fingerprint
    Cluster.objects.filter(pk=changed.row.pk).update(fingerprint=f"{old}, {OTHER}")
    changed.accept(changed.fetch(), new_token=changed.token, replaces="none")
    assert changed.row.fingerprint == f"{old}, {OTHER}, {changed.lab.pve.fingerprint()}"


# A changed certificate stops the cluster


def test_nothing_is_sent_after_a_renewal_until_it_is_accepted(changed: Page) -> None:
    assert changed.lab.sync().problem.startswith("The certificate changed from ")
    assert changed.lab.pve.requests == []
    changed.accept(changed.fetch(), new_token=changed.token)
    assert changed.lab.pve.requests == []
    assert changed.lab.sync().problem == ""
    assert changed.lab.pve.count("GET", "/cluster/resources$") == 1


def test_the_health_names_both_and_leads_to_the_decision(changed: Page) -> None:
    changed.lab.sync()
    problem = ClusterHealth.objects.get().problem
    assert f"changed from {changed.row.fingerprint} to {changed.lab.pve.fingerprint()}." in problem
    assert problem.endswith("Check the certificate in the cluster's settings.")
    shown = changed.client.get(reverse("admin:clusters_cluster_change", args=[changed.row.pk])).content.decode()
    assert html.escape(problem) in shown


def test_a_changed_certificate_is_not_called_unreachable(changed: Page) -> None:
    changed.lab.sync()
    admin_list = changed.client.get(reverse("admin:clusters_cluster_changelist")).content.decode()
    assert '<span class="health failing">certificate changed</span>' in admin_list
    status = changed.client.get(reverse("vms-clusters")).content.decode()
    assert "Certificate changed" in status
    assert "Not responding" not in status


def test_people_with_machines_there_read_of_the_certificate(changed: Page, ana: User) -> None:
    changed.lab.assign(101, ana)
    changed.lab.sync()
    changed.client.force_login(ana)
    found = changed.client.get(reverse("vms-list")).content.decode()
    assert "The certificate of Building A is not trusted since" in found
    assert "has not responded" not in found


def test_a_certificate_that_no_authority_vouches_for_is_not_called_changed(page: Page) -> None:
    page.lab.pve.faults.certificate_of_another_authority("pve1")
    Cluster.objects.filter(pk=page.row.pk).update(fingerprint="", ca_certificate=page.lab.pve.ca_pem)
    proxmox.forget(page.row.cluster_id)
    page.lab.sync()
    assert "Certificate not trusted" in page.client.get(reverse("vms-clusters")).content.decode()


def test_a_test_of_the_connection_names_what_is_shown_instead(page: Page) -> None:
    page.lab.pve.faults.certificate_of_another_authority("pve1")
    Cluster.objects.filter(pk=page.row.pk).update(fingerprint="", ca_certificate=page.lab.pve.ca_pem)
    assert any(page.lab.pve.fingerprint("pve1") in said for said in act(page.client, "try_connection", page.row))


# A new cluster


@pytest.fixture
def fresh(sim: pvesim.Simulator) -> Iterator[pvesim.Cluster]:
    pve = sim.add_cluster(f"fresh-{next(NUMBERS)}")
    yield pve
    sim.remove_cluster(pve.name)


def look_new(client: Client, pve: pvesim.Cluster, **form: str) -> str:
    url = reverse("admin:clusters_cluster_certificate_new")
    answer = client.post(url, {"host": pve.host, "port": str(pve.port), **form})
    return html.unescape(answer.content.decode())


def test_a_new_cluster_gets_the_fingerprint_and_its_fields_back(
    client: Client, lab_admin: User, fresh: pvesim.Cluster
) -> None:
    client.force_login(lab_admin)
    shown = look_new(client, fresh, cluster_id="new", name="New one", user="portal@pve", new_password="c4nary")
    link = re.search(r'class="button default" href="([^"]+)"', shown)
    assert link
    assert "c4nary" not in shown
    form = client.get(link[1]).content.decode()
    for value in (fresh.fingerprint(), "New one", "portal@pve", str(fresh.port)):
        assert html.escape(value) in form
    assert fresh.requests == []


def test_a_token_in_the_wrong_box_does_not_get_into_an_address(
    client: Client, lab_admin: User, fresh: pvesim.Cluster
) -> None:
    client.force_login(lab_admin)
    assert "c4nary" not in look_new(client, fresh, user="portal@pve!labs=c4nary")


# Who may


@pytest.mark.parametrize("view", ["certificate", "accept"])
def test_an_auditor_may_not(client: Client, auditor: User, building_a: Lab, view: str) -> None:
    client.force_login(auditor)
    url = reverse(f"admin:clusters_cluster_{view}", args=[building_a.row.pk])
    assert client.post(url, {"host": "127.0.0.1", "port": "8006"}).status_code == 403


def test_an_auditor_looks_at_no_new_host(client: Client, auditor: User) -> None:
    client.force_login(auditor)
    assert client.post(reverse("admin:clusters_cluster_certificate_new"), {}).status_code == 403


@pytest.mark.parametrize("view", ["certificate", "accept"])
def test_a_student_gets_to_the_login(client: Client, ana: User, building_a: Lab, view: str) -> None:
    client.force_login(ana)
    assert client.post(reverse(f"admin:clusters_cluster_{view}", args=[building_a.row.pk])).status_code == 302


@pytest.mark.parametrize("view", ["certificate", "accept"])
def test_a_cluster_that_is_not_there_is_not_found(page: Page, view: str) -> None:
    assert page.client.post(reverse(f"admin:clusters_cluster_{view}", args=[4711])).status_code == 404


@pytest.mark.parametrize("view", ["certificate", "accept"])
def test_nothing_is_looked_at_by_following_a_link(page: Page, view: str) -> None:
    assert page.client.get(reverse(f"admin:clusters_cluster_{view}", args=[page.row.pk])).status_code == 405
    assert page.client.get(reverse("admin:clusters_cluster_certificate_new")).status_code == 405


@pytest.mark.parametrize("view", ["certificate", "accept"])
def test_another_site_decides_nothing(lab_admin: User, building_a: Lab, view: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(lab_admin)
    assert strict.post(reverse(f"admin:clusters_cluster_{view}", args=[building_a.row.pk])).status_code == 403
