"""The page of a class during the lesson: the pages of its set, for those who run it."""

import re
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from classes import co_owners
from classes.models import LabClass
from tests.classes.conftest import logged_in
from tests.labs import Lab
from vms.models import Batch, Operation, Snapshot

pytestmark = pytest.mark.django_db


def live(made: LabClass) -> str:
    return reverse("classes-live", args=[made.pk])


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def ask(person: User, made: LabClass, action: str, **words: Any) -> Any:
    address = reverse("vms-set-ask", args=[made.machine_set_id])
    return logged_in(person).post(address, {"action": action, **words})


def test_who_runs_the_class_has_its_machines_at_a_glance(networks: LabClass, tess: User):
    answer = text(logged_in(tess).get(live(networks)))
    assert "1 running, 1 stopped" in answer
    assert "Start all stopped (1)" in answer


def test_nobody_else_does(networks: LabClass, theo: User, ben: User):
    assert [logged_in(person).get(live(networks)).status_code for person in (theo, ben)] == [404, 404]
    assert ask(theo, networks, "start", whose="all").status_code == 404
    assert not Batch.objects.exists()


def test_a_co_owner_starts_all_and_an_owner_sees_how_it_goes(networks: LabClass, tess: User, theo: User):
    co_owners.add(networks, theo, by=networks.owner)
    answer = ask(theo, networks, "start", whose="stopped")
    assert Operation.objects.get().requested_by == theo
    assert live(networks) in text(logged_in(tess).get(answer.url))


def test_the_page_is_not_sent_again_when_it_would_say_the_same(networks: LabClass, tess: User):
    client = logged_in(tess)
    poll = re.search(r'hx-get="(/classes/[0-9]+/live/[^"]+)"', text(client.get(live(networks))))
    assert poll
    assert client.get(poll[1], headers={"HX-Request": "true"}).status_code == 204


def test_the_baseline_of_the_class_is_proposed(networks: LabClass, tess: User):
    LabClass.objects.update(baseline="week-3")
    assert 'name="baseline" value="week-3"' in text(logged_in(tess).get(live(networks)))
    for name in ("baseline", "week-3"):
        Snapshot.objects.create(vm=networks.machine_set.machines.first(), name=name)
    answer = text(ask(tess, networks, "rollback", whose="all", baseline="week-3"))
    assert '<option value="week-3" selected>' in answer


def test_an_auditor_is_led_to_the_page_of_the_set(networks: LabClass, tess: User, auditor: User):
    batch = ask(tess, networks, "start", whose="stopped").url
    answer = text(logged_in(auditor).get(batch))
    assert (live(networks) in answer, reverse("vms-set", args=[networks.machine_set_id]) in answer) == (False, True)


def test_as_a_student_sees_it_calls_the_class_by_its_name(networks: LabClass, tess: User, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    answer = text(logged_in(tess).get(reverse("vms-set-as", args=[networks.machine_set_id, ana.pk])))
    assert "shows only machines of “Networks 101”" in answer


@pytest.mark.parametrize("end", ["", "live/", "machines/", "people/", "invite/", "co-owners/", "settings/"])
def test_each_tab_says_which_one_it_is(networks: LabClass, tess: User, end: str):
    answer = text(logged_in(tess).get(f"/classes/{networks.pk}/{end}"))
    assert f'href="/classes/{networks.pk}/{end}" aria-current="page"' in answer
    assert answer.count("aria-current") <= 2  # the portal's own menu has one, too
