"""How rows.json was made: a school of the version before 0.3.0 went out, by that version's own code.

In a checkout of commit 3d3ae32, with its .venv, and this folder as FOLDER:

    cp FOLDER/make.py tests/vms/test_make.py
    ROWS=FOLDER/rows.json .venv/bin/python -m pytest -q -p no:randomly tests/vms/test_make.py

Everybody and everything in it is invented. It is not meant to be made again: that version does not change any more.
"""

import json
import os
import uuid
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from axes.models import AccessAttempt
from cryptography.fernet import Fernet, MultiFernet
from django.apps import apps
from django.contrib.admin.models import CHANGE
from django.contrib.admin.models import LogEntry as AdminEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from encrypted_model_fields import fields as encrypted

from accounts import jobs as people_jobs
from accounts.models import User
from classes import enrolling, inviting, running
from classes.models import Invite, JoinTries, LabClass, Membership
from clusters.models import Adoption, Cluster, ClusterHealth, ClusterNotice, DeletedCluster, LoginState, PendingImport
from tests.conftest import PASSWORD, join
from tests.labs import Lab, carry_out, prepare
from vms import alerts, jobs, operations, preparing, schedule
from vms.models import (
    Alert,
    AlertMessage,
    Assignment,
    ClusterGrant,
    ClusterSync,
    ConsoleGrant,
    ConsoleSession,
    CredentialEnd,
    HelpRequest,
    MachineSet,
    Node,
    Operation,
    Pool,
    Preparation,
    Snapshot,
    SyncRun,
    VirtualMachine,
    WorkerBeat,
)

# It seals what is in rows.json, and nothing else anywhere.
KEY = "YS1kYXRhYmFzZS1vZi1yZWxlYXNlLTAuMy4wLXRlc3Q="

OUR_PERMISSIONS = {
    "IT helpers": ["view_virtualmachine", "operate_virtualmachine", "view_machineset", "change_machineset",
                   "add_clustergrant", "view_cluster", "test_cluster", "view_labclass", "change_clustersync"],
    "Report readers": ["view_operation", "view_syncrun", "view_alert", "view_logentry", "view_consolesession"],
    "Empty group": [],
}  # fmt: skip


def people() -> dict[str, User]:
    """Somebody of every kind."""
    made = {"root": User.objects.create_superuser("root", email="root@school.example", password=PASSWORD)}
    made["lena"], made["otto"] = join("lena", "Lab administrator"), join("otto", "Auditor")
    for name in ("tess", "theo"):
        made[name] = User.objects.create_user(name, email=f"{name}@school.example", password=PASSWORD)
        made[name].groups.add(Group.objects.get(name="Teacher"))
    for name in ("ana", "ben", "chen", "dora", "emil", "fay"):
        made[name] = User.objects.create_user(name, first_name=name.title(), last_name="Example", password=PASSWORD)
    for name, codenames in OUR_PERMISSIONS.items():
        Group.objects.create(name=name).permissions.set(Permission.objects.filter(codename__in=codenames))
    for name, group in (("hugo", "IT helpers"), ("rita", "Report readers")):
        made[name] = join(name, group)
    made["gus"] = User.objects.create_user("gus", password=PASSWORD, is_staff=True)
    made["gus"].user_permissions.add(Permission.objects.get(codename="view_alert"))
    User.objects.filter(username="ana").update(language="es", time_zone="Europe/Madrid", theme="dark")
    User.objects.filter(username="tess").update(language="es", theme="light")
    User.objects.filter(username="emil").update(is_active=False)
    User.objects.filter(username="fay").update(must_change_password=True, password=make_password(None))
    return made


def configuration(root: Client, a: Lab, b: Lab, by: dict[str, User]) -> None:
    """What administrators do, through their pages: so it is in the audit trail and in the admin's own history."""
    Cluster.objects.create(
        cluster_id="annex", name="Annex", host="192.0.2.9", user="root@pam", password="old-annex-password",
        verify_ssl=False, is_active=False,
    )  # fmt: skip
    gone = Cluster.objects.create(cluster_id="torn-down", name="Torn down", host="192.0.2.8", user="root@pam")
    gone.delete()
    DeletedCluster.objects.bury(["torn-down"], by="root")
    pks = [a.machine(vmid).pk for vmid in (101, 102)]
    form = {"name": "Robotics club", "machines": pks, "stewards": [by["theo"].pk], "confirmed": [by["theo"].pk]}
    page = root.post(reverse("admin:vms_machineset_add"), form)
    assert page.status_code == 302, page.content.decode()
    root.post(reverse("admin:vms_assignment_add"), {"vm": b.machine(102).pk, "user": by["dora"].pk, "_save": "1"})
    root.post(reverse("admin:vms_clustergrant_add"), {"cluster": a.row.pk, "pool": "", "user": by["tess"].pk})
    notice = ClusterNotice.objects.create(cluster=a.row, text="Serviced on Friday from 14 to 16.")
    for thing in (notice, MachineSet.objects.get(name="Robotics club"), a.row):
        kind = ContentType.objects.get_for_model(thing)
        AdminEntry.objects.create(
            user=by["root"], content_type=kind, object_id=str(thing.pk), object_repr=str(thing)[:200],
            action_flag=CHANGE, change_message='[{"changed": {"fields": ["Name"]}}]',
        )  # fmt: skip
    Cluster.objects.filter(pk=b.row.pk).update(is_restricted=True)
    a.row.read_token_id, a.row.read_token_secret = "portal@pve!read", "a-read-only-secret"
    a.row.save()


