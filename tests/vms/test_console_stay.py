"""Whether somebody may stay at a console, asked of the rules themselves."""

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests.labs import Lab
from tests.vms.consoles import browser_of
from vms.console import door, ends
from vms.models import ConsoleGrant

pytestmark = pytest.mark.django_db


@pytest.fixture
def of_ana(ana: User) -> Client:
    return browser_of(ana)


@pytest.fixture
def visitor(building_a: Lab, ana: User, of_ana: Client) -> door.Visitor:
    key = str(of_ana.session.session_key)
    machine = building_a.give(102, ana)
    return door.enter(ConsoleGrant.issue(machine, user=ana, session_key=key, mode="control"), key)


def test_who_still_holds_the_machine_stays(visitor: door.Visitor):
    door.stay(visitor)


def test_a_session_that_is_another_persons_now_keeps_no_console(visitor: door.Visitor, of_ana: Client, ben: User):
    ben.is_staff = True
    ben.save()
    ben.user_permissions.add(Permission.objects.get(codename="operate_virtualmachine"))
    session = of_ana.session
    session[SESSION_KEY] = str(ben.pk)
    session["_auth_user_hash"] = ben.get_session_auth_hash()
    session.save()
    with pytest.raises(ends.Ended) as ended:
        door.stay(visitor)
    assert ended.value.code == ends.WITHDRAWN
