"""A school upgrades from 0.3.0: what its people had, read and were allowed is the same afterwards.

The database is what that version's own code left, with somebody and something of every kind: database_0_3_0/make.py.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from auditlog.models import LogEntry
from cryptography.fernet import Fernet, MultiFernet
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django_tasks_db.models import DBTaskResult
from encrypted_model_fields import fields as encrypted

from accounts import stored_messages
from accounts.models import User
from clusters.models import Adoption, Cluster, ClusterHealth, PendingImport
from tests.own_database import ON_POSTGRES, own_database
from tests.samples import TURNS
from tests.upgrade import old_database
from vms.models import Alert, Assignment, BatchItem, ClusterSync, Operation, Preparation, SyncRun
from vms.worker import backends

__all__ = ["own_database"]

ROWS = old_database.rows()

# What the old version wrote, and what a Spanish reader sees of it now.
SPANISH: dict[type[Any], dict[str, str]] = {
    Operation: {
        "It is not known whether the cluster received this. Look at the machine before you try again.": "No se sabe si",
        "The cluster began it, and the task failed (command 'qm stop' failed: exit code 255).": "exit code 255",
        "Cancelled by tess while it waited for its turn.": "Cancelada por tess",
        "Control. Closed by root.": "root",
        "View only. Ended: The machine was taken away.": "The machine was taken away.",
    },
    Preparation: {"The machine has no snapshot “base”.": "«base»"},
    BatchItem: {"“Shut down” is under way. Wait until it is finished.": "«Apagar»"},
}
BY_HAND = "what an administrator wrote into this row by hand"
TOLD = [(Operation, "outcome"), (Preparation, "outcome"), (BatchItem, "refusal"), (SyncRun, "problem"),
        (ClusterSync, "notice"), (ClusterHealth, "problem"), (Alert, "text")]  # fmt: skip


class Upgraded:
    """How many rows each table had before, and what a worker of this version said then."""

    counts: dict[str, int]
    refusal = ""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Upgraded]:
    """The upgraded database is the default one."""
    name = f"old_{secrets.token_hex(6)}" if ON_POSTGRES else str(tmp_path_factory.mktemp("old") / "lab_portal.db")
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), old_database.empty_database(name):
        patch.setattr(encrypted, "CRYPTER", MultiFernet([Fernet(old_database.KEY)]))
        old_database.fill(old_database.migrate_to("0.3.0"), ROWS)
        found = Upgraded()
        found.counts = old_database.counts()
        try:
            call_command("worker")
        except CommandError as error:
            found.refusal = str(error)
        call_command("migrate", verbosity=0)
        yield found


@pytest.fixture
def before(upgraded: Upgraded) -> dict[str, int]:
    return upgraded.counts


@pytest.fixture(autouse=True)
def _unchanged(upgraded: Upgraded) -> Iterator[None]:
    """What a test does is undone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(User.objects.get(username="root"))
    return client


def test_every_table_has_the_rows_that_it_had(before: dict[str, int]):
    after = old_database.counts()
    # A new model has permissions, and the groups of staff get them.
    grown = {"django_migrations", "django_content_type", "auth_permission", "auth_group_permissions"}
    assert {table: n for table, n in before.items() if table not in grown} == {
        table: after.get(table) for table in before if table not in grown
    }
    assert all(after[table] >= before[table] for table in grown)


def test_there_is_something_of_every_kind(before: dict[str, int]):
    own = {model._meta.db_table for model in apps.get_models() if model._meta.app_label in old_database.OURS}
    assert {table for table in own & before.keys() if not before[table]} == set()


@pytest.mark.parametrize("label", [label for label in ROWS if label.split(".")[0] in old_database.OURS])
def test_no_column_has_another_value(label: str):
    model = apps.get_model(label)
    names = [name for name in ROWS[label][0] if name in {field.attname for field in model._meta.concrete_fields}]
    assert names == list(ROWS[label][0])
    raw = [name for name in names if model._meta.get_field(name).get_internal_type() not in {"TextField"}]
    found = {row[model._meta.pk.attname]: row for row in model._base_manager.values(*raw)}
    for wanted in ROWS[label]:
        key = model._meta.pk.to_python(wanted[model._meta.pk.attname])
        assert {name: _plain(model, name, wanted[name]) for name in raw} == found[key]


