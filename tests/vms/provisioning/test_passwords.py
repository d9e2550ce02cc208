"""The password of a made machine: one for each, on its machine, on its assignee's page, and nowhere else."""

import hashlib
import logging
import re
from urllib.parse import unquote

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.labs import Lab, ago, run_operations, run_preparations
from tests.workshop import FIRST, Workshop
from vms import automation, inventory, operations, preparation
from vms.models import Assignment, MadeMachine, VirtualMachine
from vms.provisioning import passwords
from vms.worker import schedule

PASSWORD = re.compile(r"[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}")


@pytest.fixture
def made(workshop: Workshop, ana: User) -> MadeMachine:
    """A machine with a cloud-init drive, which is ana's."""
    for template in workshop.pve.guests:
        template.options["ide2"] = "data:vm-9000-cloudinit,media=cdrom"
    workshop.template.ci_user = "student"
    workshop.template.save()
    workshop.run(1, for_user=ana)
    workshop.work()
    Assignment.objects.update(assigned_at=ago(hours=-1))  # the simulator's clock is ahead
    return workshop.machine()


def is_on(workshop: Workshop, password: str) -> bool:
    """Whether the machine's configuration has this password: what the cluster keeps is its hash."""
    return workshop.guest(FIRST).options["cipassword"] == f"$5${hashlib.sha256(password.encode()).hexdigest()}"


def page(client: Client, user: User, made: MadeMachine) -> str:
    client.force_login(user)
    return client.get(reverse("vms-machine", args=[made.vm_id])).content.decode()


def test_each_machine_gets_a_password_of_its_own_which_its_assignee_sees(
    workshop: Workshop, made: MadeMachine, client: Client, ana: User, admin: User
):
    password = made.password.reveal()
    assert PASSWORD.fullmatch(password)
    assert is_on(workshop, password)
    shown = page(client, ana, made)
    assert password in shown
    assert "student" in shown
    for other in (workshop.teacher, admin):
        assert password not in page(client, other, made)


def test_it_is_stored_encrypted_and_told_nowhere(
    workshop: Workshop, made: MadeMachine, client: Client, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    password = made.password.reveal()
    passwords.write(made)
    client.force_login(workshop.teacher)
    assert password not in client.get(reverse("vms-run", args=[made.run_id])).content.decode()
    assert password not in caplog.text
    assert password not in repr(made.__dict__)
    for model in apps.get_models():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
            assert password not in repr(cursor.fetchall()), model


def test_none_is_written_while_automation_is_held(workshop: Workshop, made: MadeMachine):
    MadeMachine.objects.update(password_is_written=False)
    automation.hold("restored")
    workshop.pve.clear_requests()
    schedule.regular.call("write passwords again")
    assert not workshop.pve.requests
    assert automation.confirm(by="lena", drops_waiting=False)
    schedule.regular.call("write passwords again")
    assert workshop.pve.count("PUT", "/config$") == 1


def test_one_that_no_key_opens_spoils_nothing(workshop: Workshop, made: MadeMachine, client: Client, ana: User):
    MadeMachine.objects.update(password_is_written=False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE vms_mademachine SET password = 'of another key'")
    workshop.pve.clear_requests()
    passwords.reconcile()
    assert not workshop.pve.requests
    assert made.name in page(client, ana, made)


def test_a_machine_whose_password_no_key_opens_is_configured_with_a_new_one(workshop: Workshop, made: MadeMachine):
    MadeMachine.objects.update(step=MadeMachine.Step.CLONED, state=MadeMachine.State.WORKING, sent_what="", upid="")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE vms_mademachine SET password = 'of another key'")
    workshop.guest(FIRST).status = "stopped"
    workshop.work()
    assert is_on(workshop, passwords.known(workshop.machine()))


def test_a_cluster_that_repeats_it_is_not_quoted(
    workshop: Workshop, made: MadeMachine, caplog: pytest.LogCaptureFixture
):
    MadeMachine.objects.update(password_is_written=False)
    password = made.password.reveal()
    workshop.pve.faults.reply("/config$", 500, method="PUT", reason=f"never use {password} again")
    passwords.reconcile()
    assert "never use *** again" in caplog.text
    assert password not in caplog.text


def test_the_next_person_gets_another_one(workshop: Workshop, made: MadeMachine, client: Client, ana: User, ben: User):
    before = made.password.reveal()
    lab = Lab(workshop.pve, workshop.row, workshop.clock)
    preparation.free(Assignment.objects.filter(vm=made.vm), way="as-it-is", by=workshop.teacher)
    assert Assignment.objects.unreleased().filter(vm=made.vm).exists()
    run_preparations(lab)
    made.refresh_from_db()
    after = made.password.reveal()
    assert after != before
    assert is_on(workshop, after)
    assert before not in page(client, ana, made)
    Assignment.objects.create(vm=made.vm, user=ben)
    assert after in page(client, ben, made)


def test_nobody_gets_the_machine_while_the_password_cannot_be_renewed(workshop: Workshop, made: MadeMachine):
    workshop.row.provisioning.is_enabled = False
    workshop.row.provisioning.save()
    preparation.free(Assignment.objects.filter(vm=made.vm), way="as-it-is", by=workshop.teacher)
    run_preparations(Lab(workshop.pve, workshop.row, workshop.clock))
    assert Assignment.objects.unreleased().filter(vm=made.vm).exists()


def test_after_a_revert_it_is_written_again(workshop: Workshop, made: MadeMachine, ana: User):
    inventory.sync(workshop.row.config)
    machine = VirtualMachine.objects.select_related("cluster").get(pk=made.vm_id)
    operations.request(machine, "rollback", by=ana, snapshot="baseline")
    for _ in range(3):
        run_operations()
        workshop.clock.advance(5)
    workshop.guest(FIRST).options["cipassword"] = "of the snapshot"
    passwords.reconcile()
    assert is_on(workshop, made.password.reveal())


def test_the_password_of_another_machine_is_not_touched(workshop: Workshop, made: MadeMachine):
    workshop.pve.remove_guest(FIRST)
    workshop.pve.add_guest(FIRST, name="foreign", node="pve1")
    with pytest.raises(passwords.NotOurs):
        passwords.write(made)


def test_keys_take_the_place_of_passwords(workshop: Workshop):
    for template in workshop.pve.guests:
        template.options["ide2"] = "data:vm-9000-cloudinit,media=cdrom"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB/+x= tess@school (100%)"
    workshop.template.ssh_keys = key
    workshop.template.save()
    workshop.run(1)
    workshop.work()
    made = workshop.machine()
    assert made.password is None
    assert unquote(workshop.guest(made.vmid).options["sshkeys"]) == key
