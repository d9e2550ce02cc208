"""Two administrators, one machine, the same moment: one wins, the other is told."""

from typing import Any

import pytest
from auditlog.models import LogEntry as TrailEntry
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.admin_pages import confirm, said
from tests.labs import Lab
from tests.own_database import run_in_threads
from vms.models import Assignment

pytestmark = pytest.mark.usefixtures("own_database")

LIST = "/admin/vms/assignment/"
BULK = f"{LIST}bulk/"


@pytest.fixture
def two(lab_admin: User, admin: User) -> tuple[Client, Client]:
    clients = Client(), Client()
    for client, who in zip(clients, (lab_admin, admin), strict=True):
        client.force_login(who)
    return clients


def at_once(*requests: Any) -> list[tuple[int, str]]:
    answers: list[tuple[int, str]] = []

    def note(request: Any) -> None:
        answer = request()
        answers.append((answer.status_code, said(answer)))

    assert run_in_threads(*(lambda request=request: note(request) for request in requests)) == []
    return sorted(answers)


def test_of_two_bulk_assignments_one_gives_and_the_other_is_told(two: Any, building_a: Lab, ana: User, ben: User):
    pages = [client.post(BULK, {"text": f"{name},net-01"}) for client, name in zip(two, ("ana", "ben"), strict=True)]
    told, given = at_once(
        lambda: confirm(two[0], BULK, pages[0]),
        lambda: confirm(two[1], BULK, pages[1]),
    )
    assert (told[0], given[0]) == (200, 302)
    assert "new" in told[1]
    assert Assignment.objects.live().count() == 1


def test_of_two_who_end_an_assignment_one_writes_it_down(two: Any, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    before = TrailEntry.objects.filter(content_type__model="assignment").count()
    data = {"action": "end", "_selected_action": [Assignment.objects.get().pk], "sure": "yes", "way": "as-it-is"}
    done = at_once(lambda: two[0].post(LIST, data), lambda: two[1].post(LIST, data))
    assert [text for _, text in done] == ["0 assignments ended.", "1 assignment ended."]
    written = TrailEntry.objects.filter(content_type__model="assignment").count()
    assert (LogEntry.objects.count(), written - before) == (1, 1)


def test_of_two_forms_one_assigns(two: Any, building_a: Lab, ana: User, ben: User):
    url, vm = reverse("admin:vms_assignment_add"), building_a.machine(101).pk
    done = at_once(
        lambda: two[0].post(url, {"vm": vm, "user": ana.pk}),
        lambda: two[1].post(url, {"vm": vm, "user": ben.pk}),
    )
    assert {status for status, _ in done} <= {200, 302}
    assert Assignment.objects.live().count() == 1
