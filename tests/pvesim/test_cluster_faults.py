"""Every named fault does what it says, and can be undone."""

import socket
import ssl
from collections.abc import Callable

import pytest
import requests

from pvesim import Cluster, ManualClock, Simulator
from pvesim.api.dispatch import PMXCFS_DOWN
from tests.waits import TIMEOUT

from .conftest import Api, Clients

RESOURCES = "^/cluster/resources$"
START = "/nodes/pve1/qemu/102/status/start"


def outcome(api: Api, path: str = "/version", *, timeout: float = TIMEOUT) -> str:
    """The status and the reason, or how the connection failed."""
    try:
        answer = api.call("GET", path, timeout=timeout)
    except requests.RequestException as failure:
        return type(failure).__name__
    return f"{answer.status_code} {answer.reason}"


def fresh(lab: Cluster, clients: Clients, boss: Api, node: str) -> Api:
    return clients.make(lab, node, {"Authorization": boss.header})


# --- nodes ---

TIMED_OUT, BROKEN = "Connection timed out", "ConnectionError"
NODE_FAULTS: dict[str, tuple[Callable[[Cluster], None], str, str]] = {
    "down": (lambda lab: lab.faults.node_down("pve2"), "595 No route to host", "ConnectionError"),
    "unreachable": (lambda lab: lab.faults.node_unreachable("pve2"), "595 Connection timed out", "200 OK"),
    "proxy": (lambda lab: lab.faults.proxy_down("pve2"), "595 Connection refused", "ConnectionError"),
    "hangs": (lambda lab: lab.faults.proxy_hangs("pve2", 0.0), "596 Connection timed out", "200 OK"),
    "daemon": (lambda lab: lab.faults.daemon_down("pve2"), "595 Connection refused", "595 Connection refused"),
    "stuck": (lambda lab: lab.faults.daemon_hangs("pve2", 0.0), "596 Connection timed out", "596 Connection timed out"),
    "unresponsive": (
        lambda lab: lab.faults.port_unresponsive("pve2"),
        "200 OK",
        "ReadTimeout ConnectTimeout ConnectionError",
    ),
    "filtered": (lambda lab: lab.faults.port_filtered("pve2"), "200 OK", "ConnectTimeout"),
    "closing": (lambda lab: lab.faults.port_closing("pve2"), "200 OK", "ConnectionError SSLError"),
    "frozen": (
        lambda lab: lab.faults.daemon_frozen("pve2", 0.0),
        "596 Connection timed out",
        "596 Connection timed out",
    ),
    "pmxcfs": (lambda lab: lab.faults.pmxcfs_down("pve2"), f"500 {PMXCFS_DOWN}", f"500 {PMXCFS_DOWN}"),
    "split": (lambda lab: lab.faults.split_brain("pve2"), "595 No route to host", "200 OK"),
    "quorum": (lambda lab: lab.faults.quorum_lost(), "595 No route to host", "200 OK"),
}


@pytest.mark.parametrize("name", NODE_FAULTS)
def test_a_node_in_trouble_by_another_and_by_itself(lab: Cluster, boss: Api, clients: Clients, name: str) -> None:
    cause, through_another, itself = NODE_FAULTS[name]
    cause(lab)
    path = "/nodes/pve2/qemu"
    assert outcome(boss, path) == through_another
    timeout = 0.3 if "Timeout" in itself.split()[0] else TIMEOUT
    assert outcome(fresh(lab, clients, boss, "pve2"), path, timeout=timeout) in (itself, *itself.split())
    lab.faults.undo()
    assert outcome(boss, path) == outcome(fresh(lab, clients, boss, "pve2"), path) == "200 OK"


# --- logins ---

LOGIN_FAULTS: dict[str, tuple[Callable[[Cluster], None], str, str]] = {
    "revoked": (lambda lab: lab.faults.token_revoked("pupil@pve!all"), "401", "200"),
    "token-expired": (lambda lab: lab.faults.token_expired("pupil@pve!all"), "401", "200"),
    "secret": (lambda lab: lab.faults.token_secret_changed("pupil@pve!all"), "401", "200"),
    "disabled": (lambda lab: lab.faults.user_disabled("pupil@pve"), "401", "401"),
    "expired": (lambda lab: lab.faults.user_expired("pupil@pve"), "401", "401"),
    "password": (lambda lab: lab.faults.password_changed("pupil@pve"), "200", "200"),
    "jump": (lambda lab: lab.faults.clock_jump(), "200", "401"),
    "back": (lambda lab: lab.faults.clock_jump(-400), "200", "401"),
    "void": (lambda lab: lab.faults.tickets_void(), "200", "401"),
    "rights": (lambda lab: lab.faults.rights_removed("pupil@pve"), "403", "403"),
}


