"""A cluster in its first weeks whose secrets are markers, and what administrators do with it."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

import pvesim
from accounts import first_passwords
from accounts.models import User
from clusters.models import Cluster, ProvisioningAccess
from tests.conftest import PASSWORD, join
from tests.marker_secret import MarkerSecret
from vms import inventory
from vms.models import (
    Assignment,
    ClusterGrant,
    MachineSet,
    MachineTemplate,
    MadeMachine,
    ProvisioningRun,
    TemplateCopy,
    VirtualMachine,
)
from vms.provisioning import running

Parts = Iterable[str | bytes]
CLUSTERS = "admin:clusters_cluster_"


@dataclass
class Stage:
    """People, a simulated cluster whose password and tokens' secrets are canaries, and what was logged meanwhile.

    `made` is the password of a machine that the portal makes.
    """

    pve: pvesim.Cluster
    folder: Path
    password: MarkerSecret
    token: MarkerSecret
    reader: MarkerSecret
    made: MarkerSecret
    log: io.StringIO
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def admin(self) -> Client:
        return self.clients["a superuser"]

    def form(self, **changes: Any) -> dict[str, Any]:
        """What the form of a cluster sends that logs in by password."""
        usual = {
            "cluster_id": "alpha", "name": "Alpha", "host": self.pve.host, "port": self.pve.port, "user": "portal@pve",
            "new_password": self.password.text, "fingerprint": self.pve.fingerprint(), "is_active": "on",
        }  # fmt: skip
        return usual | changes

    @property
    def boxes(self) -> dict[str, str]:
        """Both tokens, as they are pasted."""
        return {
            "new_token": f"portal@pve!labs={self.token.text}", "new_read_token": f"portal@pve!look={self.reader.text}",
        }  # fmt: skip

    def act(self, action: str, cluster_id: str = "alpha", **more: Any) -> Any:
        chosen = Cluster.objects.get(cluster_id=cluster_id).pk
        data = {"action": action, "_selected_action": [chosen], **more}
        return self.admin.post(reverse(f"{CLUSTERS}changelist"), data, follow=True)

    def rename(self, name: str, cluster_id: str = "alpha") -> None:
        cluster = Cluster.objects.get(cluster_id=cluster_id)
        cluster.name = name
        cluster.save(update_fields=["name"])

    def file(self, **changes: Any) -> bytes:
        """A clusters.json with an entry that is new."""
        entry = {
            "id": "from-a-file", "name": "From a file", "host": self.pve.host, "user": "portal@pve",
            "port": self.pve.port, "password": self.password.text, "token_id": "portal@pve!labs",
            "token_secret": self.token.text, "read_token_id": "portal@pve!look", "read_token_secret": self.reader.text,
        }  # fmt: skip
        return json.dumps([entry | changes]).encode()

    def upload(self, content: bytes, **ticked: str) -> Any:
        data = {"upload": SimpleUploadedFile("clusters.json", content), **ticked}
        return self.admin.post(reverse(f"{CLUSTERS}import"), data)


def set_up(stage: Stage) -> None:
    for name, user in {
        "a superuser": User.objects.create_superuser("admin", password=PASSWORD),
        "a lab administrator": join("lena", "Lab administrator"),
        "an auditor": join("otto", "Auditor"),
        "plain staff": User.objects.create_user("paul", password=PASSWORD, is_staff=True),
        "a student": User.objects.create_user("ana", password=PASSWORD),
        "nobody": None,
    }.items():
        stage.clients[name] = Client(raise_request_exception=False)
        if user:
            stage.clients[name].force_login(user)


def live_through(stage: Stage) -> None:
    """What administrators do with a cluster in its first weeks, good and bad."""
    post, login = stage.admin.post, reverse("login")
    stage.clients["nobody"].post(login, {"username": stage.password.text, "password": stage.password.text})
    stage.clients["nobody"].post(login, {"username": "admin", "password": stage.token.text})
    connection.force_debug_cursor = True  # from here on, because what is typed as a name is looked up as it is
    post(reverse(f"{CLUSTERS}test_new"), stage.form())
    assert post(reverse(f"{CLUSTERS}add"), stage.form()).status_code == 302
    beta = stage.form(cluster_id="beta", name="Beta", **stage.boxes)
    assert post(reverse(f"{CLUSTERS}add"), beta).status_code == 302
    alpha = Cluster.objects.get(cluster_id="alpha")
    assert post(reverse(f"{CLUSTERS}change", args=[alpha.pk]), stage.form(name="Alpha I")).status_code == 302
    for action in ("try_connection", "make_default", "deactivate", "activate", "make_default"):
        stage.act(action)
    stage.act("try_connection", "beta")
    _import(stage)
    assert stage.act("delete_selected", "from-a-file", post="yes").status_code == 200
    _talk(stage)
    _make_a_machine(stage)


def _make_a_machine(stage: Stage) -> None:
    """For somebody who looks at nothing here: whom a machine is assigned to may read its password."""
    stage.pve.add_pool("made")
    drive: dict[str, str | int] = {"ide2": "data:vm-9000-cloudinit,media=cdrom"}
    stage.pve.add_guest(9000, name="template", template=True, agent="alive", options=drive)
    cluster, group = Cluster.objects.get(cluster_id="alpha"), MachineSet.objects.create(name="Networks 101")
    ProvisioningAccess.objects.create(
        cluster=cluster, is_enabled=True, token_id="portal@pve!labs", token_secret=stage.token.text
    )
    ClusterGrant.objects.create(machine_set=group, cluster=cluster, pool="made")
    template = MachineTemplate.objects.create(
        name="Web server", cluster=cluster, pool="made", vmid_from=5001, vmid_to=5099, name_pattern="web-{n}",
        baseline_running=True,
    )  # fmt: skip
    node = "pve1"
    copy = TemplateCopy.objects.create(template=template, node=node, vmid=9000, storage="data")
    run = ProvisioningRun.objects.create(template=template, machine_set=group, requested_by_name="admin")
    MadeMachine.objects.create(
        run=run, position=1, cluster_id="alpha", vmid=5001, node=node, copy=copy, template_vmid=9000,
        template_node=node, name="web-1", storage="data", cores=1, memory_mib=1024, disk_gib=8,
        for_user=User.objects.create_user("mia", password=PASSWORD),
    )  # fmt: skip
    with patch.object(first_passwords, "make", lambda: stage.made.text):
        running.drive("alpha", threads=0)
    made = MadeMachine.objects.get()
    assert (made.state, made.password.reveal()) == (MadeMachine.State.READY, stage.made.text), made.outcome


def _import(stage: Stage) -> None:
    stage.upload(stage.file(port=stage.password.text))
    preview = stage.upload(stage.file())
    stage.admin.post(reverse(f"{CLUSTERS}import"), {"shown": preview.context["shown"]})
    assert Cluster.objects.filter(cluster_id="from-a-file").exists()


def _talk(stage: Stage) -> None:
    """Conversations with the cluster: a good one, one that repeats what it was told, and one that breaks off."""
    config = Cluster.objects.get(cluster_id="alpha").config
    assert not inventory.sync(config).problem
    machine = VirtualMachine.objects.get(vmid=101)
    Assignment.objects.create(vm=machine, user=User.objects.get(username="ana"))
    stage.pve.faults.reply("/access/ticket", 400, reason=f"Not {stage.password.text}", times=2)
    stage.act("try_connection")
    stage.pve.faults.reset("/version", times=2)
    stage.act("try_connection")
    stage.pve.faults.clear()
    stage.act("try_connection")


# It returns what can be read in one place. The second argument, unless empty, is a text that has to show there: proof
# that a leak would be seen.
LeakCheck = Callable[[Stage, str], Parts]
LEAK_CHECKS: dict[str, LeakCheck] = {}


def leak_check(name: str) -> Callable[[LeakCheck], LeakCheck]:
    def add(function: LeakCheck) -> LeakCheck:
        LEAK_CHECKS[name] = function
        return function

    return add
