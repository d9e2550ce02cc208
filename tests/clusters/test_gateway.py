"""One try for each credential, by whichever process."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

import pvesim
from clusters import gateway, proxmox
from clusters.models import Cluster, LoginState
from tests.labs import queries
from vms import inventory

ROOT = Path(__file__).resolve().parent.parent.parent
TICKETS = "^/access/ticket$"


@pytest.fixture
def pve() -> Iterator[pvesim.Cluster]:
    with pvesim.Simulator(seed=1) as simulator:
        cluster = simulator.add_cluster("lab", nodes=("pve1",), statd_interval=0.0)
        cluster.add_user("portal@pve", password="right", acl={"/": "Administrator"})
        yield cluster


def enter(pve: pvesim.Cluster, password: str) -> Cluster:
    return Cluster.objects.create(
        cluster_id="lab", name="Lab", host=pve.host, port=pve.port, user="portal@pve", password=password,
        ca_certificate=pve.ca_pem,
    )  # fmt: skip


def sync(times: int = 1) -> None:
    for _ in range(times):
        inventory.sync(Cluster.objects.get().config)
        proxmox.forget("lab")  # as another process, which keeps no login


def tries(pve: pvesim.Cluster) -> int:
    return pve.count("POST", TICKETS)


pytestmark = pytest.mark.django_db


def test_a_rejected_password_is_tried_once(pve: pvesim.Cluster) -> None:
    enter(pve, "wrong")
    sync(times=5)
    assert tries(pve) == 1


def test_a_good_password_is_tried_by_every_process(pve: pvesim.Cluster) -> None:
    enter(pve, "right")
    sync(times=3)
    assert tries(pve) == 3


def test_saving_the_cluster_allows_another_try(pve: pvesim.Cluster) -> None:
    row = enter(pve, "wrong")
    sync()
    row.name = "Renamed"
    row.save()
    sync(times=3)
    assert tries(pve) == 2


def test_a_new_password_is_tried(pve: pvesim.Cluster) -> None:
    row = enter(pve, "wrong")
    sync()
    row.password = "right"
    row.save()
    sync()
    assert row.health.ok


def test_a_rejected_token_is_asked_with_once(pve: pvesim.Cluster) -> None:
    row = enter(pve, "")
    Cluster.objects.filter(pk=row.pk).update(token_id="portal@pve!gone", token_secret="0" * 36)
    sync(times=4)
    assert len(pve.requests) == 1


def test_the_turn_of_somebody_who_died_is_not_waited_for(pve: pvesim.Cluster) -> None:
    row = enter(pve, "right")
    LoginState.objects.create(cluster=row, busy_until=timezone.now() - timedelta(seconds=1))
    sync()
    assert tries(pve) == 1


def test_who_does_not_get_a_turn_gives_up_in_time(pve: pvesim.Cluster) -> None:
    row = enter(pve, "right")
    LoginState.objects.create(cluster=row, busy_until=timezone.now() + timedelta(minutes=1))
    with pytest.raises(proxmox.TimedOut):
        gateway.DatabaseLoginThrottle().acquire(row.config, patience=0.2)
    assert tries(pve) == 0


def test_a_cluster_that_is_not_in_the_database_is_entered_at_once(pve: pvesim.Cluster) -> None:
    config = enter(pve, "right").config
    Cluster.objects.all().delete()
    gateway.DatabaseLoginThrottle().acquire(config, patience=0.0)
    assert not LoginState.objects.exists()


def test_a_turn_ends_after_half_a_minute_or_when_it_was_used(pve: pvesim.Cluster) -> None:
    config, mine = enter(pve, "right").config, gateway.DatabaseLoginThrottle()
    before = timezone.now()
    mine.acquire(config, patience=0.0)
    assert before <= LoginState.objects.get().busy_until - timedelta(seconds=30) <= timezone.now()
    mine.release(config)
    assert LoginState.objects.get().busy_until is None
    mine.acquire(config, patience=0.0)
    mine.accepted(config)
    state = LoginState.objects.get()
    assert (state.busy_until, state.rejected_version) == (None, None)
    mine.acquire(config, patience=0.0)
    mine.rejected(config, proxmox.LoginRejected("No."))
    state = LoginState.objects.get()
    assert (state.busy_until, state.rejected_version) == (None, config.credential_version)


def test_half_a_token_is_none_so_the_password_takes_its_turn(pve: pvesim.Cluster) -> None:
    config = replace(enter(pve, "right").config, token_id="portal@pve!t")
    gateway.DatabaseLoginThrottle().acquire(config, patience=0.0)
    assert LoginState.objects.get().busy_until


def test_a_turn_is_waited_for(pve: pvesim.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    row = enter(pve, "right")
    LoginState.objects.create(cluster=row, busy_until=timezone.now() + timedelta(minutes=1))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            LoginState.objects.update(busy_until=None)

    monkeypatch.setattr(gateway, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    gateway.DatabaseLoginThrottle().acquire(row.config, patience=600.0)
    assert waits == [0.1] * 3


def test_a_token_takes_no_turn_and_writes_nothing_while_all_is_well(pve: pvesim.Cluster) -> None:
    row = enter(pve, "")
    Cluster.objects.filter(pk=row.pk).update(token_id="portal@pve!t", token_secret="0" * 36)
    config, mine = Cluster.objects.get().config, gateway.DatabaseLoginThrottle()
    others = timezone.now() + timedelta(minutes=1)
    state = LoginState.objects.create(cluster=row, busy_until=others)
    mine.acquire(config, patience=0.0)
    with queries() as seen:
        mine.accepted(config)
        mine.release(config)
    assert not seen
    mine.rejected(config, proxmox.LoginRejected("No."))
    with pytest.raises(proxmox.LoginRejected, match="does not try it again"):
        mine.acquire(config, patience=0.0)
    LoginState.objects.update(rejected_version=config.credential_version + 1)
    mine.acquire(config, patience=0.0)
    mine.accepted(config)
    state.refresh_from_db()
    assert (state.rejected_version, state.busy_until) == (None, others)


SYNCS = """
import django; django.setup()
from clusters import proxmox
from clusters.models import Cluster
from vms import inventory
for _ in range(50):
    inventory.sync(Cluster.objects.get().config)
    proxmox.forget("lab")
"""


def test_a_hundred_syncs_by_two_processes_are_one_try(pve: pvesim.Cluster, tmp_path: Path, migrated_file: Path) -> None:
    shutil.copy(migrated_file, tmp_path / "lab.db")
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "labportal.settings", "DATABASE_URL": f"sqlite:///{tmp_path}/lab.db",
    }  # fmt: skip

    def start(script: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)

    fill = f"""
import django; django.setup()
from clusters.models import Cluster
Cluster.objects.create(cluster_id="lab", name="Lab", host={pve.host!r}, port={pve.port}, user="portal@pve",
                       password="changed over there", ca_certificate={pve.ca_pem!r})
"""
    assert start(fill).wait(60) == 0
    assert [process.wait(120) for process in [start(SYNCS), start(SYNCS)]] == [0, 0]
    print(f"\n100 syncs by 2 processes after a password change: {tries(pve)} login attempt")
    assert tries(pve) == 1
