"""Which action fits which situation, and the sentence that says why not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab
from vms import operations
from vms.access import rules
from vms.models import Operation, Snapshot, VirtualMachine

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
        ("waking up", {"stop"}),
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


@pytest.mark.parametrize("action", sorted(ALL - {"resume"}))
def test_nobody_in_particular_may_do_everything(action: str):
    now = situation(status="stopped" if action == "start" else "running")
    assert rules.why_not(replace(now, snapshot="baseline"), action) is None


def test_the_second_name_of_ones_own_is_ones_own_and_none_is_nobodys():
    for name in "", "my-save-point-2":
        assert rules.why_not(replace(situation(status="stopped"), keeps=False, snapshot=name), "snapshot") is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"gone_at": timezone.now()}, "does not have this machine"),
        ({"silent_since": timezone.now()}, "node does not answer"),
        ({"status": "stopped"}, "is stopped, not running"),
        ({"status": "paused"}, "is paused, not running"),
        ({"active": False}, "switched off"),
        ({"ok": False}, "does not answer"),
    ],
)
def test_a_console_needs_a_machine_that_runs(facts: dict[str, Any], words: str):
    assert words in (rules.why_not(situation(**{"status": "running"} | facts), "console") or "")


@pytest.mark.parametrize("facts", [{}, {"busy": "reboot"}, {"lock": "backup"}, {"lock": "suspended"}, {"kind": "lxc"}])
def test_nothing_else_keeps_a_console_away(facts: dict[str, Any]):
    assert rules.why_not(situation(status="running", **facts), "console") is None


def test_where_no_process_has_consoles_they_are_not_offered_and_all_else_is(settings: Any):
    settings.CONSOLES_PER_PROCESS = 0
    now = situation(status="running")
    assert "no screens in the browser" in (rules.why_not(now, "console") or "")
    assert rules.why_not(now, "reboot") is None


@pytest.mark.parametrize(("granted", "in_place", "words"), [(False, True, "granted it"), (True, False, "its pool")])
def test_clusters_and_pools_that_are_not_granted_are_refused(granted: bool, in_place: bool, words: str):
    now = replace(situation(status="stopped"), is_granted=granted, is_in_place=in_place)
    assert words in (rules.why_not(now, "start") or "")


def test_what_sleeps_is_started_and_nothing_else():
    now = situation(status="stopped", lock="suspended")
    assert allowed(now) == {"start"}
    assert "The machine sleeps" in (rules.why_not(now, "snapshot") or "")


@pytest.mark.parametrize(
    "facts",
    [{"ok": False}, {"silent_since": timezone.now()}, {"busy": "reboot"}, {"lock": "backup"}, {"status": "running"}],
)
def test_what_is_of_the_moment_is_not_asked_when_it_is_sent(facts: dict[str, Any]):
    now = situation(**{"status": "stopped"} | facts)
    assert rules.why_not(now, "start")
    assert rules.why_not_send(now, "start") is None


@pytest.mark.parametrize(
    "facts", [{"active": False}, {"template": True}, {"gone_at": timezone.now()}, {"missing_since": timezone.now()}]
)
def test_what_lasts_is_asked_when_it_is_sent_too(facts: dict[str, Any]):
    assert rules.why_not_send(situation(status="stopped", **facts), "start")


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("late", "version", "facts", "ok"),
    [
        (MINUTE, "9.1.4", {}, False),
        (MINUTE + timedelta(microseconds=1), "9.1.4", {}, True),
        (2 * MINUTE, "8.2", {}, True),
        (2 * MINUTE, "8.10.1", {}, True),
        (2 * MINUTE, "8.1.9", {}, False),
        (2 * MINUTE, "10.0", {}, True),
        (2 * MINUTE, "7.4", {}, False),
        (2 * MINUTE, "", {}, False),
        (2 * MINUTE, "9.1.4", {"ha_state": "started"}, False),
    ],
)
def test_a_shutdown_is_cut_short_after_a_minute(
    monkeypatch: pytest.MonkeyPatch, late: timedelta, version: str, facts: dict[str, Any], ok: bool
):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(rules, "timezone", SimpleNamespace(now=lambda: now))
    machine = VirtualMachine(vmid=101, cluster=Cluster(cluster_id="building-a", is_active=True), **facts)
    sent = Operation(action="shutdown", state=Operation.State.RUNNING, sent_at=now - late)
    shutting_down = rules.Situation(machine, ClusterHealth(ok=True, version=version), sent)
    assert rules.may_be_cut_short(shutting_down) is ok
    free = {action for action in (*ALL, "console") if rules.nothing_under_way(shutting_down, action) is None}
    assert free == ({"stop", "console"} if ok else {"console"})
    for other in (
        None,
        Operation(action="shutdown", state=Operation.State.RUNNING),
        *(
            Operation(action="shutdown", state=state, sent_at=now - late)
            for state in Operation.State
            if state != Operation.State.RUNNING
        ),
        Operation(action="reboot", state=Operation.State.RUNNING, sent_at=now - late),
    ):
        assert not rules.may_be_cut_short(rules.Situation(machine, ClusterHealth(ok=True, version=version), other))


def test_there_are_two_save_points_in_turn_and_the_oldest_is_first():
    assert [rules.other_save_point(name) for name in rules.SAVE_POINTS] == ["my-save-point-2", "my-save-point"]
    assert [rules.label_of(name) for name in (*rules.SAVE_POINTS, "baseline")] == ["my-save-point"] * 2 + ["baseline"]
    day = datetime(2026, 1, 1, tzinfo=UTC)
    new, old, unknown, other = (
        Snapshot(pk=pk, name=name, taken_at=taken)
        for pk, name, taken in [
            (1, "my-save-point", day + MINUTE),
            (2, "my-save-point-2", day),
            (3, "my-save-point", None),
            (4, "baseline", day),
        ]
    )
    assert rules.save_points([new, other, old]) == [old, new]
    assert rules.save_points([new, unknown]) == [unknown, new]


@pytest.mark.django_db
@pytest.mark.parametrize("is_restricted", [False, True])
@pytest.mark.parametrize("who", ["ana", "ben", "auditor", "lab_admin"])
def test_many_machines_are_looked_at_as_one_is(
    building_a: Lab, request: pytest.FixtureRequest, ana: User, who: str, is_restricted: bool
):
    building_a.give(101, ana)
    person = request.getfixturevalue(who)
    Cluster.objects.update(is_restricted=is_restricted)
    machines = list(
        VirtualMachine.objects.select_related("cluster__health").filter(vmid__in=(101, 102)).order_by("vmid")
    )
    many = rules.situations(machines, person=person, snapshot="baseline")
    for machine in machines:
        assert many[machine.pk] == rules.situation(machine, person=person, snapshot="baseline")
    first, runs_all = many[machines[0].pk], who == "lab_admin"
    assert (first.snapshot, first.is_in_place) == ("baseline", True)
    assert first.is_granted is (runs_all or not is_restricted)
    assert first.may_operate is (runs_all or (who == "ana" and not is_restricted))
    assert first.keeps is runs_all


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
