"""Which action fits which situation, and the sentence that says why not."""

from dataclasses import replace

import pytest
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab
from vms import operations, rules
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


@pytest.mark.parametrize("action", sorted(ALL))
def test_an_unknown_status_is_called_so(action: str):
    assert "is unknown. Wait until its node answers" in str(rules.why_not(situation(status="unknown"), action))


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


def test_a_rule_can_be_registered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES])

    @rules.register
    def it_is_no_sunday(now: rules.Situation, action: str) -> str | None:
        return "Not on Sundays."

    assert rules.verdicts(situation(status="stopped"), "start")[-1] == ("it is no sunday", False, "Not on Sundays.")


def test_every_rule_tells_its_result_in_order():
    said = rules.verdicts(situation(status="stopped", lock="backup"), "start")
    assert [verdict.rule for verdict in said] == [rule.__name__.replace("_", " ") for rule in rules.RULES]
    assert [verdict.rule for verdict in said if not verdict.ok] == ["machine is not locked"]


@pytest.mark.parametrize("action", sorted(ALL))
def test_who_may_not_operate_is_refused_before_anything_else(action: str):
    now = replace(situation(active=False, status="running"), may_operate=False)
    assert "not assigned to this account" in (rules.why_not(now, action) or "")


@pytest.mark.parametrize(
    ("action", "name", "keeps", "refused"),
    [
        ("snapshot", "my-save-point", False, False),
        ("delete-snapshot", "my-save-point", False, False),
        ("rollback", "baseline", False, False),
        ("snapshot", "baseline", False, True),
        ("delete-snapshot", "baseline", False, True),
        ("snapshot", "baseline", True, False),
        ("delete-snapshot", "baseline", True, False),
    ],
)
def test_other_snapshots_than_ones_own_are_for_who_keeps_the_machine(
    action: str, name: str, keeps: bool, refused: bool
):
    now = replace(situation(status="stopped"), keeps=keeps, snapshot=name)
    assert bool(rules.why_not(now, action)) is refused


PEOPLE = [("ana", True), ("ben", False), ("auditor", False), ("lab_admin", True)]


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "ok"), PEOPLE)
def test_it_is_explained_for_a_person(building_a: Lab, request: pytest.FixtureRequest, ana: User, who: str, ok: bool):
    machine = building_a.give(101, ana)
    said = rules.explain(request.getfixturevalue(who), machine, "start")
    assert said[0][:2] == ("person may operate", ok)
    assert all(verdict.ok for verdict in said[1:])


@pytest.mark.django_db
def test_a_request_of_somebody_else_is_refused(building_a: Lab, ana: User, ben: User):
    with pytest.raises(operations.Refused, match="not assigned"):
        operations.request(building_a.give(101, ana), "start", by=ben)
