"""Which action fits which state of a machine, and the sentence that says why not."""

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
from vms.access import machine_rules, restore_points, rule_names, rules
from vms.access.context import ActionContext, context_for, contexts_for
from vms.models import Operation, Snapshot, VirtualMachine

POWER = {"start", "shutdown", "stop", "reboot", "reset", "suspend", "resume"}
SAVED = {"snapshot", "rollback", "delete-snapshot"}
ALL = POWER | SAVED


def context_of(*, active: bool = True, ok: bool | None = True, busy: str = "", **facts: object) -> ActionContext:
    machine = VirtualMachine(vmid=101, cluster=Cluster(cluster_id="building-a", is_active=active), **facts)
    health = None if ok is None else ClusterHealth(ok=ok)
    return ActionContext(machine, health, Operation(action=busy) if busy else None)


def allowed(context: ActionContext) -> set[str]:
    return {action for action in ALL if rules.refusal(context, action) is None}


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        ("stopped", {"start"}),
        ("running", {"shutdown", "stop", "reboot", "reset", "suspend"}),
        ("paused", {"stop", "resume"}),
        ("suspended", {"stop", "resume"}),
        ("guest-panicked", {"stop", "reset"}),
        ("unknown", set()),
        ("something new", {"stop"}),
        ("waking up", {"stop"}),
    ],
)
def test_what_may_be_done_follows_the_status(status: str, actions: set[str]):
    assert allowed(context_of(status=status)) & POWER == actions


@pytest.mark.parametrize(("status", "actions"), [("stopped", SAVED), ("running", SAVED), ("unknown", set())])
def test_snapshots_need_a_known_status(status: str, actions: set[str]):
    assert allowed(context_of(status=status)) & SAVED == actions


@pytest.mark.parametrize("action", sorted(ALL))
def test_an_unknown_status_is_called_so(action: str):
    assert "is unknown. Wait until its node responds" in str(rules.refusal(context_of(status="unknown"), action))


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_container_is_neither_reset_nor_paused(status: str):
    assert not allowed(context_of(status=status, kind="lxc")) & {"reset", "suspend", "resume"}


@pytest.mark.parametrize("status", ["stopped", "running"])
@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ({"active": False}, "deactivated"),
        ({"ok": False}, "is not responding"),
        ({"ok": None}, "is not responding"),
        ({"missing_since": timezone.now()}, "no longer lists this machine"),
        ({"template": True}, "a template"),
        ({"busy": "reboot"}, "“Reboot” is in progress"),
        ({"lock": "backup"}, "being backed up"),
        ({"lock": "odd"}, "busy (odd)"),
    ],
)
def test_an_obstacle_forbids_everything_and_says_so(status: str, obstacle: dict[str, object], words: str):
    context = context_of(status=status, **obstacle)
    assert allowed(context) == set()
    assert words in rules.refusal(context, "stop")


def test_the_reason_that_matters_most_is_told():
    context = context_of(active=False, ok=False, status="running", lock="backup", missing_since=timezone.now())
    assert "deactivated" in rules.refusal(context, "start")


def test_a_rule_can_be_added(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, lambda context, action: "Not on Sundays."])
    assert rules.refusal(context_of(status="stopped"), "start") == "Not on Sundays."


def test_a_rule_can_be_registered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES])

    @rules.register
    def it_is_no_sunday(context: ActionContext, action: str) -> str | None:
        return "Not on Sundays."

    assert rules.decisions(context_of(status="stopped"), "start")[-1] == ("it is no sunday", False, "Not on Sundays.")


def test_every_rule_tells_its_result_in_order():
    said = rules.decisions(context_of(status="stopped", lock="backup"), "start")
    assert [decision.rule for decision in said] == [rule_names.label(rule) for rule in rules.RULES]
    assert [one.rule for one in said if not one.is_allowed] == ["Nothing on the cluster locks the machine"]


def test_no_rule_is_named_by_its_function():
    """What people read is a sentence: it begins with a capital letter."""
    assert [rule.__name__ for rule in rules.RULES if not rule_names.label(rule)[0].isupper()] == []


@pytest.mark.parametrize("action", sorted(ALL))
def test_who_may_not_operate_is_refused_before_anything_else(action: str):
    context = replace(context_of(active=False, status="running"), may_operate=False)
    assert "have access to this machine" in (rules.refusal(context, action) or "")


@pytest.mark.parametrize(
    ("action", "name", "manages", "refused"),
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
def test_other_snapshots_than_ones_own_are_for_who_manages_the_machine(
    action: str, name: str, manages: bool, refused: bool
):
    context = replace(context_of(status="stopped"), manages=manages, snapshot=name)
    assert bool(rules.refusal(context, action)) is refused


@pytest.mark.parametrize("action", sorted(ALL - {"resume"}))
def test_nobody_in_particular_may_do_everything(action: str):
    context = context_of(status="stopped" if action == "start" else "running")
    assert rules.refusal(replace(context, snapshot="baseline"), action) is None


def test_the_second_name_of_ones_own_is_ones_own_and_none_is_nobodys():
    for name in "", "my-save-point-2":
        assert rules.refusal(replace(context_of(status="stopped"), manages=False, snapshot=name), "snapshot") is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"gone_at": timezone.now()}, "no longer exists on the cluster"),
        ({"silent_since": timezone.now()}, "node is not responding"),
        ({"status": "stopped"}, "is stopped, not running"),
        ({"status": "unknown"}, "state of the machine is unknown"),
        ({"active": False}, "deactivated"),
        ({"ok": False}, "is not responding"),
    ],
)
def test_a_console_needs_a_machine_that_runs(facts: dict[str, Any], words: str):
    assert words in (rules.refusal(context_of(**{"status": "running"} | facts), "console") or "")


