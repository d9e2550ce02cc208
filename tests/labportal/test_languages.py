"""Whoever speaks Spanish meets Spanish everywhere: by choice, by the browser, and when something broke."""

import re
from collections.abc import Iterable
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from accounts.stored_messages import columns
from clusters.models import ClusterHealth
from tests.labportal import catalogs
from tests.labs import Lab, building_a, clock, run_operations, sim
from vms import operations
from vms.models import Alert, AlertMessage, MachineSet, Operation, Snapshot, VirtualMachine
from vms.monitoring import notifications
from vms.sentences import say

__all__ = ["building_a", "clock", "sim"]

pytestmark = pytest.mark.django_db

SPANISH = {"Accept-Language": "es-ES,es;q=0.9,en;q=0.5"}


def rejected() -> str:
    return say("credential-rejected", credential=say("of-credential"), quoted=" (invalid token)")


def unsure() -> str:
    return say("look-first", why=say("reception-unknown"))


ACTIONS = ("start", "stop", "shutdown", "reboot", "reset", "suspend", "resume")
OF_A_MACHINE = ("vms-machine", "vms-save-point", "vms-snapshot", "vms-why")
ADMIN = (
    "admin:index", "admin:clusters_cluster_changelist", "admin:clusters_cluster_add", "admin:clusters_cluster_import",
    "admin:accounts_user_changelist", "admin:accounts_user_import", "admin:vms_virtualmachine_changelist",
    "admin:vms_operation_changelist", "admin:vms_assignment_changelist", "admin:vms_assignment_bulk",
    "admin:vms_alert_changelist", "admin:vms_clustersync_changelist", "admin:vms_syncrun_changelist",
    "admin:vms_machineset_add", "admin:vms_consolesession_changelist",
)  # fmt: skip


def english() -> list[str]:
    """What the texts say between their places, if that is long enough to be nothing but English."""
    entries = catalogs.read(catalogs.FOLDER / "es/LC_MESSAGES/django.po")
    spanish = "\n".join(text for one in entries for text in one.translations.values())
    pieces = {piece for one in entries for piece in re.split(r"%\(\w+\)[sd]|%%|<[^>]*>", f"{one.msgid}\n{one.plural}")}
    pieces = {part.strip() for piece in pieces for part in piece.split("\n")}
    return [piece for piece in pieces if len(piece) > 12 and " " in piece and piece not in spanish]


def left_in_english(page: str) -> list[str]:
    shown = " ".join(unescape(re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)).split())
    return [piece for piece in english() if piece in shown]