def lessons(a: Lab, by: dict[str, User]) -> tuple[LabClass, LabClass]:
    """A class with members of every kind, and one that has ended."""
    grant = ClusterGrant.objects.filter(user=by["tess"], cluster=a.row).first()
    grant = grant or ClusterGrant.objects.create(user=by["tess"], cluster=a.row)
    made = running.create(LabClass(name="Networks 101", lesson="Read chapter 3.", baseline="base",
                                   links="https://example.org/ Book"), owner=by["tess"], grants=[grant])  # fmt: skip
    running.adopt(made, [a.machine(vmid).pk for vmid in (103, 104)], by=by["tess"])
    made.co_owners.add(by["theo"])
    running.follow(made)
    row = Invite(max_uses=20)
    inviting.renew(made, row, by=by["tess"])
    enrolling.join(row, by["ana"])
    enrolling.join(row, by["ben"])
    enrolling.join(row, by["chen"])  # waits: there are two machines
    inviting.renew(made, Invite(max_uses=5, restricted_to_roster=True), by=by["theo"])
    inviting.honour(made, "an-old-link-of-the-predecessor", by=by["tess"])
    enrolling.put_on_list(made, [by["dora"], by["fay"]], at_once=False)
    left = Membership.objects.create(lab_class=made, user=by["emil"], joined_at=timezone.now())
    Membership.objects.filter(pk=left.pk).update(left_at=timezone.now())
    over = running.create(LabClass(name="Databases 2025"), owner=by["theo"], grants=[])
    LabClass.objects.filter(pk=over.pk).update(ended_at=timezone.now() - timedelta(days=40), freed_machines="as-it-is")
    JoinTries.take("ip:192.0.2.77", most=5)
    return made, over


def work(a: Lab, b: Lab, by: dict[str, User]) -> None:
    """Operations in every state, batches, preparations and help, with what the portal wrote about them."""
    ana, ben = (VirtualMachine.objects.get(assignments__user=by[name], assignments__ended_at=None)
                for name in ("ana", "ben"))  # fmt: skip
    operations.request(ana, "start", by=by["ana"])
    carry_out()
    a.clock.advance(10)
    carry_out()
    VirtualMachine.objects.filter(pk=ben.pk).update(template=True)
    operations.request(a.machine(102), "shutdown", by=by["theo"])
    carry_out()  # under way
    VirtualMachine.objects.filter(pk=ben.pk).update(template=False)
    waiting, _new = operations.request(ben, "snapshot", by=by["ben"], snapshot="my-save-point", description="Mine")
    operations.cancel(waiting, by=by["ben"])
    held = b.machine(102)
    HelpRequest.ask(Assignment.objects.get(vm=ana, ended_at=None), text="Nothing happens")
    HelpRequest.objects.create(
        assignment=Assignment.objects.get(vm=ben, ended_at=None), text="", closed_at=timezone.now(),
        closed_by=by["tess"],
    )  # fmt: skip
    group = MachineSet.objects.get(name="Robotics club")
    machines = VirtualMachine.objects.filter(sets=group).select_related("cluster__health")
    operations.request_many(machines, "start", by=by["theo"], machine_set=group)
    for state, outcome, vm, who in STORED_BY_OPERATIONS:
        machine = {"ana": ana, "ben": ben, "dora": held}[vm]
        then = timezone.now() - timedelta(days=1)
        Operation.objects.create(
            vm=machine, cluster_id=machine.cluster_id, vmid=machine.vmid, vm_name=machine.name, node=machine.node,
            action="stop", requested_by=by[who], requested_by_name=who, requested_at=then, admitted_at=then,
            sent_at=then, finished_at=then, state=state, outcome=outcome,
        )  # fmt: skip
    taken = Assignment.objects.create(vm=b.machine(101), user=by["dora"])
    preparing.free(Assignment.objects.filter(pk=taken.pk), way="shut-down", by=by["lena"])
    prepare(b)
    ended = Assignment.objects.create(vm=b.machine(101), user=by["emil"])
    Assignment.objects.filter(pk=ended.pk).end(kept_until=timezone.now() + timedelta(days=9))
    for outcome in STORED_BY_PREPARATIONS:
        Preparation.objects.create(
            assignment=ended, way="shut-down", asked_by=by["lena"], asked_by_name="lena", state="failed",
            outcome=outcome, finished_at=timezone.now(),
        )  # fmt: skip
    preparing.free(Assignment.objects.filter(pk=ended.pk), way="revert", by=by["lena"])  # waits for a worker
    operations.request(ben, "start", by=by["ben"])
    carry_out()  # is under way when the old version stops
    operations.request(a.machine(ana.vmid), "shutdown", by=by["ana"])  # waits