@pytest.mark.parametrize("name", LOGIN_FAULTS)
def test_what_happens_to_tokens_and_tickets(
    lab: Cluster, pupil: Api, anonymous: Api, clients: Clients, name: str
) -> None:
    form = {"username": "pupil@pve", "password": "pupil-pw"}
    ticket = anonymous.post("/access/ticket", **form).json()["data"]["ticket"]
    by_ticket = clients.make(lab, headers={"Cookie": f"PVEAuthCookie={ticket}"})
    cause, token_status, ticket_status = LOGIN_FAULTS[name]
    cause(lab)
    path = "/nodes/pve1/qemu/101/status/current"
    assert [outcome(api, path)[:3] for api in (pupil, by_ticket)] == [token_status, ticket_status]
    lab.faults.undo()
    assert [outcome(api, path)[:3] for api in (pupil, by_ticket)] == ["200", "200"]
    assert anonymous.post("/access/ticket", **form).status_code == 200


def test_csrf_tokens_are_refused_until_the_next_login(lab: Cluster, anonymous: Api, clients: Clients) -> None:
    def stop() -> int:
        login = anonymous.post("/access/ticket", username="boss@pve", password="boss-pw").json()["data"]
        headers = {"Cookie": f"PVEAuthCookie={login['ticket']}", "CSRFPreventionToken": login["CSRFPreventionToken"]}
        api = clients.make(lab, headers=headers)
        before(lab)
        return api.post("/nodes/pve1/qemu/102/status/stop").status_code

    before: Callable[[Cluster], None] = lambda lab: lab.faults.csrf_refused()  # noqa: E731
    assert stop() == 401
    before = lambda lab: None  # noqa: E731
    assert stop() == 200


def test_a_second_factor_from_one_day_to_the_next(lab: Cluster, anonymous: Api) -> None:
    lab.faults.second_factor_required("boss@pve")
    login = anonymous.post("/access/ticket", username="boss@pve", password="boss-pw").json()["data"]
    assert login["NeedTFA"] == 1


def test_rights_which_go_between_the_list_and_the_action(lab: Cluster, pupil: Api) -> None:
    lab.faults.rights_removed("pupil@pve", after=RESOURCES)
    assert pupil.row(101)["name"] == "web"
    assert pupil.post("/nodes/pve1/qemu/101/status/stop").status_code == 403


# --- certificates ---

CERTIFICATE_FAULTS: dict[str, Callable[[Cluster], None]] = {
    "expired": lambda lab: lab.faults.certificate_expired(),
    "name": lambda lab: lab.faults.certificate_for_another_name(),
    "authority": lambda lab: lab.faults.certificate_of_another_authority(),
    "old": lambda lab: lab.faults.tls_too_old(),
    "identity": lambda lab: lab.faults.identity_changed(),
}


@pytest.mark.parametrize("name", CERTIFICATE_FAULTS)
def test_a_careful_client_does_not_connect(lab: Cluster, boss: Api, clients: Clients, name: str) -> None:
    context = ssl.create_default_context(cadata=lab.ca_pem)
    careful = clients.make(lab, "pve1", {"Authorization": boss.header})
    CERTIFICATE_FAULTS[name](lab)
    with pytest.raises(ssl.SSLError), ssl_connection(lab, context):
        pass
    lab.faults.undo()
    assert outcome(careful) == "200 OK"