def _plain(model: Any, name: str, value: Any) -> Any:
    field = next(one for one in model._meta.concrete_fields if one.attname == name)
    return value if field.get_internal_type() == "JSONField" else field.to_python(value)


# Who may do what


def had(group: str) -> set[str]:
    """Before the upgrade."""
    pk = next(row["id"] for row in ROWS["auth.group"] if row["name"] == group)
    given = {row["permission_id"] for row in ROWS["auth.group_permissions"] if row["group_id"] == pk}
    return {row["codename"] for row in ROWS["auth.permission"] if row["id"] in given}


@pytest.mark.parametrize("name", [row["name"] for row in ROWS["auth.group"]])
def test_every_group_has_the_rights_that_it_had(name: str):
    """Besides those over what that version did not have."""
    known = {row["codename"] for row in ROWS["auth.permission"]}
    held = set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))
    assert held & known == had(name)


def test_some_groups_are_the_schools_own():
    assert len(had("IT helpers")) > 5
    assert len(had("Report readers")) > 3
    assert had("Empty group") == set()


def test_people_of_such_a_group_do_what_they_did():
    hugo, gus = User.objects.get(username="hugo"), User.objects.get(username="gus")
    assert hugo.has_perms(["vms.operate_virtualmachine", "vms.change_machineset", "clusters.test_cluster"])
    assert not hugo.has_perm("clusters.change_cluster")
    assert gus.has_perm("vms.view_alert")
    client = Client()
    client.force_login(hugo)
    for page in ("vms_virtualmachine", "vms_machineset", "clusters_cluster", "classes_labclass"):
        assert client.get(reverse(f"admin:{page}_changelist")).status_code == 200


def test_people_log_in_with_their_passwords(settings: Any):
    settings.PASSWORD_HASHERS = ["accounts.hashers.CappedArgon2PasswordHasher"]
    assert User.objects.get(username="tess").check_password(old_database.PASSWORD)


def test_who_was_logged_in_still_is():
    client = Client()
    key = next(row["session_key"] for row in ROWS["sessions.session"])
    client.cookies["sessionid"] = key
    assert connection.introspection.table_names()
    assert client.session.session_key == key


# Secrets


def test_credentials_can_be_read():
    assert Cluster.objects.get(cluster_id="building-a").token_secret.reveal() == "secret-of-building-a"
    assert Cluster.objects.get(cluster_id="annex").password.reveal() == "old-annex-password"
    assert Adoption.objects.get().canary.reveal() == Adoption.CANARY
    assert "in a preview" in PendingImport.objects.get().content.reveal()


# Texts


@pytest.mark.parametrize(("model", "name"), TOLD)
def test_what_was_stored_is_told_in_both_languages(model: Any, name: str):
    found = [row for row in model.objects.exclude(**{name: ""}) if getattr(row, name) != BY_HAND]
    assert found
    for row in found:
        assert getattr(row, f"{name}_message")["code"] in stored_messages.codes()
        with translation.override("en"):
            english = str(getattr(row, f"rendered_{name}"))
        with translation.override("es"):
            spanish = str(getattr(row, f"rendered_{name}"))
        assert english != spanish
        assert SPANISH.get(model, {}).get(getattr(row, name), "") in spanish


def test_what_people_wrote_stays_as_it_is():
    with translation.override("es"):
        assert Operation.objects.get(outcome=BY_HAND).rendered_outcome == BY_HAND


def test_pages_tell_it_in_the_readers_language(root: Client):
    for language, said in (("es", "No se sabe si el clúster recibió la petición."), ("en", "It is unknown whether")):
        User.objects.filter(username="root").update(language=language)
        vm = Operation.objects.get(outcome__startswith="It is not known").vm
        assert said in root.get(reverse("vms-machine", args=[vm.pk])).content.decode()


# Links


def test_every_entry_of_the_audit_trail_leads_somewhere(root: Client):
    assert root.get(reverse("admin:auditlog_logentry_changelist")).status_code == 200
    kinds = {entry.content_type_id: entry for entry in LogEntry.objects.select_related("content_type")}
    for entry in kinds.values():
        kind = entry.content_type
        assert kind.model_class() is not None
        if kind.model_class()._meta.label_lower in {"vms.machineset", "clusters.cluster", "accounts.user"}:
            assert str(entry.object_repr)
    assert {entry.content_type.model for entry in kinds.values()} >= {"cluster", "machineset", "assignment", "user"}


