"""A small school in the database: somebody of every kind, and a row of everything that has a page."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

from auditlog.models import LogEntry
from axes.models import AccessAttempt
from django.contrib.admin.models import CHANGE
from django.contrib.admin.models import LogEntry as AdminEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

import pvesim
from accounts import tokens
from accounts.models import Directory, OutsideRole, Provider, SignInIdentity, SignInRule, TrustedHeader, User
from classes.models import LabClass
from clusters.models import Cluster, ClusterNotice, DeletedCluster, ProvisioningAccess
from tests.access import two_classes
from tests.conftest import PASSWORD, join
from tests.labs import add_cluster, simulated
from vms import inventory
from vms.models import (
    Alert,
    Assignment,
    ConsoleSession,
    MachineSet,
    Node,
    Operation,
    Snapshot,
    SyncRun,
    VirtualMachine,
    WorkerBeat,
)

PEOPLE = ("anonymous", "assignee", "other", "manager", "co_owner", "staff", "auditor", "lab_admin", "superuser")
READING = {"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK"}
TOKEN = "t" * 32  # a CSRF token as the cookie has it


class Asking(Client):
    """The whole site with all that is around it, without notes about templates, which take most of a request's time."""

    def request(self, **request: Any) -> Any:
        return self.handler(self._base_environ(**request))


@dataclass
class World:
    """`machine` is the assignee's, in the manager's group and class; `foreign` is the other student's.

    The assignee takes part in `lab_class`, the other student in `foreign_class`, which is on the last cluster.
    """

    people: dict[str, User]
    sims: list[pvesim.Cluster]
    machine: VirtualMachine
    foreign: VirtualMachine
    lab_class: LabClass
    foreign_class: LabClass
    rows: dict[str, Any]  # for each model with pages in the admin, by "app.model": the primary key of a row
    sessions: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=lambda: Asking(enforce_csrf_checks=True))

    def ask(self, who: str, method: str, url: str, data: Any = None, *, csrf: bool = True, **headers: str) -> Any:
        """One request, as if it were the first after the login."""
        cookies = {"csrftoken": TOKEN} if csrf else {}
        if who != "anonymous":
            cookies["sessionid"] = self.sessions[who]
        self.client.cookies = SimpleCookie(cookies)
        if csrf:
            headers["X-CSRFToken"] = TOKEN
        if isinstance(data, str):
            return self.client.generic(method, url, data, content_type="application/json", headers=headers)
        return getattr(self.client, method.lower())(url, data, headers=headers)


def build(sim: pvesim.Simulator, *, clusters: int = 1) -> World:
    """On every cluster the same VMIDs: 101 is the assignee's, 102 the other student's, 103 is nobody's."""
    sims = [_simulated(sim) for _ in range(clusters)]
    people = _people()
    for number, pve in enumerate(sims, start=1):
        row = add_cluster(pve, f"building-{number}", is_default=number == 1)
        inventory.sync(row.config)
    machine, foreign = (VirtualMachine.objects.get(cluster="building-1", vmid=vmid) for vmid in (101, 102))
    ours, theirs = two_classes.lab_classes(people, clusters)
    for vmid, name in ((101, "assignee"), (102, "other")):
        for found in VirtualMachine.objects.filter(vmid=vmid).exclude(assignments__user=people[name]):
            Assignment.objects.create(vm=found, user=people[name])
    kept = MachineSet.objects.create(name="Monday")
    kept.machines.add(machine)
    kept.stewards.add(people["manager"])
    WorkerBeat.objects.create(name="worker-1", seen_at=timezone.now())
    world = World(people, sims, machine, foreign, ours, theirs, _rows(people, machine) | two_classes.rows(ours))
    for name, person in people.items():
        world.client.cookies.clear()  # a login ends the session that the browser had
        world.client.force_login(person)
        world.sessions[name] = world.client.cookies["sessionid"].value
    for pve in sims:
        pve.clear_requests()
    return world


def _simulated(sim: pvesim.Simulator) -> pvesim.Cluster:
    pve = simulated(sim)
    for vmid in (101, 102, 103):
        pve.add_guest(vmid, name=f"net-{vmid}", tags=("lab", "net"))
    return pve


