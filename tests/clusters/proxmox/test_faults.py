"""Everything that the simulator can do wrong, against the gateway: the error that is expected of it, in time, within
bounds of memory, and with no change sent twice.

bin/test tests/clusters/proxmox/test_faults.py -s -n0 prints how many.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import Client, Power
from pvesim.clock import ManualClock
from pvesim.cluster import Cluster
from pvesim.faults.malformed import MALFORMED, TEXTS
from pvesim.seed import fill
from pvesim.simulator import Simulator
from tests.waits import TIMEOUT

from .conftest import PASSWORD
from .fault_cases import FAULTS, look, stop
from .resource_usage import watched

# What a busy machine may take longer.
MARGIN = 20.0
PATIENT = 2.0
MOST_MIB = 64


@dataclass
class Tally:
    faults: int = 0
    mib: float = 0.0
    seconds: float = 0.0
    changes: int = 0


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    tally = Tally()
    yield tally
    print(
        f"\n{tally.faults} faults: each with the error that is expected of it; at most +{tally.mib:.0f} MiB and "
        f"{tally.seconds:.1f} s; {tally.changes} changes sent, none of them twice"
    )


@pytest.fixture(autouse=True)
def bounds(lab: Cluster, pve: Client, tally: Tally, brief: float) -> Iterator[None]:
    """Of every test here, whatever it does."""
    lab.clear_requests()
    with watched() as seen:
        yield
    posts = Counter(request.path for request in lab.requests if request.method != "GET")
    logins = posts.pop("/access/ticket", 0)
    assert seen.seconds < brief + MARGIN
    assert seen.mib <= MOST_MIB
    assert max(posts.values(), default=0) <= 1
    assert logins <= 2
    tally.faults += 1
    tally.changes += posts.total()
    tally.mib, tally.seconds = max(tally.mib, seen.mib), max(tally.seconds, seen.seconds)


@pytest.fixture
def configs(lab: Cluster, config: ClusterConfig, by_password: ClusterConfig) -> dict[str, ClusterConfig]:
    by_ca = replace(config, fingerprint="", ca_certificate=lab.ca_pem)
    return {"token": config, "password": by_password, "CA": by_ca}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(lab: Cluster, configs: dict[str, ClusterConfig], name: str, brief: float) -> None:
    case = FAULTS[name]
    # Only a timeout needs a short deadline. Any other error comes in time, also on a busy machine.
    deadline = brief if case.error is proxmox.TimedOut else max(brief, PATIENT)
    with proxmox.connect(configs[case.by], deadline=deadline) as pve:
        if case.late:
            pve.version()
        case.wrong(lab)
        error = outcome(case.ask, pve)
    assert type(error) is (case.error or type(None)), error


def outcome(ask: Callable[[Client], object], pve: Client) -> proxmox.ProxmoxError | None:
    try:
        ask(pve)
    except proxmox.ProxmoxError as error:
        return error
    return None


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_answer(lab: Cluster, pve: Client, kind: str) -> None:
    """It is refused, or what is made of it makes sense."""
    lab.faults.malformed(kind)
    for ask in (Client.resources, Client.cluster_status, look, Client.permissions, Client.pools, Client.next_id):
        error = outcome(ask, pve)
        assert error is None or type(error) in (proxmox.ProtocolError, proxmox.Refused)
    for guest in found.guests if (found := list_of(pve)) else ():
        assert (guest.kind, guest.node, guest.vmid) in {
            ("qemu", "pve1", 101),
            ("qemu", "pve2", 102),
            ("lxc", "pve1", 200),
        }
        assert guest.memory >= 0


def list_of(pve: Client) -> proxmox.Resources | None:
    try:
        return pve.resources()
    except proxmox.ProxmoxError:
        return None


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_change_with_a_malformed_answer_is_sent_once(lab: Cluster, pve: Client, kind: str) -> None:
    lab.faults.malformed(kind)
    error = outcome(stop, pve)
    assert error is None or isinstance(error, proxmox.OutcomeUnknown | proxmox.Refused)
    assert lab.count(method="POST") == 1


def texts_of(value: object) -> Iterator[str]:
    """All that is said in an answer, however deep."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for one in fields(value):
            yield from texts_of(getattr(value, one.name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from texts_of(one)


TELLING: tuple[Callable[[Client, str], object], ...] = (
    lambda pve, _: pve.resources(),
    lambda pve, _: pve.guest_status("pve1", "qemu", 101),
    lambda pve, _: pve.guest_config("pve1", "qemu", 101),
    lambda pve, _: pve.interfaces("pve1", "qemu", 101),
    lambda pve, _: pve.snapshots("pve1", "qemu", 101),
    lambda pve, _: pve.pools(),
    lambda pve, _: pve.pool("labs"),
    lambda pve, upid: pve.task_status(upid),
    lambda pve, upid: pve.task_log(upid),
    lambda pve, _: pve.guest_tasks("pve1", 101),
)


@pytest.mark.parametrize("kind", TEXTS)
def test_unsafe_text_is_harmless(lab: Cluster, pve: Client, clock: ManualClock, kind: str) -> None:
    guest = lab.guest(101)
    guest.agent, guest.addresses, guest.description = "alive", ("10.0.0.7",), "notes"
    upid = pve.create_snapshot("pve1", "qemu", 101, "before", description="why")
    clock.advance(10)
    lab.faults.unsafe_text(kind)
    for tell in TELLING:
        shown = list(texts_of(tell(pve, upid)))
        assert shown
        assert all(text.replace("\n", "").isprintable() and text == text.strip() for text in shown)
        assert all(len(text) <= 8192 for text in shown)


@pytest.mark.parametrize("kind", TEXTS)
def test_a_unsafe_reason_is_harmless(lab: Cluster, pve: Client, kind: str) -> None:
    lab.faults.unsafe_reason(kind)
    error = outcome(look, pve)
    assert error is None or error.plain.isprintable()
    assert isinstance(error, proxmox.Refused | proxmox.ProtocolError)


def run(pve: Client, clock: ManualClock, kind: str = "stop", seconds: float = 60) -> str:
    upid = pve.power("pve1", "qemu", 101, Power(kind))
    clock.advance(seconds)
    return upid


def test_a_task_that_never_ends(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.tasks_never_end()
    assert pve.task_status(run(pve, clock, seconds=3600)).running


def test_a_task_that_vanishes(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.tasks_vanish()
    with pytest.raises(proxmox.NotFound):
        pve.task_status(run(pve, clock))


def test_a_task_with_warnings(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.tasks_warn()
    assert pve.task_status(run(pve, clock)) == proxmox.TaskStatus(running=False, exit_status="WARNINGS: 1")


def test_a_task_that_fails(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.tasks_fail(text="start failed: QEMU exited with code 1")
    with pytest.raises(proxmox.TaskFailed, match="QEMU exited"):
        pve.task_status(run(pve, clock)).raise_if_failed()


def test_a_task_whose_worker_is_killed(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.tasks_crash()
    with pytest.raises(proxmox.TaskFailed, match="unexpected status"):
        pve.task_status(run(pve, clock)).raise_if_failed()


def test_a_task_whose_node_dies(lab: Cluster, config: ClusterConfig, clock: ManualClock) -> None:
    lab.faults.node_dies_in_task()
    with proxmox.connect(config, deadline=TIMEOUT) as pve:
        upid = pve.power("pve2", "qemu", 102, Power.START)
        clock.advance(5)
        with pytest.raises(proxmox.NodeDown):
            pve.task_status(upid)


def test_a_log_of_a_hundred_thousand_lines(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.tasks_talk()
    upid = run(pve, clock)
    assert outcome(lambda pve: pve.task_log(upid, limit=10**9), pve) is None
    assert "limit=1000" in lab.requests[-1].query


def test_guests_of_a_lost_node_are_there_for_five_minutes(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.node_down("pve2")
    assert seen_of_102(pve) == ("offline", "stopped", "db")
    clock.advance(301)
    assert seen_of_102(pve) == ("offline", "unknown", "")


def seen_of_102(pve: Client) -> tuple[str, str, str]:
    found = pve.resources()
    (guest,) = [guest for guest in found.guests if guest.vmid == 102]
    (online,) = [node.online for node in found.nodes if node.name == guest.node]
    return "online" if online else "offline", guest.status, guest.name


def test_a_guest_that_is_locked(lab: Cluster, pve: Client, clock: ManualClock) -> None:
    lab.faults.guest_locked(101)
    with pytest.raises(proxmox.TaskFailed) as caught:
        pve.task_status(run(pve, clock, "stop")).raise_if_failed()
    assert caught.value.locked


def test_a_number_that_another_guest_has_now(lab: Cluster, pve: Client) -> None:
    lab.faults.vmid_reused(101, name="somebody-elses", after="/cluster/resources")
    (before,) = [guest.name for guest in pve.resources().guests if guest.vmid == 101]
    assert (before, pve.guest_status("pve1", "qemu", 101).name) == ("web", "somebody-elses")


def test_another_cluster_that_nobody_checks_has_another_name(lab: Cluster, config: ClusterConfig) -> None:
    with proxmox.connect(replace(config, fingerprint="")) as pve:
        name = pve.cluster_status().name
    lab.faults.identity_changed()
    proxmox.forget(config.cluster_id)
    with proxmox.connect(replace(config, fingerprint="")) as pve:
        assert pve.cluster_status().name != name


def test_two_halves_of_a_cluster_tell_different_truths(lab: Cluster, config: ClusterConfig) -> None:
    lab.add_guest(103, node="pve1")
    lab.faults.split_brain("pve2")
    ports = lab.ports
    seen = []
    for node in ("pve1", "pve2"):
        there = replace(config, port=ports[node], fingerprint=lab.fingerprint(node))
        with proxmox.connect(there, deadline=TIMEOUT) as pve:
            seen.append({state.name for state in pve.cluster_status().nodes if state.online})
    assert seen == [{"pve1"}, {"pve2"}]


@pytest.fixture(scope="module")
def large(sim: Simulator) -> Iterator[Cluster]:
    """Has made its list already: what the simulator takes for that is not the gateway's."""
    cluster = sim.add_cluster("large", nodes=[f"pve{number}" for number in range(1, 33)])
    cluster.add_user("portal@pve", PASSWORD, acl={"/": "Administrator"})
    fill(cluster, 10_000)
    with proxmox.connect(config_of(cluster)) as pve:
        pve.resources()
    yield cluster
    sim.remove_cluster("large")


def config_of(cluster: Cluster) -> ClusterConfig:
    return ClusterConfig(
        cluster_id=cluster.name, name="Large", host=cluster.host, port=cluster.port, user="portal@pve",
        password=Secret(PASSWORD), fingerprint=cluster.fingerprint(),
    )  # fmt: skip


def test_ten_thousand_guests(large: Cluster) -> None:
    with proxmox.connect(config_of(large)) as pve:
        assert len(pve.resources().guests) == 10_000