def test_the_admins_own_history_leads_to_its_pages(root: Client):
    links = [entry.get_admin_url() for entry in apps.get_model("admin.LogEntry").objects.all()]
    assert links
    assert {root.get(link).status_code for link in links if link} == {200}
    assert None not in links


# Work


def take_all() -> dict[str, int]:
    """Run what waits in the queue, as a worker does. By task, how many."""
    engine, ran = backends.for_worker("upgraded"), dict[str, int]()
    while job := engine.dequeue(["operations", "clusters"]):
        job.run()
        assert len(ran) < 100
    for row in DBTaskResult.objects.exclude(finished_at=None):
        ran[row.task_path] = ran.get(row.task_path, 0) + 1
        assert row.status == "SUCCESSFUL", (row.task_path, row.args_kwargs, row.traceback)
    return ran


def test_all_work_that_waits_runs(monkeypatch: pytest.MonkeyPatch):
    """None of its clusters is there: what a task finds out is that, and not that it has no code any more."""
    Cluster.objects.update(is_active=False, is_default=False)
    DBTaskResult.objects.filter(status="RUNNING").delete()
    waiting = {row["task_path"] for row in ROWS["django_tasks_database.dbtaskresult"]}
    assert len(waiting) == 8
    assert take_all().keys() >= waiting


def test_the_schedule_goes_on_where_it_was():
    from vms.worker import schedule  # noqa: PLC0415 - its names are read when the portal is set up

    assert {row["name"] for row in ROWS["vms.schedule"]} <= set(schedule.PERIODIC_JOBS)


def test_what_was_assigned_is():
    live = {row["id"] for row in ROWS["vms.assignment"] if row["ended_at"] is None}
    assert set(Assignment.objects.live().values_list("pk", flat=True)) == live


# The old version and this one side by side


@pytest.mark.parametrize("label", [label for label in ROWS if label.split(".")[0] in old_database.OURS])
def test_a_worker_of_the_old_version_still_writes_its_rows(label: str):
    """One that was running during the upgrade goes on. Started afterwards it refuses: `vms.E001` of that version."""
    old = old_database.models_of("0.3.0").get_model(label)
    row = old._base_manager.first()
    old._base_manager.filter(pk=row.pk)._raw_delete("default")
    row.save_base(raw=True, force_insert=True)
    row.save()
    assert apps.get_model(label)._base_manager.filter(pk=row.pk).exists()


def test_what_it_writes_is_told_as_it_is():
    old = old_database.models_of("0.3.0").get_model("vms.Operation")
    unsure = Operation.objects.get(outcome__startswith="It is not known")
    old._base_manager.filter(pk=unsure.pk).update(outcome="The cluster does not know the task any more.")
    unsure.refresh_from_db()
    with translation.override("es"):
        assert unsure.rendered_outcome == "The cluster does not know the task any more."


def test_a_worker_of_this_version_refuses_an_old_database(upgraded: Upgraded):
    assert "Run: bin/manage migrate" in upgraded.refusal


# The migrations themselves


def is_up_to_date() -> bool:
    call_command("migrate", check_unapplied=True, verbosity=0)
    return Group.objects.filter(name__in=["Lab administrator", "Auditor", "Teacher"]).count() == 3


def test_from_the_last_release_to_now():
    assert is_up_to_date()


def test_from_nothing_to_now(own_database: Any):
    """As the tests' own database was made."""
    assert is_up_to_date()


# Each takes ten seconds: the oldest goes through what the others go through.
@pytest.mark.parametrize("release", list(old_database.RELEASES) if TURNS >= 10 else ["0.1.0"])
def test_from_an_earlier_release_to_now(release: str, tmp_path: Any, django_db_blocker: Any):
    name = f"old_{secrets.token_hex(6)}" if ON_POSTGRES else str(tmp_path / "lab_portal.db")
    with django_db_blocker.unblock(), old_database.empty_database(name):
        old_database.migrate_to(release)
        call_command("migrate", verbosity=0)
        assert is_up_to_date()
