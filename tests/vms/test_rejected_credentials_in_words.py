"""A cluster that rejects the portal's credential responds: nobody is told that it is silent."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth, LoginState
from tests.labs import Lab
from vms.access import rules
from vms.access.context import context_for
from vms.models import VirtualMachine
from vms.pages import cluster_status

pytestmark = pytest.mark.django_db


@pytest.fixture
def rejected(building_a: Lab) -> Lab:
    building_a.pve.remove_token("portal@pve!labs")
    building_a.sync()
    return building_a


def test_people_read_why_their_buttons_are_gone(rejected: Lab, ana: User, client: Client):
    machine = rejected.assign(102, ana)
    client.force_login(ana)
    page = client.get("/vms/").content.decode()
    assert "credential since" in page
    assert ("has not responded" in page, "Try again" in page) == (False, False)
    assert "rejects the portal's credential" in (rules.refusal(context_for(machine, person=ana), "reboot") or "")


def test_the_status_page_says_so_and_when_it_is_tried_again(rejected: Lab):
    assert ClusterHealth.objects.get().rejects_credential
    version = Cluster.objects.get().credential_version
    LoginState.objects.update_or_create(cluster=rejected.row, defaults={"rejected_version": version})
    row = cluster_status.status_page(timezone.now() + timedelta(seconds=1)).rows[0]
    assert row.badge.words == "Credential rejected"
    assert "valid credential" in dict(row.facts)["Next try"]


def test_the_states_of_machines_are_counted_in_words(building_a: Lab):
    VirtualMachine.objects.filter(vmid=102).update(status="io-error")
    row = cluster_status.status_page(timezone.now()).rows[0]
    assert "1 stopped by a disk error" in dict(row.facts)["Machines"]