STORED_BY_OPERATIONS = [
    ("failed", "The cluster rejected the portal's API token (invalid token). Enter a valid one in its settings.", "ana",
     "ana"),
    ("unknown", "It is not known whether the cluster received this. Look at the machine before you try again.", "ana",
     "ana"),
    ("failed", "The cluster began it, and the task failed (command 'qm stop' failed: exit code 255).", "ben", "ben"),
    ("cancelled", "It waited too long for its turn, so it was dropped. Try again.", "ben", "ben"),
    ("cancelled", "Cancelled by tess while it waited for its turn.", "ben", "ben"),
    ("done", "", "dora", "dora"),
    ("failed", "The machine is locked by something that is under way (backup). Try again in half a minute.", "dora",
     "lena"),
    ("failed", "what an administrator wrote into this row by hand", "dora", "lena"),
]  # fmt: skip

STORED_BY_PREPARATIONS = [
    "The machine has no snapshot “base”.",
    "It has restore points that were not shown: one, two. Look at them, and choose again.",
]

LOST = "The cluster listed 7 machines fewer than before; nothing was taken for missing. If they are really gone, choose “Believe the last answer” in the admin, at the readings of clusters."  # noqa: E501


def readings(a: Lab, b: Lab) -> None:
    now = timezone.now()
    ClusterSync.objects.update_or_create(cluster=b.row, defaults={"notice": LOST, "node_limit": 2, "interval": 30})
    SyncRun.objects.create(cluster=b.row, outcome="suspicious", problem=LOST, first_at=now, last_at=now, seen=3)
    silent = "The cluster did not answer in time. If this goes on, check its load and the network."
    SyncRun.objects.create(cluster=b.row, outcome="failed", problem=silent, first_at=now, last_at=now, runs=4)
    ClusterHealth.failed("building-b", silent, kind="TimedOut", at=now)
    LoginState.objects.update_or_create(cluster=b.row, defaults={"rejected_read_version": 1})
    CredentialEnd.objects.create(cluster=a.row, credential_version=1, asked_at=now, ends_at=now + timedelta(days=9))
    Pool.objects.get_or_create(cluster=a.row, name="net101")
    Node.objects.filter(cluster=b.row).update(missing_since=now)
    Snapshot.objects.create(vm=a.machine(103), name="base", description="Clean")
    for kind, text in (
        ("cluster_down", silent),
        ("read_token_rejected", "The cluster rejected the portal's read-only token. Enter a valid one in the cluster's "
         "settings: until then it is not tried again."),
        ("token_expires", "The API token portal@pve!labs ends on 9 December 2026. Make a new one on the cluster and "
         "enter it in the cluster's settings before that."),
    ):  # fmt: skip
        alert = Alert.objects.create(cluster=b.row, kind=kind, text=text, since=now, seen_at=now, opened_at=now)
        for channel, state in (("mail", "sent"), ("webhook", "waiting"), ("webhook", "failed")):
            event = "closed" if state == "failed" else "open"
            AlertMessage.objects.create(alert=alert, event=event, channel=channel, state=state, tries=1,
                                        problem="" if state == "sent" else "HTTP 500")  # fmt: skip
    Alert.objects.filter(kind="token_expires").update(closed_at=now)
    WorkerBeat.objects.create(name="lab-1-4711-abcdef", version="0.3.0")


def consoles(a: Lab, by: dict[str, User]) -> None:
    machine = a.machine(102)
    ConsoleGrant.issue(machine, user=by["theo"], session_key="a-session", mode="view")
    for mode, outcome in (("control", "Closed by root."), ("view", "The portal's process ended."),
                          ("view", "Ended: The machine was taken away.")):  # fmt: skip
        opened = ConsoleSession.begin(machine, user=by["theo"], mode=mode)
        assert opened
        opened.end(outcome)
    ConsoleSession.begin(machine, user=by["hugo"], mode="control")


