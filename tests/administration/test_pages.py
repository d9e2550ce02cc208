"""What all pages of the admin have in common: words, the way to the portal and back, colours and dates."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from classes.models import LabClass
from tests.administration import pages, troubles
from tests.labs import Lab
from vms.models import MachineSet, Operation

pytestmark = pytest.mark.django_db

# How Django and its apps call themselves, and what it says of rows that have no name.
RAW = re.compile(
    r"\b(Axes|Vms|Auditlog|Labportal|Django|Tasks Database|Authentication and|Content Types|\w+ object \(|"
    r"machine sets?|stewards?|\w+_\w+ relationship|Site administration)\b",
    re.IGNORECASE,
)


@pytest.fixture
def root(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def visible(page: bytes) -> str:
    body = page.decode().partition("<body")[2].partition(">")[2]
    without_code = re.sub(r"<(script|style|pre|code|textarea)\b.*?</\1>", " ", body, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", without_code))


def test_no_page_speaks_of_apps(root: Client, admin: User, building_a: Lab, networks: LabClass):
    troubles.make(building_a, networks, times=1)
    found = pages.contents(root, pages.everything(admin))
    assert len(found) > 60
    said = {address: RAW.findall(visible(page)) for address, page in found.items()}
    assert {address: words for address, words in said.items() if words} == {}


def test_permissions_are_told_in_words(root: Client, admin: User):
    group = Group.objects.get(name="Lab administrator")
    text = " ".join(visible(root.get(f"/admin/auth/group/{group.pk}/change/").content).split())
    assert "Machines · machine add change delete view Can operate every machine" in text
    assert "People · user add change delete view" in text


def test_saving_a_group_keeps_what_it_was_given(root: Client):
    group = Group.objects.create(name="Helpers")
    held = Permission.objects.get(codename="view_workerbeat")  # of a model that has no page
    group.permissions.add(held)
    page = root.get(f"/admin/auth/group/{group.pk}/change/").content.decode()
    assert re.search(rf'value="{held.pk}"[^>]* checked', page)
    root.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Helpers", "permissions": [held.pk]})
    assert list(group.permissions.all()) == [held]


def test_a_permission_without_a_page_is_offered_to_nobody_who_lacks_it(root: Client):
    page = root.get("/admin/auth/group/add/").content.decode()
    assert f'value="{Permission.objects.get(codename="view_workerbeat").pk}"' not in page


# Between both halves


def test_things_lead_to_their_page_in_the_portal_and_back(
    root: Client, building_a: Lab, networks: LabClass, tess: User
):
    group = MachineSet.objects.create(name="Row 3")
    machine = building_a.machine(101)
    between = {
        reverse("admin:vms_virtualmachine_change", args=[machine.pk]): reverse("vms-machine", args=[machine.pk]),
        reverse("admin:classes_labclass_change", args=[networks.pk]): reverse("classes-page", args=[networks.pk]),
        reverse("admin:vms_machineset_change", args=[group.pk]): reverse("vms-set", args=[group.pk]),
        reverse("admin:clusters_cluster_change", args=[building_a.row.pk]): reverse("vms-clusters"),
    }
    for here, there in between.items():
        assert f'href="{there}' in root.get(here).content.decode()
        assert f'href="{here}"' in root.get(there).content.decode()


def test_a_machine_that_is_gone_leads_nowhere(root: Client, building_a: Lab):
    machine = building_a.machine(101)
    machine.gone_at = timezone.now()
    machine.save()
    page = root.get(reverse("admin:vms_virtualmachine_change", args=[machine.pk])).content.decode()
    assert f'href="{reverse("vms-machine", args=[machine.pk])}' not in page


def test_who_may_not_look_into_the_admin_finds_no_way_there(client: Client, building_a: Lab, ana: User):
    machine = building_a.assign(101, ana)
    client.force_login(ana)
    assert "/admin/" not in client.get(reverse("vms-machine", args=[machine.pk])).content.decode()


def test_every_page_of_the_admin_has_the_portals_header(root: Client, admin: User, building_a: Lab):
    for page in pages.contents(root, pages.lists()).values():
        text = page.decode()
        assert '<header class="top">' in text
        assert f'href="{reverse("vms-list")}"' in text


# Look


@pytest.mark.parametrize(
    ("theme", "dark"), [("light", ""), ("dark", 'colours-dark.css">'), ("auto", "(prefers-color-scheme: dark)")]
)
def test_colours_are_those_that_the_person_chose(root: Client, admin: User, theme: str, dark: str):
    User.objects.filter(pk=admin.pk).update(theme=theme)
    for address in ("/admin/", "/vms/"):
        text = root.get(address).content.decode()
        assert ("colours-dark.css" in text) == bool(dark)
        assert dark in text
        assert "theme.js" not in text


def test_dates_have_one_form_in_every_language(root: Client, admin: User, building_a: Lab):
    Operation.objects.create(
        cluster_id="building-a", vmid=101, vm_name="m", action="start", requested_by_name="ana",
        requested_at=datetime(2026, 3, 9, 15, 5, tzinfo=UTC),
    )  # fmt: skip
    for language in ("en", "es"):
        User.objects.filter(pk=admin.pk).update(language=language)
        assert "2026-03-09 15:05" in visible(root.get("/admin/vms/operation/").content)


def test_the_login_of_the_admin_is_the_portals(client: Client):
    page = client.get("/admin/login/").content.decode()
    assert '<section class="card narrow">' in page


# Users


def test_the_list_of_users_says_who_is_locked_and_who_must_change(root: Client, building_a: Lab, networks: LabClass):
    troubles.make(building_a, networks, times=1)
    found = root.get("/admin/accounts/user/", {"locked": "yes"})
    assert [person.username for person in found.context["cl"].result_list] == [f"{troubles.PERSON}.0"]
    assert "locked, must change the password" in visible(found.content)


def test_the_cluster_form_has_its_buttons_beside_the_host(root: Client, building_a: Lab):
    text = root.get(f"/admin/clusters/cluster/{building_a.row.pk}/change/").content.decode()
    places = [text.index(part) for part in ('id="id_host"', "Test connection", "Fetch certificate", 'id="id_user"')]
    assert places == sorted(places)
    first = re.search(r'<(?:input|button)[^>]*type="submit"[^>]*>', text[text.index('id="cluster_form"') :])
    assert first
    assert 'name="_continue"' in first[0]  # what the Return key presses


def test_an_auditor_gets_no_buttons_that_are_not_for_them(client: Client, building_a: Lab, auditor: User):
    client.force_login(auditor)
    text = client.get(f"/admin/clusters/cluster/{building_a.row.pk}/change/").content.decode()
    assert ("Test connection" in text, "Fetch certificate" in text) == (False, False)
