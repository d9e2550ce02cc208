"""The check of privileges in the admin, and the lines that a new cluster's page begins with."""

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters import privileges
from tests.clusters import pveum
from tests.labs import Lab, building_a, clock, sim

__all__ = ["building_a", "clock", "sim"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


def url(lab: Lab) -> str:
    return reverse("admin:clusters_cluster_privileges", args=[lab.row.pk])


def check(client: Client, lab: Lab) -> str:
    answer = client.post(url(lab))
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def lines(page: str, box: str) -> list[str]:
    found = re.search(rf'<pre id="{box}"[^>]*>([^<]+)</pre>', page)
    assert found
    return html.unescape(found[1]).splitlines()


def poorer(lab: Lab) -> None:
    """Its account is an auditor from now on."""
    lab.pve.revoke("/", "portal@pve")
    lab.pve.grant("/", "portal@pve", "PVEAuditor")


def test_an_account_that_may_do_all_lacks_nothing(lena: Client, building_a: Lab) -> None:
    page = check(lena, building_a)
    assert "Nothing is missing." in page
    assert "far more privileges than the portal uses" in page
    assert '<pre id="lines"' not in page


def test_what_is_missing_stands_beside_its_feature(lena: Client, building_a: Lab) -> None:
    poorer(building_a)
    page = check(lena, building_a)
    assert "Missing VM.Console on /vms." in page
    assert "Works everywhere." in page


def test_after_the_lines_of_the_page_nothing_is_missing(lena: Client, building_a: Lab) -> None:
    poorer(building_a)
    pveum.run(building_a.pve, lines(check(lena, building_a), "lines"))
    assert "Nothing is missing." in check(lena, building_a)


def test_a_cluster_that_does_not_answer_is_a_sentence(lena: Client, building_a: Lab) -> None:
    building_a.pve.stop()
    assert "refuses connections on its port" in check(lena, building_a)


def test_a_rejected_credential_is_a_sentence_and_tried_once(lena: Client, building_a: Lab) -> None:
    building_a.pve.remove_token("portal@pve!labs")
    assert "rejected the portal's credential" in check(lena, building_a)
    asked = len(building_a.pve.requests)
    assert "rejected the portal's credential" in check(lena, building_a)
    assert len(building_a.pve.requests) == asked


def test_checking_changes_nothing_there(lena: Client, building_a: Lab) -> None:
    check(lena, building_a)
    assert {request.method for request in building_a.pve.requests} == {"GET"}


def test_the_change_page_has_the_button(lena: Client, building_a: Lab) -> None:
    page = lena.get(reverse("admin:clusters_cluster_change", args=[building_a.row.pk])).content.decode()
    assert f'formaction="{url(building_a)}"' in page


@pytest.mark.parametrize("major", privileges.MAJORS)
def test_a_new_cluster_begins_with_the_lines_that_the_check_wants(lena: Client, major: int) -> None:
    page = lena.get(reverse("admin:clusters_cluster_add")).content.decode()
    assert lines(page, f"setup-{major}") == list(privileges.setup_commands(major))


def test_the_page_of_a_stored_cluster_does_not_begin_with_them(lena: Client, building_a: Lab) -> None:
    page = lena.get(reverse("admin:clusters_cluster_change", args=[building_a.row.pk])).content.decode()
    assert "pveum" not in page


# Who may


def test_an_auditor_checks_nothing(client: Client, auditor: User, building_a: Lab) -> None:
    client.force_login(auditor)
    assert client.post(url(building_a)).status_code == 403
    assert building_a.pve.requests == []


def test_a_student_gets_to_the_login(client: Client, ana: User, building_a: Lab) -> None:
    client.force_login(ana)
    assert client.post(url(building_a)).status_code == 302


def test_a_cluster_that_is_not_there_is_not_found(lena: Client) -> None:
    assert lena.post(reverse("admin:clusters_cluster_privileges", args=[4711])).status_code == 404


def test_nothing_is_checked_by_following_a_link(lena: Client, building_a: Lab) -> None:
    assert lena.get(url(building_a)).status_code == 405
    assert building_a.pve.requests == []


def test_another_site_checks_nothing(lab_admin: User, building_a: Lab) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(lab_admin)
    assert strict.post(url(building_a)).status_code == 403