def queued(a: Lab, by: dict[str, User]) -> None:
    """Every task that waits in the queue when the old version stops, and the schedule."""
    operation = Operation.objects.exclude(state__in=["done", "failed"]).first()
    jobs.operate.enqueue(str(operation.pk))
    jobs.operate.enqueue(str(uuid.uuid4()))  # of a row that is gone
    jobs.follow.enqueue("building-a")
    jobs.prepare.enqueue(Preparation.objects.latest("pk").pk)
    jobs.sync.enqueue("building-a", ClusterSync.objects.get(cluster=a.row).attempt)
    jobs.look_closer.enqueue("building-a")
    jobs.ask_facts.enqueue("building-a")
    for name in schedule.LINES:
        schedule.regular.enqueue(name)
    schedule.enqueue_due()
    people_jobs.mail_of_new_password.enqueue(by["ben"].pk)
    done = DBTaskResult.objects.order_by("enqueued_at").first()
    done.claim("a-worker")
    done.set_successful(None)
    alerts.prune()


def strangers(root: Client, by: dict[str, User]) -> None:
    """Wrong logins, sessions, and a preview that waits for a yes."""
    client = Client()
    for name in ("ana", "ana", "nobody"):
        client.post(reverse("login"), {"username": name, "password": "wrong"})
    for name in ("ana", "tess", "lena"):
        Client().force_login(by[name], backend="accounts.lockout.RecheckingBackend")
    assert AccessAttempt.objects.exists()
    PendingImport.objects.create(
        user=by["root"], source="clusters.json", content='[{"id": "annex", "password": "in a preview"}]', options={},
        digest="0" * 64,
    )  # fmt: skip


# Reading it all


def rows() -> dict[str, list[dict[str, Any]]]:
    """By table, what is in each column; secrets as they are stored."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.managed or model._meta.proxy or model._meta.app_label == "contenttypes":
            continue
        fields = model._meta.concrete_fields
        columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
        order = connection.ops.quote_name(model._meta.pk.column)
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")  # noqa: S608 - names of models
            found[model._meta.label_lower] = [
                {field.attname: plain(field, value) for field, value in zip(fields, row, strict=True)}
                for row in cursor.fetchall()
            ]
    types = {one.pk: f"{one.app_label}.{one.model}" for one in ContentType.objects.all()}
    return {label: [named(row, types) for row in table] for label, table in found.items() if table}


def plain(field: Any, value: Any) -> Any:
    """As JSON has it: moments in ISO with their zone, UUIDs with hyphens."""
    kind = field.get_internal_type()
    if value is None or kind in {"CharField", "TextField"}:
        return value
    if kind == "JSONField":
        return json.loads(value)
    if kind == "BooleanField":
        return bool(value)
    if kind == "DateTimeField":
        return value.replace(tzinfo=UTC).isoformat()
    if kind == "UUIDField":
        return str(uuid.UUID(str(value)))
    return value if isinstance(value, (int, float)) else str(value)


def named(row: dict[str, Any], types: dict[int, str]) -> dict[str, Any]:
    """Numbers of content types are another database's own."""
    return row | ({"content_type_id": types[row["content_type_id"]]} if row.get("content_type_id") else {})


def test_make(own_database: Any, building_a: Lab, building_b: Lab, settings: Any, monkeypatch: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "accounts.hashers.CappedArgon2PasswordHasher", "accounts.hashers.CappedScryptPasswordHasher",
    ]  # fmt: skip
    keys = [KEY, *settings.FIELD_ENCRYPTION_KEY]
    monkeypatch.setattr(encrypted, "CRYPTER", MultiFernet([Fernet(key) for key in keys]))
    by = people()
    root = Client(REMOTE_ADDR="192.0.2.50")
    root.force_login(by["root"], backend="accounts.lockout.RecheckingBackend")
    configuration(root, building_a, building_b, by)
    lessons(building_a, by)
    work(building_a, building_b, by)
    readings(building_a, building_b)
    consoles(building_a, by)
    queued(building_a, by)
    strangers(root, by)
    for number, row in enumerate(Cluster.objects.order_by("pk"), start=1):
        row.token_secret = f"secret-of-{row.cluster_id}" if row.token_id else None
        row.host = f"192.0.2.{number}"
        row.save()
    ConsoleSession.objects.update(process="lab-1, 4711")
    adoption = Adoption.objects.get()
    adoption.canary = Adoption.CANARY
    adoption.save()
    found = rows()
    lines = [f"{json.dumps(label)}: [\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in table) + "\n]"
             for label, table in sorted(found.items())]  # fmt: skip
    Path(os.environ["ROWS"]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    empty = [model._meta.label for model in apps.get_models() if not found.get(model._meta.label_lower)]
    print("without rows:", empty)