def ssl_connection(lab: Cluster, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(
        socket.create_connection((lab.host, lab.port), timeout=TIMEOUT), server_hostname=lab.host
    )


def test_a_renewed_certificate_has_another_fingerprint(lab: Cluster, boss: Api, clients: Clients) -> None:
    before = lab.fingerprint("pve1")
    lab.faults.certificate_renewed()
    assert lab.fingerprint("pve1") != before
    assert outcome(fresh(lab, clients, boss, "pve1")) == "200 OK"


def test_another_cluster_at_the_same_address(lab: Cluster, boss: Api, clients: Clients) -> None:
    lab.faults.identity_changed("lab-z")
    assert fresh(lab, clients, boss, "pve1").data("/cluster/status")[0]["name"] == "lab-z"
    lab.faults.undo()
    assert fresh(lab, clients, boss, "pve1").data("/cluster/status")[0]["name"] == "lab-a"


def test_another_node_at_the_same_address(sim: Simulator, clients: Clients) -> None:
    solo = sim.add_cluster("solo", nodes=("solo",), standalone=True, statd_interval=0.0)
    solo.add_user("boss@pve", "boss-pw", acl={"/": "Administrator"})
    solo.add_guest(101)
    token = solo.add_token("boss@pve", "all", privsep=False)
    solo.faults.identity_changed("other")
    api = clients.make(solo, headers=token.headers)
    assert [row["name"] for row in api.data("/cluster/status")] == ["other"]
    assert api.status(101, "other")["status"] == "stopped"


# --- tasks ---


def run(boss: Api, clock: ManualClock, seconds: float = 3) -> str:
    upid = boss.start(START)
    clock.advance(seconds)
    return upid


def test_tasks_which_never_end(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.tasks_never_end("qmstart")
    upid = run(boss, clock, 90_000)
    assert boss.task(upid)["status"] == "running"
    assert boss.call("DELETE", f"/nodes/pve1/tasks/{upid}").ok
    assert boss.task(upid)["exitstatus"] == "unexpected status"
    lab.faults.undo()
    assert boss.task(run(boss, clock))["exitstatus"] == "OK"


def test_tasks_which_vanish(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.tasks_vanish()
    answer = boss.get(f"/nodes/pve1/tasks/{run(boss, clock)}/status")
    assert (answer.status_code, answer.json()["errors"]) == (400, {"upid": "no such task"})
    assert lab.guest(102).is_up


def test_tasks_with_warnings(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.tasks_warn(warnings=2)
    upid = run(boss, clock)
    assert boss.task(upid)["exitstatus"] == "WARNINGS: 2"
    log = boss.data(f"/nodes/pve1/tasks/{upid}/log")
    assert log[-1]["t"] == "TASK WARNINGS: 2"
    assert boss.data("/nodes/pve1/tasks", errors=1) == []
    assert len(boss.data("/nodes/pve1/tasks", statusfilter="warning")) == 1


def test_tasks_which_fail_and_crash(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.tasks_fail(text="no luck")
    assert boss.task(run(boss, clock))["exitstatus"] == "no luck"
    lab.faults.undo()
    lab.faults.tasks_crash("qmstart")
    assert boss.task(run(boss, clock))["exitstatus"] == "unexpected status"
    assert not lab.guest(102).is_up


def test_tasks_with_long_logs(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.tasks_talk()
    upid = run(boss, clock)
    answer = boss.get(f"/nodes/pve1/tasks/{upid}/log", start=99_990, limit=20).json()
    assert (answer["total"], len(answer["data"])) == (100_001, 11)
    assert len(boss.get(f"/nodes/pve1/tasks/{upid}/log", limit=0).json()["data"]) == 100_001


def test_a_node_which_dies_in_the_middle(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.node_dies_in_task("qmstart")
    boss.url = lab.urls["pve2"]
    upid = run(boss, clock)
    assert boss.get(f"/nodes/pve1/tasks/{upid}/status").status_code == 595
    lab.faults.undo()
    assert boss.task(upid)["exitstatus"] == "unexpected status"
    assert not lab.guest(102).is_up


# --- guests ---


def test_a_guest_which_moves_between_the_list_and_the_action(lab: Cluster, boss: Api) -> None:
    lab.faults.guest_moved(102, after=RESOURCES)
    node = boss.row(102)["node"]
    assert "does not exist" in boss.post(f"/nodes/{node}/qemu/102/status/start").reason
    assert boss.row(102)["node"] == "pve2"
    lab.faults.undo()
    assert boss.row(102)["node"] == "pve1"


def test_a_number_which_somebody_else_gets(lab: Cluster, boss: Api, pupil: Api) -> None:
    lab.faults.vmid_reused(101, name="foreign", pool="others")
    assert (boss.row(101)["name"], boss.row(101)["pool"]) == ("foreign", "others")
    assert pupil.get("/nodes/pve1/qemu/101/status/current").status_code == 403
    lab.faults.undo()
    assert boss.row(101)["name"] == "web"


def test_a_guest_which_is_gone_or_locked(lab: Cluster, boss: Api) -> None:
    lab.faults.guest_removed(102)
    assert boss.post(START).status_code == 500
    lab.faults.undo()
    lab.faults.guest_locked(102)
    assert boss.row(102)["lock"] == "backup"


def test_waiting_for_nothing_costs_nothing(lab: Cluster, boss: Api) -> None:
    """The positive control of the time limits above."""
    assert "200 OK" in {outcome(boss, timeout=0.3) for _ in range(20)}