@pytest.mark.parametrize("facts", [{}, {"busy": "reboot"}, {"lock": "backup"}, {"lock": "suspended"}, {"kind": "lxc"}])
def test_nothing_else_keeps_a_console_away(facts: dict[str, Any]):
    assert rules.refusal(context_of(status="running", **facts), "console") is None


def test_where_no_process_has_consoles_they_are_not_offered_and_all_else_is(settings: Any):
    settings.CONSOLES_PER_PROCESS = 0
    context = context_of(status="running")
    assert "no consoles in the browser" in (rules.refusal(context, "console") or "")
    assert rules.refusal(context, "reboot") is None


def test_a_cluster_that_is_not_granted_is_refused():
    context = replace(context_of(status="stopped"), is_granted=False)
    assert "with a grant" in (rules.refusal(context, "start") or "")


def test_what_sleeps_is_started_and_nothing_else():
    context = context_of(status="stopped", lock="suspended")
    assert allowed(context) == {"start"}
    assert "The machine is asleep" in (rules.refusal(context, "snapshot") or "")


@pytest.mark.parametrize(
    "facts",
    [{"ok": False}, {"silent_since": timezone.now()}, {"busy": "reboot"}, {"lock": "backup"}, {"status": "running"}],
)
def test_what_is_of_the_moment_is_not_asked_when_it_is_sent(facts: dict[str, Any]):
    context = context_of(**{"status": "stopped"} | facts)
    assert rules.refusal(context, "start")
    assert rules.refusal_when_sent(context, "start") is None


@pytest.mark.parametrize(
    "facts", [{"active": False}, {"template": True}, {"gone_at": timezone.now()}, {"missing_since": timezone.now()}]
)
def test_what_lasts_is_asked_when_it_is_sent_too(facts: dict[str, Any]):
    assert rules.refusal_when_sent(context_of(status="stopped", **facts), "start")


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
    monkeypatch.setattr(machine_rules, "timezone", SimpleNamespace(now=lambda: now))
    machine = VirtualMachine(vmid=101, cluster=Cluster(cluster_id="building-a", is_active=True), **facts)
    sent = Operation(action="shutdown", state=Operation.State.RUNNING, sent_at=now - late)
    shutting_down = ActionContext(machine, ClusterHealth(ok=True, version=version), sent)
    assert machine_rules.may_overrule_shutdown(shutting_down) is ok
    free = {action for action in (*ALL, "console") if machine_rules.nothing_under_way(shutting_down, action) is None}
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
        assert not machine_rules.may_overrule_shutdown(
            ActionContext(machine, ClusterHealth(ok=True, version=version), other)
        )


def test_there_are_two_restore_points_in_turn_and_the_oldest_is_first():
    assert [restore_points.other_name(name) for name in restore_points.NAMES] == ["my-save-point-2", "my-save-point"]
    labels = [restore_points.label(name) for name in (*restore_points.NAMES, "baseline")]
    assert labels == ["my-save-point", "my-save-point", "baseline"]
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
    assert restore_points.restore_points([new, other, old]) == [old, new]
    assert restore_points.restore_points([new, unknown]) == [unknown, new]


@pytest.mark.django_db
@pytest.mark.parametrize("is_restricted", [False, True])
@pytest.mark.parametrize("who", ["ana", "ben", "auditor", "lab_admin"])
def test_many_machines_are_looked_at_as_one_is(
    building_a: Lab, request: pytest.FixtureRequest, ana: User, who: str, is_restricted: bool
):
    building_a.assign(101, ana)
    person = request.getfixturevalue(who)
    Cluster.objects.update(is_restricted=is_restricted)
    machines = list(
        VirtualMachine.objects.select_related("cluster__health").filter(vmid__in=(101, 102)).order_by("vmid")
    )
    many = contexts_for(machines, person=person, snapshot="baseline")
    for machine in machines:
        assert many[machine.pk] == context_for(machine, person=person, snapshot="baseline")
    first, runs_all = many[machines[0].pk], who == "lab_admin"
    assert (first.snapshot, first.pool_is_granted) == ("baseline", True)
    assert first.is_granted is (runs_all or not is_restricted)
    assert first.may_operate is (runs_all or (who == "ana" and not is_restricted))
    assert first.manages is runs_all


PEOPLE = [("ana", True), ("ben", False), ("auditor", False), ("lab_admin", True)]


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "ok"), PEOPLE)
def test_it_is_explained_for_a_person(building_a: Lab, request: pytest.FixtureRequest, ana: User, who: str, ok: bool):
    machine = building_a.assign(101, ana)
    said = rules.explain(request.getfixturevalue(who), machine, "start")
    assert said[0][:2] == ("The person may use this machine", ok)
    assert all(decision.is_allowed for decision in said[1:])


@pytest.mark.django_db
def test_a_request_of_somebody_else_is_refused(building_a: Lab, ana: User, ben: User):
    with pytest.raises(operations.Refused, match="have access"):
        operations.request(building_a.assign(101, ana), "start", by=ben)
