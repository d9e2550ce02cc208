"""Idle machines on a simulated cluster get a notice and are stopped. Use keeps them on, and so does what is missing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

import pvesim
from accounts.models import User
from classes.enrolment import class_machines
from classes.models import IdleEvidence, LabClass, LessonMode, MachineHold, RunningRules, StopNotice
from classes.timetable import gathering, notices, standing, stopping
from clusters import proxmox
from clusters.models import ClusterHealth
from tests.classes.conftest import lab_class, logged_in
from tests.classes.timetable.conftest import NOW, make_lesson
from tests.labs import Lab, add_cluster, queries, run_operations, simulated
from vms.console import input_times
from vms.models import Automation, ClusterSync, Operation, VirtualMachine
from vms.pages.spice import _record

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
BOOT = NOW - timedelta(minutes=50)
QUIET, BUSY = pvesim.QUIET, pvesim.Load(0.4, 300.0, 200.0)
LOADED = pvesim.Load(0.004, 40_000.0, 9_000.0)


@pytest.fixture(scope="module")
def own_sim() -> Iterator[pvesim.Simulator]:
    with pvesim.Simulator(clock=pvesim.ManualClock(BOOT.timestamp()), seed=1) as simulator:
        yield simulator


@dataclass
class Rig:
    """tess's class stops machines that are idle for 30 minutes. 101 is ana's; it has been quiet for 50."""

    now: datetime
    lab: Lab = field(init=False)
    lab_class: LabClass = field(init=False)

    @property
    def guest(self) -> pvesim.Guest:
        return self.lab.pve.guest(101)

    @property
    def machine(self) -> VirtualMachine:
        return self.lab.machine(101)

    @property
    def evidence(self) -> IdleEvidence:
        return IdleEvidence.objects.get(vm__vmid=101)

    def behaves(self, load: pvesim.Load, *, since: timedelta = timedelta()) -> None:
        steps = [*self.guest.figures.steps, ((self.now - since).timestamp(), load)]
        self.guest.figures = pvesim.Figures(steps, self.guest.figures.gaps)

    def passes(self, time: timedelta) -> None:
        """On the portal's and on the cluster's clock. The portal goes on to sync."""
        self.now += time
        self.lab.clock.advance(time.total_seconds())
        ClusterSync.objects.update(synced_at=self.now)

    def looks(self, count: int = 1, *, every: float = 20) -> int:
        """The worker looks so often. Returns how many stops it requested."""
        stops = 0
        for _look in range(count):
            self.passes(timedelta(seconds=every))
            gathering.enqueue_due()
            stops += stopping.look()
        return stops

    def asked_agent(self) -> int:
        return self.lab.pve.count(path_regex="/agent/get-users$")

    def asked_figures(self) -> int:
        return self.lab.pve.count(path_regex="/rrddata")


@pytest.fixture
def rig(own_sim: pvesim.Simulator, tess: User, ana: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    clock = own_sim.clock
    assert isinstance(clock, pvesim.ManualClock)
    begin = datetime.fromtimestamp(clock.now(), UTC)
    rig = Rig(now=begin)
    monkeypatch.setattr(timezone, "now", lambda: rig.now)
    monkeypatch.setattr(gathering.gather_idle_evidence.__class__, "enqueue", lambda self, *args: self.func(*args))
    pve = simulated(own_sim)
    pve.add_guest(101, name="net-01", status="running", agent="alive")
    pve.guest(101).figures = pvesim.Figures([(0.0, QUIET)])
    row = add_cluster(pve, "building-a")
    rig.lab = Lab(pve, row, clock)
    ClusterSync.objects.update_or_create(cluster=row)
    VirtualMachine.objects.create(cluster=row, vmid=101, name="net-01", node="pve1", status="running", booted_at=begin)
    rig.passes(50 * MINUTE)
    ClusterHealth.succeeded("building-a", at=rig.now)
    rig.lab_class = lab_class(tess, rig.lab, 101)
    rig.lab.assign(101, ana)
    RunningRules.objects.create(lab_class=rig.lab_class, idle_minutes=30)
    yield rig
    own_sim.remove_cluster(pve.name)


@pytest.fixture
def noticed(rig: Rig) -> Rig:
    """A notice has been shown for nine minutes and a half."""
    rig.looks()
    StopNotice.objects.update(shown_seconds=570, reminded_seconds=285)
    IdleEvidence.objects.update(users_at=rig.now - 10 * MINUTE)
    return rig


def outcome() -> str:
    return str(StopNotice.objects.get().outcome)


def test_an_idle_machine_is_shut_down_after_the_full_notice(rig: Rig, ana: User):
    assert rig.looks(30) == 0
    assert rig.looks(4) == 1
    assert rig.now - StopNotice.objects.get().given_at >= 10 * MINUTE
    run_operations()
    rig.passes(MINUTE)
    assert rig.guest.status == "stopped"
    stop = Operation.objects.get()
    assert (stop.action, stop.origin) == ("shutdown", "timetable")
    assert rig.asked_agent() == 2  # before the notice and before the stop
    assert rig.asked_figures() <= 14  # one a minute


def test_the_notice_says_what_was_measured(rig: Rig, ana: User):
    rig.looks(2)
    [shown] = notices.shown_to(ana)
    assert "because nobody seems to use it" in shown.text
    assert "No input, CPU under 3 % and network under 5 kB/s for 48 minutes. Measured until" in shown.text
    assert "The guest agent listed nobody at" in shown.text
    rig.looks(4)
    assert notices.shown_to(ana)[0].text == shown.text  # it is read out once, and not every minute


def test_the_stop_keeps_its_evidence(noticed: Rig):
    assert noticed.looks(5) == 1
    idle = StopNotice.objects.get().evidence["idle"]
    assert (idle["minutes"], idle["cpu"], idle["network"], idle["users"]) == (30, 0.004, 500, "nobody-listed")
    assert (idle["cpu_limit"], idle["network_limit"]) == (0.03, 5000)
    measured, since = (datetime.fromisoformat(idle[name]) for name in ("measured_at", "quiet_since"))
    assert measured - since >= 30 * MINUTE
    assert noticed.now - measured <= 5 * MINUTE


# What keeps it on


def uses_console(rig: Rig) -> None:
    input_times.write(rig.machine.pk)


def loads_processor(rig: Rig) -> None:
    rig.behaves(BUSY, since=5 * MINUTE)


def loads_network(rig: Rig) -> None:
    rig.behaves(LOADED, since=5 * MINUTE)


def is_logged_in(rig: Rig) -> None:
    rig.guest.users = ("ana",)


def loses_agent(rig: Rig) -> None:
    rig.guest.agent = "dead"


def agent_errs(rig: Rig) -> None:
    rig.guest.agent_error = "Command guest-get-users has been disabled"


def loses_figures(rig: Rig) -> None:
    since = (rig.now - 10 * MINUTE).timestamp()
    rig.guest.figures = pvesim.Figures(rig.guest.figures.steps, [(since, since + 3600)])


def refuses_figures(rig: Rig) -> None:
    rig.lab.pve.faults.reply("rrddata", status=403, reason="Permission check failed (/vms/101, VM.Audit)")


def has_lesson(rig: Rig) -> None:
    begins, ends = rig.now - MINUTE, rig.now + 60 * MINUTE
    make_lesson(
        rig.lab_class, begins.date(), begins.date(), begins=begins.time(), ends=ends.time(), mode=LessonMode.START
    )


def is_kept(rig: Rig) -> None:
    MachineHold.objects.create(vm=rig.machine, kind=MachineHold.Kind.KEEP, until=rig.now + 60 * MINUTE)


def is_left_alone(rig: Rig) -> None:
    MachineHold.objects.create(vm=rig.machine, kind=MachineHold.Kind.DO_NOT_STOP, until=rig.now + 60 * MINUTE)


def rule_is_off(rig: Rig) -> None:
    RunningRules.objects.update(idle_minutes=None)


def is_restored(rig: Rig) -> None:
    Automation.objects.update_or_create(pk=1, defaults={"confirmed_at": rig.now})


def was_just_started(rig: Rig) -> None:
    VirtualMachine.objects.filter(pk=rig.machine.pk).update(booted_at=rig.now - 20 * MINUTE)


def cluster_is_silent(rig: Rig) -> None:
    rig.lab.pve.faults.reply("rrddata", status=595, reason="No route to host")


def clock_jumps(rig: Rig) -> None:
    rig.now += 15 * MINUTE


Change = Callable[[Rig], None]


BEFORE_NOTICE = [
    uses_console, loads_processor, loads_network, is_logged_in, loses_agent, agent_errs, loses_figures, is_restored,
    was_just_started,
]  # fmt: skip


@pytest.mark.parametrize("change", BEFORE_NOTICE, ids=lambda one: one.__name__)
def test_it_gets_no_notice_when_it(change: Change, rig: Rig):
    change(rig)
    assert rig.looks(2) == 0
    assert not StopNotice.objects.exists()


IN_NOTICE = [
    uses_console, loads_processor, loads_network, is_logged_in, loses_agent, has_lesson, is_kept, is_left_alone,
    rule_is_off, is_restored, clock_jumps,
]  # fmt: skip


@pytest.mark.parametrize("change", IN_NOTICE, ids=lambda one: one.__name__)
def test_its_notice_ends_when_it(change: Change, noticed: Rig):
    change(noticed)
    assert noticed.looks(5) == 0
    assert outcome() in {"withdrawn", "kept"}
    assert not Operation.objects.exists()


@pytest.mark.parametrize("change", [cluster_is_silent, loses_figures, refuses_figures], ids=lambda one: one.__name__)
def test_without_figures_it_is_not_stopped(change: Change, rig: Rig):
    rig.looks(2)
    change(rig)
    assert rig.looks(3, every=50) == 0
    assert outcome() == "withdrawn"


def test_a_container_is_never_idle(rig: Rig):
    """It has no agent, so nobody knows who is logged in."""
    rig.lab.pve.add_guest(103, name="box", kind="lxc", status="running")
    rig.lab.pve.guest(103).figures = pvesim.Figures([(0.0, QUIET)])
    VirtualMachine.objects.filter(pk=rig.machine.pk).update(vmid=103, kind="lxc")
    rig.passes(40 * MINUTE)
    rig.looks(4)
    assert (IdleEvidence.objects.get().trouble, StopNotice.objects.count()) == ("agent", 0)
    assert rig.asked_agent() == 0


def test_a_spice_viewer_may_be_open(rig: Rig, settings: Any, ana: User):
    settings.SPICE_FILES = True
    _record(rig.machine, ana)
    rig.looks(3)
    assert not StopNotice.objects.exists()
    VirtualMachine.objects.update(booted_at=rig.now)  # which ended the viewer
    rig.passes(40 * MINUTE)
    rig.looks(3)
    assert StopNotice.objects.exists()


def test_keep_holds_against_it(noticed: Rig, ana: User):
    logged_in(ana).post(reverse("classes-keep", args=[noticed.machine.pk]))
    assert outcome() == "kept"
    assert noticed.looks(5) == 0
    noticed.passes(61 * MINUTE)
    noticed.looks(2)
    assert StopNotice.objects.count() == 2


def test_a_longer_time_than_the_cluster_tells_of(rig: Rig):
    RunningRules.objects.update(idle_minutes=100)
    rig.looks(2)
    for _reading in range(3):
        rig.passes(16 * MINUTE)
        rig.looks(2)
    assert not StopNotice.objects.exists()
    rig.passes(6 * MINUTE)
    rig.looks(2)
    assert StopNotice.objects.exists()
    assert rig.asked_figures() <= 8


# What it costs


def more_machines(rig: Rig, count: int) -> None:
    begin = rig.machine.booted_at
    for vmid in range(110, 110 + count):
        rig.lab.pve.add_guest(vmid, status="running", agent="alive")
        rig.lab.pve.guest(vmid).figures = pvesim.Figures([(0.0, QUIET)])
        VirtualMachine.objects.create(
            cluster=rig.lab.row, vmid=vmid, name=f"pc-{vmid}", node="pve1", status="running", booted_at=begin
        )  # fmt: skip
    class_machines.add(
        rig.lab_class, [rig.lab.machine(vmid).pk for vmid in range(110, 110 + count)], by=rig.lab_class.owner
    )


def test_a_look_asks_a_node_for_few_machines_and_any_number_costs_the_same_queries(rig: Rig):
    rig.looks()
    with queries() as few:
        stopping.watch(rig.now)
    more_machines(rig, 11)
    rig.passes(40 * MINUTE)
    rig.lab.pve.clear_requests()
    with queries() as asked:
        assert gathering.gather(rig.lab.config) == 1  # the others are new
    assert len(asked) <= 18 + 3
    rig.looks()
    assert (rig.asked_figures(), rig.asked_agent()) == (1 + 8, 1 + 4)
    rig.looks(2)
    assert rig.asked_figures() <= 1 + 3 * 8
    assert IdleEvidence.objects.exclude(read_at=None).count() == 12
    with queries() as more:
        stopping.watch(rig.now)
    assert len(few) == len(more) <= 9


def test_a_busy_machine_is_asked_for_seldom_and_its_agent_never(rig: Rig):
    rig.guest.figures = pvesim.Figures([(0.0, BUSY)])
    rig.looks(20, every=180)
    assert rig.asked_figures() <= 3
    assert rig.asked_agent() == 0


def test_an_agent_that_does_not_answer_is_asked_seldom(rig: Rig):
    rig.guest.agent = "off"
    rig.looks(9, every=180)
    assert rig.asked_agent() == 1


def test_in_a_lesson_nothing_is_asked(rig: Rig):
    has_lesson(rig)
    rig.looks(3)
    assert rig.asked_figures() == 0


def test_a_node_that_hangs_is_left_for_later(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    more_machines(rig, 3)
    VirtualMachine.objects.filter(vmid=112).update(node="pve2")
    rig.passes(40 * MINUTE)
    asked: list[int] = []

    def hang(_pve: Any, node: str, _kind: str, vmid: int) -> tuple[proxmox.LoadSample, ...]:
        asked.append(vmid)
        if node == "pve1":
            raise proxmox.TimedOut(sent=False)
        return ()

    monkeypatch.setattr(proxmox.Reader, "load", hang)
    rig.looks()
    assert (len(asked), 112 in asked) == (2, True)


def test_each_machine_is_asked_for_by_one_worker(rig: Rig):
    gathering.enqueue_due()
    assert rig.asked_figures() == 1
    rig.passes(2 * MINUTE)
    found = stopping.watch_these([rig.machine.pk], rig.now)
    [row] = found.rows
    as_well = stopping.watch_these([rig.machine.pk], rig.now)
    assert [gathering._claim(one, row) for one in (found, as_well)] == [True, False]


# What people read


def read(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def test_teachers_read_why(noticed: Rig, tess: User):
    noticed.looks(4)
    run_operations()
    page = read(logged_in(tess).get(reverse("vms-machine", args=[noticed.machine.pk])))
    assert "Nobody seems to use it. No input, CPU under 3 % and network under 5 kB/s for" in page
    assert "The guest agent listed nobody at" in page
    page = read(logged_in(tess).get(reverse("classes-hours", args=[noticed.lab_class.pk])))
    assert "Nobody seems to use it. No input" in page


def test_in_spanish(noticed: Rig, tess: User):
    noticed.looks(4)
    User.objects.filter(pk=tess.pk).update(language="es")
    page = read(logged_in(tess).get(reverse("classes-hours", args=[noticed.lab_class.pk])))
    assert "Parece que nadie la usa. Sin actividad" in page


STANDINGS = [
    (uses_console, "in use, or has not been quiet for long enough. Last input at a console:"),
    (is_logged_in, "Somebody is logged in on it."),
    (loses_agent, "whether it is idle is not known: no answer from the guest agent."),
    (has_lesson, "No: a lesson is running until"),
    (rule_is_off, "nothing is a reason to stop it now"),
]


@pytest.mark.parametrize(("change", "told"), STANDINGS, ids=lambda one: getattr(one, "__name__", ""))
def test_staff_read_whether_it_will_be_stopped(change: Change, told: str, rig: Rig, admin: User):
    change(rig)
    rig.looks(2)
    assert told in standing.words_for(rig.machine)


def test_the_explainer_says_when_it_is_stopped(noticed: Rig, admin: User):
    page = read(logged_in(admin).get(reverse("vms-why", args=[noticed.machine.pk])))
    assert "It will be shut down at about" in page
    assert "Nobody seems to use it. No input, CPU under" in page
