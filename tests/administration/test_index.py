"""The admin's index: by section, with the numbers that need attention, each of them a link to what it counts."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from classes.models import LabClass
from clusters.models import ClusterHealth
from labportal.administration.sections import SECTIONS
from tests.administration import troubles
from tests.labs import Lab, queries
from vms.models import WorkerBeat

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def numbers(client: Client) -> dict[str, list[Any]]:
    """By model, what the index shows beside it."""
    groups = client.get("/admin/").context["app_list"]
    return {
        model["model"]._meta.label_lower: model["attention"]
        for group in groups
        for model in group["models"]
        if model["attention"]
    }


def test_every_page_of_a_model_has_its_place():
    named = {label for section in SECTIONS for label in section.models}
    assert {model._meta.label_lower for model in admin.site._registry} == named, (
        "See labportal/administration/sections.py."
    )


def test_the_index_is_ordered_by_section(root: Client):
    assert [group["name"] for group in root.get("/admin/").context["app_list"]] == [
        "People", "Clusters", "Machines", "Classes", "System",
    ]  # fmt: skip


def test_where_nothing_is_wrong_nothing_needs_attention(root: Client):
    WorkerBeat.objects.create(name="worker")
    page = root.get("/admin/")
    assert (page.context["problems"], "Nothing needs your attention." in page.content.decode()) == (0, True)


def test_without_a_worker_the_index_says_so(root: Client):
    assert [item.text for item in numbers(root)["django_tasks_database.dbtaskresult"]] == ["no worker running"]


def test_each_number_leads_to_what_it_counts(root: Client, building_a: Lab, networks: LabClass):
    troubles.make(building_a, networks, times=2)
    items = [item for found in numbers(root).values() for item in found]
    counted = {item.text: len(root.get(item.url).context["cl"].result_list) for item in items}
    expected = {text: int(text.split()[0]) for text in counted}
    expected["1 with people waiting for a machine"] = 1
    assert counted == expected
    assert set(expected) == {
        "2 locked", "2 must change their password", "2 not responding", "2 certificates not verified", "2 open",
        "2 with a notice", "2 offline", "2 with an uncertain identity", "2 missing on their clusters",
        "2 failed in 24 hours", "2 machines could not be prepared", "1 with people waiting for a machine",
        "2 tasks failed",
    }  # fmt: skip


def test_a_cluster_that_responds_is_not_called_silent(root: Client, building_a: Lab):
    for kind, text in (
        ("CertificateRejected", "1 certificate not trusted"),
        ("LoginRejected", "1 credential rejected"),
    ):
        ClusterHealth.failed("building-a", "x", kind=kind)
        found = {item.text: item.url for item in numbers(root)["clusters.cluster"]}
        assert set(found) == {text}
        assert len(root.get(found[text]).context["cl"].result_list) == 1


def test_the_page_says_how_many_things_need_attention(root: Client, building_a: Lab, networks: LabClass):
    troubles.make(building_a, networks, times=2)
    page = root.get("/admin/").content.decode()
    assert f"{page.count('badge locked')} things need your attention." in page


def test_the_index_costs_the_same_at_any_size(root: Client, building_a: Lab, networks: LabClass):
    troubles.make(building_a, networks, times=1)
    root.get("/admin/")
    with queries() as few:
        root.get("/admin/")
    troubles.make(building_a, networks, times=12, first=1)
    with queries() as many:
        root.get("/admin/")
    assert len(few) == len(many) <= 30


def test_who_may_not_look_is_told_no_number(client: Client, ana: User, building_a: Lab, networks: LabClass):
    troubles.make(building_a, networks, times=1)
    ana.is_staff = True
    ana.save()
    ana.user_permissions.add(Permission.objects.get(codename="view_operation"))
    client.force_login(ana)
    assert list(numbers(client)) == ["vms.operation"]


def test_the_page_of_an_app_leads_to_its_section(root: Client):
    assert root.get("/admin/axes/")["Location"] == "/admin/#people"
    assert root.get("/admin/clusters/")["Location"] == "/admin/clusters/cluster/"  # as old documents have it
    assert root.get("/admin/nothing/").status_code == 404


def test_the_menu_is_on_every_page_and_says_where_one_is(root: Client):
    page = root.get("/admin/vms/operation/").content.decode()
    assert re.search(r'<summary aria-current="true">Machines</summary>', page)
    assert '<a href="/admin/vms/operation/" aria-current="page">' in page
    assert 'href="/admin/accounts/user/"' in page
