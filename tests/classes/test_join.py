"""The join_url: a link or a code, one text for whatever opens nothing, and tries that are counted."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from accounts.models import User
from classes.enrolment import invites
from classes.models import Invite, JoinTries, LabClass, Membership
from classes.pages import join
from tests.classes.conftest import invite, logged_in
from tests.conftest import PASSWORD
from tests.labs import Lab
from vms.models import Assignment

pytestmark = pytest.mark.django_db


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_looking_joins_nothing_and_the_button_does(join_url: str, networks: LabClass, ana: User):
    client = logged_in(ana)
    assert "Networks 101" in client.get(join_url).content.decode()
    assert not Membership.objects.exists()
    answer = client.post(join_url)
    assert answer["Location"] == f"/classes/{networks.pk}/"
    assert "Your machine is net-01" in said(answer)
    assert Assignment.objects.live().get().user == ana


def test_who_is_logged_out_comes_back_after_logging_in(join_url: str, ana: User):
    client = Client()
    answer = client.get(join_url)
    assert answer["Location"] == f"/accounts/login/?next={join_url}"
    back = client.post(answer["Location"], {"username": "ana", "password": PASSWORD, "next": join_url})
    assert back["Location"] == join_url


def test_joining_twice_is_harmless(join_url: str, ana: User):
    client = logged_in(ana)
    client.post(join_url)
    assert "already" in said(client.post(join_url))
    assert (Membership.objects.count(), Invite.objects.get().uses, Assignment.objects.count()) == (1, 1, 1)


def test_who_finds_no_machine_waits_and_gets_the_first_that_is_freed(join_url: str, networks: LabClass, tess: User):
    people = [User.objects.create_user(f"student-{n}") for n in range(4)]
    answers = [said(logged_in(person).post(join_url)) for person in people]
    assert "next in line for a machine" in answers[2]
    assert "1 person is ahead of you" in answers[3]
    held = Assignment.objects.live().get(user=people[0])
    logged_in(tess).post(f"/classes/{networks.pk}/machines/{held.vm_id}/unassign/", {"way": "as-it-is"})
    assert Assignment.objects.live().get(vm=held.vm).user == people[2]


def invalid_links(networks: LabClass) -> dict[str, str]:
    """Tokens that open nothing, each for another reason."""
    past, now = timezone.now() - timedelta(minutes=1), timezone.now()
    changes = {"expired": {"expires_at": past}, "revoked": {"revoked_at": now}, "used up": {"uses": 1}}
    tokens = {"unknown": "x" * 22, "long": "y" * 5000, "restricted": invite(networks, restricted_to_roster=True)[1]}
    for name, fields in changes.items():
        row, tokens[name], _code = invite(networks, max_uses=1)
        Invite.objects.filter(pk=row.pk).update(**fields)
    return tokens


def bare(answer: Any) -> str:
    return answer.content.decode().replace(str(answer.context["csrf_token"]), "")


def test_whatever_opens_nothing_says_the_same(networks: LabClass, ana: User):
    client, tokens = logged_in(ana), invalid_links(networks)
    Invite.objects.filter(restricted_to_roster=True).update(revoked_at=None)
    for send in (client.get, client.post):
        answers = [send(f"/join/{token}/") for token in tokens.values()]
        assert {answer.status_code for answer in answers} == {404}
        assert len({bare(answer) for answer in answers}) == 1
        assert "Networks" not in answers[0].content.decode()
        JoinTries.objects.all().delete()
    assert not Membership.objects.exists()


def test_a_code_opens_what_its_link_opens(networks: LabClass, ana: User):
    client, code = logged_in(ana), invite(networks)[2]
    page = client.post("/join/", {"code": code.lower().replace("-", " ")})
    assert "Networks 101" in page.content.decode()
    assert not Membership.objects.exists()
    client.post("/join/", {"shown": page.context["shown"]})
    assert Membership.objects.joined().get().user == ana


def test_what_one_person_was_shown_another_cannot_press(networks: LabClass, ana: User, ben: User):
    page = logged_in(ana).post("/join/", {"code": invite(networks)[2]})
    assert logged_in(ben).post("/join/", {"shown": page.context["shown"]}).status_code == 404
    assert not Membership.objects.exists()


def test_tries_are_counted_by_person(networks: LabClass, ana: User, ben: User):
    client, code = logged_in(ana), invite(networks)[2]
    answers = [client.post("/join/", {"code": f"WRONG{n:05}"}).status_code for n in range(11)]
    assert answers == [404] * 10 + [429]
    assert client.post("/join/", {"code": code}).status_code == 429
    assert logged_in(ben).post("/join/", {"code": code}).status_code == 200


def test_after_an_hour_one_may_try_again(networks: LabClass, ana: User):
    client = logged_in(ana)
    for n in range(11):
        client.post("/join/", {"code": f"WRONG{n:05}"})
    JoinTries.objects.update(since=timezone.now() - timedelta(minutes=61))
    assert client.post("/join/", {"code": invite(networks)[2]}).status_code == 200


def test_tries_are_counted_by_address(monkeypatch: pytest.MonkeyPatch, networks: LabClass, ana: User, ben: User):
    monkeypatch.setattr(join, "MOST_FROM_ADDRESS", 3)
    answers = [logged_in(who).post("/join/", {"code": "WRONG"}).status_code for who in (ana, ben, ana, ben)]
    assert answers == [404, 404, 404, 429]


def test_who_has_no_address_shares_no_count(monkeypatch: pytest.MonkeyPatch, networks: LabClass, ana: User, ben: User):
    monkeypatch.setattr(join, "MOST_FROM_ADDRESS", 1)
    monkeypatch.setattr(join, "MOST_BY_PERSON", 2)
    answers = [logged_in(who).post("/join/", {"code": "WRONG"}, REMOTE_ADDR="unknown") for who in (ana, ben, ana, ana)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]


def test_right_codes_cost_nothing(networks: LabClass, ana: User):
    client, code = logged_in(ana), invite(networks)[2]
    assert {client.post("/join/", {"code": code}).status_code for _ in range(15)} == {200}


def test_joining_needs_the_csrf_token(join_url: str, ana: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert client.post(join_url).status_code == 403
    assert not Membership.objects.exists()


def test_only_who_is_on_the_list_comes_in(networks: LabClass, ana: User, ben: User):
    token = invite(networks, restricted_to_roster=True)[1]
    Membership.objects.create(lab_class=networks, user=ana)
    assert [logged_in(who).post(f"/join/{token}/").status_code for who in (ana, ben)] == [302, 404]
    assert list(Membership.objects.joined().values_list("user__username", flat=True)) == ["ana"]


def test_nobody_joins_a_class_that_is_over(join_url: str, networks: LabClass, ana: User):
    LabClass.objects.update(ends_on=timezone.localdate() - timedelta(days=2))
    assert logged_in(ana).post(join_url).status_code == 404


def test_an_old_link_lets_in_who_is_on_the_list(networks: LabClass, tess: User, ana: User, ben: User):
    invites.accept_legacy_link(networks, "networks-201", by=tess)
    Membership.objects.create(lab_class=networks, user=ana)
    assert [logged_in(who).post("/join/networks-201/").status_code for who in (ana, ben)] == [302, 404]


def test_no_token_stands_in_the_log(networks: LabClass, ana: User, capsys: Any):
    token = invite(networks, restricted_to_roster=True)[1]
    handler = next(one for one in logging.getLogger().handlers if one.filters)
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr(handler, "emit", lambda record: lines.append(handler.format(record)))
        logged_in(ana).get(f"/join/{token}/")
    assert any("Not Found: /join/" in line for line in lines)
    assert not any(token in line for line in lines)


def test_a_machine_of_a_cluster_that_is_switched_off_is_given_to_nobody(join_url: str, building_a: Lab, ana: User):
    building_a.row.deactivate()
    assert "next in line for a machine" in said(logged_in(ana).post(join_url))
