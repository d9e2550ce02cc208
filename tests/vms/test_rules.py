"""Which action fits which situation, and the sentence that says why not."""

import pytest
from django.utils import timezone

from clusters.models import Cluster, ClusterHealth
from vms import rules
from vms.models import Operation, VirtualMachine

POWER = {"start", "shutdown", "stop", "reboot", "reset", "suspend", "resume"}
SAVED = {"snapshot", "rollback", "delete-snapshot"}
ALL = POWER | SAVED


def situation(*, active: bool = True, ok: bool | None = True, busy: str = "", **facts: object) -> rules.Situation:
    machine = VirtualMachine(vmid=101, cluster=Cluster(cluster_id="building-a", is_active=active), **facts)
    health = None if ok is None else ClusterHealth(ok=ok)
    return rules.Situation(machine, health, Operation(action=busy) if busy else None)


def allowed(now: rules.Situation) -> set[str]:
    return {action for action in ALL if rules.why_not(now, action) is None}


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        ("stopped", {"start"}),
        ("running", {"shutdown", "stop", "reboot", "reset", "suspend"}),
        ("paused", {"stop", "resume"}),
        ("suspended", {"stop"}),
        ("unknown", set()),
        ("something new", {"stop"}),
    ],
)
def test_what_may_be_done_follows_the_status(status: str, actions: set[str]):
    assert allowed(situation(status=status)) & POWER == actions


@pytest.mark.parametrize(("status", "actions"), [("stopped", SAVED), ("running", SAVED), ("unknown", set())])
def test_snapshots_need_a_known_status(status: str, actions: set[str]):
    assert allowed(situation(status=status)) & SAVED == actions


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_container_is_neither_reset_nor_paused(status: str):
    assert not allowed(situation(status=status, kind="lxc")) & {"reset", "suspend", "resume"}


@pytest.mark.parametrize("status", ["stopped", "running"])
@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ({"active": False}, "switched off"),
        ({"ok": False}, "does not answer"),
        ({"ok": None}, "does not answer"),
        ({"missing_since": timezone.now()}, "does not list this machine"),
        ({"template": True}, "a template"),
        ({"busy": "reboot"}, "“Reboot” is under way"),
        ({"lock": "backup"}, "being backed up"),
        ({"lock": "odd"}, "busy (odd)"),
    ],
)
def test_an_obstacle_forbids_everything_and_says_so(status: str, obstacle: dict[str, object], words: str):
    now = situation(status=status, **obstacle)
    assert allowed(now) == set()
    assert words in rules.why_not(now, "stop")


def test_the_reason_that_matters_most_is_told():
    now = situation(active=False, ok=False, status="running", lock="backup", missing_since=timezone.now())
    assert "switched off" in rules.why_not(now, "start")


def test_a_rule_can_be_added(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, lambda now, action: "Not on Sundays."])
    assert rules.why_not(situation(status="stopped"), "start") == "Not on Sundays."