@pytest.fixture
def machine(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's 102 runs, has a snapshot, and a past."""
    machine = building_a.assign(102, ana)
    Snapshot.objects.create(vm=machine, name="base", with_memory=True)
    then = machine.cluster.created_at
    for state, outcome in (("failed", rejected()), ("unknown", unsure())):
        Operation.objects.create(
            vm=machine, cluster_id=machine.cluster_id, vmid=102, vm_name=machine.name, node="pve2", action="stop",
            requested_by=ana, requested_by_name="ana", state=state, admitted_at=then, sent_at=then,
            finished_at=then, **columns("outcome", outcome, most=500),
        )  # fmt: skip
    return machine


@pytest.fixture
def as_ana(client: Client, ana: User, machine: VirtualMachine) -> Client:
    """She chose Spanish, and looks after her machine."""
    User.objects.filter(pk=ana.pk).update(language="es")
    group = MachineSet.objects.create(name="net")
    group.machines.add(machine)
    group.stewards.add(ana)
    client.force_login(ana)
    return client


@pytest.fixture
def as_admin(client: Client, admin: User, machine: VirtualMachine) -> Client:
    User.objects.filter(pk=admin.pk).update(language="es")
    client.force_login(admin)
    return client


def read(client: Client, address: str, **headers: str) -> str:
    page = client.get(address, headers=headers).content.decode()
    assert '<html lang="es"' in page
    return page


def all_left_in_english(client: Client, addresses: Iterable[str]) -> dict[str, list[str]]:
    found = {address: left_in_english(read(client, address)) for address in addresses}
    return {address: texts for address, texts in found.items() if texts}


def test_english_is_recognised(client: Client):
    page = client.get(reverse("login")).content.decode()
    assert '<html lang="en"' in page
    assert len(left_in_english(page)) > 2


def test_the_login_page_speaks_as_the_browser_asks(client: Client):
    page = read(client, reverse("login"), **SPANISH)
    assert "Nombre de usuario" in page
    assert left_in_english(page) == []


def test_a_persons_pages_are_spanish(as_ana: Client):
    assert all_left_in_english(as_ana, [reverse(name) for name in ("vms-list", "profile", "password_change")]) == {}


def test_the_pages_of_a_machine_are_spanish(as_admin: Client, machine: VirtualMachine):
    assert all_left_in_english(as_admin, [reverse(name, args=[machine.pk]) for name in OF_A_MACHINE]) == {}


def test_a_student_reads_the_machine_in_spanish(as_ana: Client, machine: VirtualMachine):
    page = read(as_ana, reverse("vms-machine", args=[machine.pk]))
    assert left_in_english(page) == []
    assert "No se sabe si el clúster recibió la petición. Comprueba la máquina antes de intentarlo otra vez." in page


def test_what_is_asked_before_an_action_is_spanish(as_ana: Client, machine: VirtualMachine):
    asked = [reverse("vms-act", args=[machine.pk, action]) for action in ACTIONS]
    asked += [reverse(name, args=[machine.pk, "base"]) for name in ("vms-revert", "vms-delete-snapshot")]
    assert all_left_in_english(as_ana, asked) == {}


def test_the_clusters_page_is_spanish_also_when_one_is_silent(as_admin: Client, machine: VirtualMachine):
    ClusterHealth.objects.update(
        ok=False, failing_since=machine.cluster.created_at, **columns("problem", rejected(), most=300)
    )
    page = read(as_admin, reverse("vms-clusters"))
    assert left_in_english(page) == []
    assert "El clúster rechazó el acceso del portal" in page


def test_the_administration_is_spanish(as_admin: Client, machine: VirtualMachine):
    addresses = [reverse(name) for name in ADMIN]
    addresses.append(reverse("admin:clusters_cluster_change", args=[machine.cluster.pk]))
    assert all_left_in_english(as_admin, addresses) == {}


def test_what_one_chooses_wins_over_the_browser(as_ana: Client):
    assert "Mis máquinas" in read(as_ana, reverse("vms-list"), **{"Accept-Language": "en"})


def test_spanish_can_be_chosen(client: Client, ana: User):
    client.force_login(ana)
    form = {"language": "es", "time_zone": "", "theme": "auto"}
    assert "Tus ajustes se han guardado." in client.post(reverse("profile"), form, follow=True).content.decode()
    ana.refresh_from_db()
    assert ana.language == "es"


def test_a_language_that_the_portal_lacks_is_answered_in_its_own(client: Client):
    page = client.get(reverse("login"), headers={"Accept-Language": "fr"}).content.decode()
    assert '<html lang="en"' in page


@pytest.mark.urls("tests.labportal.failing_urls")
@pytest.mark.parametrize("page", ["/bug/", "/forbidden/", "/suspicious/", "/no/such/page"])
def test_what_broke_is_told_as_the_browser_asks(page: str):
    assert left_in_english(read(Client(raise_request_exception=False), page, **SPANISH)) == []


# What was stored


def test_what_is_stored_is_english_whoever_is_at_work(machine: VirtualMachine, ana: User):
    operation = operations.request(machine, "shutdown", by=ana)[0]
    VirtualMachine.objects.update(template=True)
    with translation.override("es"):
        run_operations()
        operation.refresh_from_db()
        assert operation.outcome == "This is a template. Templates are only copied, never started."
        assert operation.rendered_outcome == "Esto es una plantilla. Las plantillas solo se copian, nunca se inician."


def test_mail_is_in_the_language_of_the_portal(machine: VirtualMachine, settings: Any):
    settings.ALERT_MAIL_TO = ["lab@school.example"]
    now = timezone.now()
    alert = Alert.objects.create(
        cluster=machine.cluster,
        kind="credential_rejected",
        since=now,
        seen_at=now,
        opened_at=now,
        **columns("text", rejected(), most=500),
    )
    AlertMessage.objects.create(alert=alert, channel="mail", event="open", next_at=now)
    with translation.override("es"):
        notifications.send_due(now)
    assert "rechaza la credencial del portal" in mail.outbox[0].subject
    assert "Introduce uno válido en sus ajustes." in mail.outbox[0].body
