"""The token for making machines: the printed commands are exactly enough, and what it has besides is told."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.models import ProvisioningAccess
from tests.clusters import pveum
from tests.workshop import POOL, TEMPLATE, Workshop
from vms.models import LeasableNetwork, MadeMachine
from vms.provisioning import making_check, removal

State = MadeMachine.State


@pytest.fixture
def token(workshop: Workshop) -> str:
    """The ID of the token that the printed commands make; it is the one that is stored."""
    printed = pveum.run(workshop.pve, making_check.lines_for(workshop.row.config)[9])
    [(token_id, secret)] = printed.items()
    access = ProvisioningAccess.objects.get()
    access.token_id, access.token_secret = token_id, secret
    access.save()
    return token_id


def check(workshop: Workshop) -> making_check.MakingCheck:
    return making_check.check(workshop.row.config)


def test_the_printed_commands_are_exactly_enough(workshop: Workshop, token: str):
    found = check(workshop)
    assert (found.report.missing, found.report.excess, found.problems) == ({}, {}, ())
    assert found.report.lines == ()


def test_with_them_machines_are_made_and_removed(workshop: Workshop, token: str):
    run = workshop.run(2)
    workshop.work()
    assert set(run.machines.values_list("state", flat=True)) == {State.READY}
    assert check(workshop).report.excess == {}  # its machines are in the pool now
    removal.begin(removal.of_run(run), by=workshop.teacher)
    workshop.work()
    assert set(run.machines.values_list("state", flat=True)) == {State.REMOVED}


@pytest.mark.parametrize(
    "path", [f"/vms/{TEMPLATE}", f"/pool/{POOL}", "/storage/data", "/sdn/zones/localnetwork/vmbr0", "/vms"]
)
def test_what_is_missing_is_named_with_the_commands_that_grant_it(workshop: Workshop, token: str, path: str):
    workshop.pve.revoke(path, token)
    found = check(workshop)
    assert path in found.report.missing
    pveum.run(workshop.pve, found.report.lines)
    assert check(workshop).report.missing == {}


def test_another_network_takes_another_bridge(workshop: Workshop, token: str):
    network = LeasableNetwork.objects.create(cluster=workshop.row, name="Lab 1", bridge="vmbr7")
    workshop.template.networks.add(network)
    assert check(workshop).report.missing == {"/sdn/zones/localnetwork/vmbr7": ("SDN.Use",)}


def test_a_vnet_is_used_in_its_own_zone(workshop: Workshop, token: str):
    """The check finds the zone by what the token may do; it is not among what it has besides."""
    workshop.pve.vnets["students1"] = "labs"
    network = LeasableNetwork.objects.create(cluster=workshop.row, name="Lab 1", bridge="students1")
    workshop.template.networks.add(network)
    assert list(check(workshop).report.missing) == ["/sdn/zones/localnetwork/students1"]
    for holder in (token, token.partition("!")[0]):
        workshop.pve.grant("/sdn/zones/labs/students1", holder, "PVESDNUser")
    report = check(workshop).report
    assert (report.missing, report.excess) == ({}, {})


@pytest.mark.parametrize(
    ("path", "role", "more"),
    [
        ("/", "PVEVMAdmin", "VM.Config.Memory"),
        (f"/vms/{TEMPLATE}", "PVEVMAdmin", "VM.Allocate"),
        ("/storage/other", "PVEDatastoreUser", "Datastore.AllocateSpace"),
        ("/vms/9500", "LabPortalMake", "VM.Allocate"),
    ],
)
def test_a_token_that_has_more_is_told_so(workshop: Workshop, token: str, path: str, role: str, more: str):
    workshop.pve.add_guest(9500, "foreign")
    for holder in (token, token.partition("!")[0]):
        workshop.pve.grant(path, holder, role)
    assert more in check(workshop).report.excess[path]


def test_a_pool_with_the_template_or_foreign_machines_is_refused(workshop: Workshop, token: str):
    workshop.pve.add_guest(9500, "foreign", pool=POOL)
    workshop.pve.put_in_pool(TEMPLATE, POOL)
    problems = " ".join(check(workshop).problems)
    assert "9500" in problems
    assert str(TEMPLATE) in problems


def test_the_page_shows_the_commands_and_then_the_result(client: Client, workshop: Workshop, token: str):
    client.force_login(User.objects.create_superuser("admin"))
    address = reverse("admin:vms_machinetemplate_privileges", args=[workshop.template.pk])
    assert f"pveum acl modify /pool/{POOL}" in client.get(address).content.decode()
    assert "Exactly what is needed." in client.post(address).content.decode()
    ProvisioningAccess.objects.update(is_enabled=False)
    assert "switched off" in client.post(address).content.decode()
