"""Access that ends, ends: the console of whoever loses it closes within seconds, and everybody else's stays."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from classes import co_owners, lifecycle
from classes.enrolment import membership
from classes.models import LabClass
from tests.classes.conftest import lab_class, logged_in, teacher
from tests.conftest import PASSWORD, join
from tests.labs import Lab, queries
from tests.vms.console_client import Portal, VncClient, end_of, permit, portal
from vms.console import closing
from vms.models import Assignment, ClusterGrant, ConsoleSession, MachineSet, VirtualMachine
from vms.models.consoles import ConsoleStatus

__all__ = ["portal"]

pytestmark = pytest.mark.usefixtures("own_database")

AS_IT_IS = {"way": "as-it-is"}
LOGIN, GONE, WITHDRAWN, CLUSTER_OFF = 4401, 4404, 4410, 4412


@dataclass
class School:
    """A portal, and a running machine for everybody who needs one."""

    portal: Portal
    lab: Lab
    elsewhere: Lab
    admin: Client
    numbers: Any = field(default_factory=lambda: iter(range(201, 299)))

    def machine(self, pool: str = "") -> VirtualMachine:
        number = next(self.numbers)
        self.lab.pve.add_guest(number, node="pve1", status="running")
        self.lab.sync()
        return self.lab.machine(number)

    def student(self, name: str) -> tuple[User, VirtualMachine]:
        """With an own machine, in no class."""
        person, machine = User.objects.create_user(name, password=PASSWORD), self.machine()
        Assignment.objects.create(vm=machine, user=person)
        return person, machine

    def class_of(self, name: str) -> tuple[LabClass, User, VirtualMachine]:
        """A class of its own teacher, with one student at one machine."""
        machine, person = self.machine(), User.objects.create_user(name)
        made = lab_class(teacher(f"teacher-{name}"), self.lab, machine.vmid, name=f"Class {name}")
        membership.add_people(made, [person], at_once=True)
        return made, person, machine

    def look(self, person: User, machine: VirtualMachine, client: Client | None = None) -> VncClient:
        client = client or logged_in(person)
        viewer = self.portal.view(permit(client, machine.pk), client)
        assert viewer.sees_something()
        return viewer


@pytest.fixture
def school(portal: Portal, building_a: Lab, building_b: Lab, admin: User) -> School:
    return School(portal, building_a, building_b, logged_in(admin))


Way = tuple[VncClient, Callable[[], object], int]


def unassigned(school: School) -> Way:
    made, person, machine = school.class_of("unassigned")
    where = f"/classes/{made.pk}/machines/{machine.pk}/unassign/"
    return school.look(person, machine), lambda: logged_in(made.owner).post(where, AS_IT_IS), WITHDRAWN


def membership_ended(school: School) -> Way:
    made, person, machine = school.class_of("removed")
    where = f"/classes/{made.pk}/people/{made.memberships.get().pk}/remove/"
    return school.look(person, machine), lambda: logged_in(made.owner).post(where, AS_IT_IS), WITHDRAWN


def machine_removed(school: School) -> Way:
    made, person, machine = school.class_of("machine_removed")
    where = f"/classes/{made.pk}/machines/{machine.pk}/drop/"
    return school.look(person, machine), lambda: logged_in(made.owner).post(where, AS_IT_IS), WITHDRAWN


def class_ended(school: School) -> Way:
    made, person, machine = school.class_of("ended")
    return school.look(person, machine), lambda: lifecycle.end(made, way="as-it-is", by=made.owner), WITHDRAWN


def class_deleted(school: School) -> Way:
    made, person, machine = school.class_of("deleted")
    return school.look(person, machine), lambda: lifecycle.delete(made, way="as-it-is", by=made.owner), WITHDRAWN


def class_loses_its_grant(school: School) -> Way:
    made, person, machine = school.class_of("grant")
    given = ClusterGrant.objects.get(machine_set=made.machine_set)
    where = f"/admin/vms/clustergrant/{given.pk}/delete/"
    return school.look(person, machine), lambda: school.admin.post(where, {"post": "yes"}), WITHDRAWN


def co_owner_removed(school: School) -> Way:
    made, _person, machine = school.class_of("shared")
    other = teacher("co-owner")
    co_owners.add(made, other, by=made.owner)
    where = f"/classes/{made.pk}/co-owners/{other.pk}/remove/"
    return school.look(other, machine), lambda: logged_in(made.owner).post(where), WITHDRAWN


def manager_removed(school: School) -> Way:
    kept, person, machine = (
        MachineSet.objects.create(name="Kept"),
        User.objects.create_user("manager"),
        school.machine(),
    )
    kept.machines.add(machine)
    kept.stewards.add(person)
    return school.look(person, machine), kept.stewards.clear, WITHDRAWN


def staff_right_taken(school: School) -> Way:
    person, machine = join("lena", "Lab administrator"), school.machine()
    group = Group.objects.get(name="Lab administrator")
    return school.look(person, machine), lambda: person.groups.remove(group), WITHDRAWN


def ended_in_bulk(school: School) -> Way:
    person, machine = school.student("bulk")
    held = Assignment.objects.filter(user=person)
    return school.look(person, machine), lambda: held.update(ended_at=timezone.now()), WITHDRAWN


def logged_out(school: School) -> Way:
    person, machine = school.student("logout")
    client = logged_in(person)
    return school.look(person, machine, client), lambda: client.post(reverse("logout")), LOGIN


def session_ended(school: School) -> Way:
    person, machine = school.student("session")
    client = logged_in(person)
    key = client.session.session_key
    return school.look(person, machine, client), lambda: Session.objects.filter(pk=key).delete(), LOGIN


def password_changed(school: School) -> Way:
    person, machine = school.student("password")
    new = {"old_password": PASSWORD, "new_password1": "another horse battery", "new_password2": "another horse battery"}
    return school.look(person, machine), lambda: logged_in(person).post(reverse("password_change"), new), LOGIN


def account_deactivated(school: School) -> Way:
    person, machine = school.student("inactive")
    return school.look(person, machine), lambda: User.objects.filter(pk=person.pk).update(is_active=False), LOGIN


def machine_gone(school: School) -> Way:
    person, machine = school.student("gone")
    rows = VirtualMachine.objects.filter(pk=machine.pk)
    return school.look(person, machine), lambda: rows.update(gone_at=timezone.now()), GONE


def cluster_switched_off(school: School) -> Way:
    person = User.objects.create_user("elsewhere")
    machine = school.elsewhere.assign(102, person)
    return school.look(person, machine), school.elsewhere.row.deactivate, CLUSTER_OFF


WAYS = (
    unassigned, membership_ended, machine_removed, class_ended, class_deleted, class_loses_its_grant,
    co_owner_removed, manager_removed, staff_right_taken, ended_in_bulk, logged_out, session_ended, password_changed,
    account_deactivated, machine_gone, cluster_switched_off,
)  # fmt: skip


def time_each(ways: dict[str, Way]) -> dict[str, tuple[int, float]]:
    """End them all, and note by which code and after how many seconds each console closed."""
    found: dict[str, tuple[int, float]] = {}
    began: dict[str, float] = {}

    def note(name: str, viewer: VncClient) -> None:
        code = end_of(viewer.websocket)
        found[name] = (code, time.monotonic() - began[name])

    threads = [threading.Thread(target=note, args=(name, way[0]), daemon=True) for name, way in ways.items()]
    for thread, (name, (_viewer, end, _code)) in zip(threads, ways.items(), strict=True):
        began[name] = time.monotonic()
        thread.start()
        end()
    for thread in threads:
        thread.join(timeout=15)
    return found


def test_every_way_of_losing_access_closes_the_console_and_no_other(school: School):
    person, machine = school.student("control")
    kept = school.look(person, machine)
    ways = {way.__name__.replace("_", " "): way(school) for way in WAYS}
    found = time_each(ways)
    for name, (code, seconds) in sorted(found.items()):
        print(f"{name:26} closed with {code} after {seconds:.2f} s")
    assert {name: code for name, (code, _) in found.items()} == {name: way[2] for name, way in ways.items()}
    assert kept.sees_something()
    assert ConsoleSession.objects.get().user_name == "control"


@pytest.mark.parametrize("consoles", [1, 12])
def test_a_look_is_one_query_however_many_consoles_there_are(building_a: Lab, ana: User, consoles: int):
    machine = building_a.assign(102, ana)
    rows = [
        ConsoleSession.begin(machine, user=User.objects.create(username=f"p{n}"), mode="view") for n in range(consoles)
    ]
    with queries() as asked:
        found = ConsoleSession.objects.statuses([row.pk for row in rows], {f"login-{n}" for n in range(consoles)})
    assert (len(asked), len(found)) == (1, consoles)


def test_the_look_says_of_everybody_what_the_rules_say(building_a: Lab, ana: User, ben: User, auditor: User):
    machine = building_a.assign(102, ana)
    people = [ana, ben, auditor, join("lena", "Lab administrator"), User.objects.create_superuser("root")]
    opened = {person: ConsoleSession.begin(machine, user=person, mode="view") for person in people}
    found = ConsoleSession.objects.statuses([row.pk for row in opened.values()], set())
    allowed = [VirtualMachine.objects.operable_by(person).filter(pk=machine.pk).exists() for person in people]
    assert [found[row.pk].may_stay for row in opened.values()] == allowed == [True, False, False, True, True]


@dataclass
class Looks:
    """Stands in for the database: at the third look, everybody's console is closed."""

    count: int = 0

    def __call__(self, keys: Any, logins: Any) -> Any:
        self.count += 1
        standing = ConsoleStatus("admin" if self.count == 3 else "", "", may_stay=True)
        return dict.fromkeys([*keys, *logins], standing)


def test_twelve_consoles_look_together(monkeypatch: pytest.MonkeyPatch):
    looks = Looks()
    monkeypatch.setattr(closing, "CHECK_EVERY", 0.02)
    monkeypatch.setattr(ConsoleSession.objects, "statuses", looks)
    viewers: Any = [SimpleNamespace(row=ConsoleSession(), session_key=str(n), user=User()) for n in range(12)]

    async def wait() -> list[str]:
        return await asyncio.gather(*map(closing.wait, viewers))

    assert asyncio.run(wait()) == ["admin"] * 12
    assert looks.count == 3


def test_where_no_console_is_open_nobody_looks():
    assert not closing._viewers