def _people() -> dict[str, User]:
    plain = ("assignee", "other", "manager", "co_owner", "stranger")
    users = {name: User.objects.create_user(name, password=PASSWORD, first_name="Kim") for name in plain}
    for name in ("manager", "co_owner", "stranger"):
        users[name].groups.add(Group.objects.get(name="Teacher"))
    users["staff"] = User.objects.create_user("staff", is_staff=True)
    users["auditor"], users["lab_admin"] = join("auditor", "Auditor"), join("lab_admin", "Lab administrator")
    return users | {"superuser": User.objects.create_superuser("superuser", password=PASSWORD)}


def _rows(people: dict[str, User], machine: VirtualMachine) -> dict[str, Any]:
    now, cluster = timezone.now(), machine.cluster
    Snapshot.objects.create(vm=machine, name="lesson-1", description="Before the lesson", taken_at=now)
    since = {"since": now, "seen_at": now}
    done = {"state": "failed", "finished_at": now, "admitted_at": now, "outcome": "It said no."}
    told = {"vm": machine, "cluster_id": cluster.cluster_id, "vmid": machine.vmid, "vm_name": machine.name}
    ends = {"leased_until": now + timedelta(days=1), "closed_by_name": "superuser"}
    asked = {"requested_by": people["assignee"], "requested_by_name": "assignee", "upid": "UPID:pve1:1"}
    AdminEntry.objects.create(
        user=people["superuser"], content_type=ContentType.objects.get_for_model(Cluster), object_id=str(cluster.pk),
        object_repr=str(cluster), action_flag=CHANGE, change_message=json.dumps([{"changed": {"fields": ["Name"]}}]),
    )  # fmt: skip
    people["assignee"].set_password("kept beside the provider's")
    people["assignee"].save()
    # None of them is active, and nobody listens where they are.
    provider = Provider.objects.create(name="provider", label="Provider", issuer="http://127.0.0.1:9", client_id="lab")
    made = [
        provider, Directory.objects.create(name="directory", label="Directory", servers="ldap://127.0.0.1:9"),
        TrustedHeader.objects.create(name="header", label="Header", header_name="Remote-User"),
        SignInIdentity.objects.create(user=people["assignee"], source=provider, subject="assignee-there"),
        SignInRule.objects.create(source=provider, on="claim", claim="department", value="science"),
        OutsideRole.objects.create(user=people["manager"], source=provider, group=Group.objects.get(name="Teacher")),
        cluster, people["assignee"], machine, Group.objects.get(name="Auditor"),
        Assignment.objects.get(vm=machine), MachineSet.objects.get(name="Monday"), cluster.sync,
        ClusterNotice.objects.create(cluster=cluster, text="Serviced on Friday"),
        ProvisioningAccess.objects.create(cluster=cluster),
        DeletedCluster.objects.create(cluster_id="old", deleted_by="superuser", deleted_at=now),
        Alert.objects.create(cluster=cluster, kind="cluster_down", text="It is silent.", opened_at=now, **since),
        Operation.objects.create(action="start", snapshot="lesson-1", **told, **asked, **done),
        ConsoleSession.objects.create(
            user=people["assignee"], user_name="assignee", mode="view", place=1, **told, **ends
        ),
        tokens.create(people["assignee"], name="robot", expires_at=now + timedelta(days=1))[0],
        SyncRun.objects.filter(cluster=cluster).first(), Node.objects.filter(cluster=cluster).first(),
        LogEntry.objects.order_by("pk").first(),
        AccessAttempt.objects.create(
            username="assignee", ip_address="127.0.0.1", path_info="/", failures_since_start=1
        ),
        DBTaskResult.objects.create(
            id=uuid.uuid4(), args_kwargs={"args": [], "kwargs": {}}, task_path="vms.tasks.look", priority=0,
            queue_name="clusters", backend_name="default", run_after=now + timedelta(days=1), exception_class_path="",
        ),
    ]  # fmt: skip
    return {row._meta.label_lower: row.pk for row in made}


@contextmanager
def rolled_back() -> Iterator[None]:
    """What is done to the database inside did not happen."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@dataclass
class Writes:
    """Notes the statements that write. Sessions do not count: a login, a message and a choice are in them."""

    statements: list[str] = field(default_factory=list)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip("(").split(maxsplit=1)[0] not in READING and "django_session" not in sql:
            self.statements.append(sql[:100])
        return execute(sql, params, many, context)


@contextmanager
def writes() -> Iterator[list[str]]:
    noted = Writes()
    with connection.execute_wrapper(noted):
        yield noted.statements
