"""Somebody whom a source vouches for comes in, or is told why not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from auditlog.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import OutsideRole, SignInIdentity, SignInSource, User
from accounts.sign_in import entering, hooks
from accounts.sign_in.facts import Closed
from tests.accounts.sign_in.people import enter, gives, let_in, person, provider, refusal, roles_of
from tests.own_database import run_in_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def school() -> SignInSource:
    made = provider()
    let_in(made)
    return made


def test_the_first_time_makes_an_account_that_has_no_password(school: SignInSource):
    cora = enter(school, person(first_name="Cora", last_name="Diaz", email="cora@school.example", number="4711"))
    assert (cora.username, cora.get_full_name(), cora.email) == ("cora", "Cora Diaz", "cora@school.example")
    assert not cora.has_usable_password()
    assert (cora.is_staff, cora.is_superuser, cora.must_change_password) == (False, False, False)
    identity = cora.identities.get()
    assert (identity.subject, identity.number_there, identity.last_seen_at is None) == ("id-of-cora", "4711", False)


def test_the_id_alone_tells_who_it_is(school: SignInSource):
    first = enter(school, person("cora"))
    renamed = enter(school, person("cora.smith", subject="id-of-cora", last_name="Smith"))
    assert (renamed.pk, renamed.username, renamed.last_name) == (first.pk, "cora", "Smith")
    assert refusal(school, person("cora", subject="ID-OF-CORA")) == "name-taken"
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["ana", "ANA", "Ana", "\uff41na"])
def test_an_equal_name_in_any_case_is_no_reason_to_join(school: SignInSource, ana: User, name: str):
    assert refusal(school, person(name, email=ana.email)) == "name-taken"
    assert not SignInIdentity.objects.exists()
    assert User.objects.get() == ana


def test_case_is_more_than_that_of_ascii(school: SignInSource):
    User.objects.create_user("jörg")
    assert refusal(school, person("JÖRG")) == "name-taken"


def test_an_equal_address_is_no_reason_to_join(school: SignInSource, ana: User):
    User.objects.filter(pk=ana.pk).update(email="ana@school.example")
    assert enter(school, person("other", email="ana@school.example")).pk != ana.pk


def test_the_same_id_at_another_source_is_somebody_else(school: SignInSource):
    foreign = provider("foreign")
    let_in(foreign)
    cora = enter(school, person("cora"))
    assert refusal(foreign, person("cora")) == "name-taken"
    assert enter(foreign, person("dora", subject="id-of-cora")).pk != cora.pk


def test_who_is_refused_leaves_no_account(school: SignInSource):
    school.rules.all().delete()
    assert refusal(school, person()) == "no-entry-rule"
    let_in(school, "group", "staff")
    assert refusal(school, person(groups=["pupils"])) == "not-allowed"
    assert refusal(school, person(groups=None)) == "groups-unknown"
    assert refusal(school, person(groups=["staff"], username="cora diaz")) == "bad-name"
    assert refusal(school, person(groups=["staff"], username="x" * 151)) == "bad-name"
    assert refusal(school, person(groups=["staff"], subject="")) == "no-subject"
    assert refusal(school, person(groups=["staff"], subject="x" * 256)) == "no-subject"
    SignInSource.objects.update(makes_accounts=False)
    school.refresh_from_db()
    assert refusal(school, person(groups=["staff"])) == "no-accounts-made"
    school.is_active = False
    assert refusal(school, person(groups=["staff"])) == "source-inactive"
    assert not User.objects.exists()


def test_a_deactivated_account_stays_so(school: SignInSource):
    cora = enter(school, person())
    User.objects.filter(pk=cora.pk).update(is_active=False)
    assert refusal(school, person()) == "inactive"


@pytest.mark.parametrize("reason", Closed)
def test_who_is_closed_there_is_told_why(school: SignInSource, reason: Closed):
    enter(school, person())
    with pytest.raises(entering.Refused) as refused:
        enter(school, person(closed=reason))
    assert refused.value.params == {"reason": reason.value}
    assert SignInIdentity.objects.get().closed_reason == reason.value
    enter(school, person())
    assert SignInIdentity.objects.get().closed_reason == ""


def test_an_empty_answer_empties_no_name(school: SignInSource):
    enter(school, person(first_name="Cora", email="cora@school.example"))
    cora = enter(school, person(first_name="", email="no address"))
    assert (cora.first_name, cora.email) == ("Cora", "cora@school.example")


@pytest.mark.parametrize("text", ["x' OR 1=1 --", "*)(uid=*", "<script>alert(1)</script>", "a\x00b\u2028c", "%s %(x)s"])
def test_what_comes_from_outside_stays_text(school: SignInSource, text: str):
    told = text.replace("\x00", "")
    cora = enter(school, person(first_name=text, subject=told, number=text, groups=[told]))
    assert cora.first_name == text.replace("\x00", " ").replace("\u2028", " ")
    cora.full_clean(exclude=["password"])
    assert User.objects.count() == 1
    assert refusal(school, person(text, subject="another")) == "bad-name"


def test_the_part_before_the_at(school: SignInSource):
    school.username_rule = SignInSource.UsernameRule.BEFORE_AT
    assert enter(school, person("cora@school.example")).username == "cora"
    assert refusal(school, person("cora@other.example")) == "name-taken"


def test_what_incomplete_groups_leave(school: SignInSource):
    gives(school, "Teacher", "staff")
    cora = enter(school, person(groups=["staff"]))
    before = SignInIdentity.objects.get()
    enter(school, person(groups=None))
    after = SignInIdentity.objects.get()
    assert roles_of(cora) == {"Teacher"}
    assert (after.groups, after.groups_at) == (before.groups, before.groups_at) == (["staff"], before.groups_at)


def test_a_role_goes_from_who_is_refused_too(school: SignInSource):
    gives(school, "Teacher", "staff")
    cora = enter(school, person(groups=["staff"]))
    school.rules.filter(gives="entry").update(on="group", value="staff")
    assert refusal(school, person(groups=None)) == "groups-unknown"
    assert roles_of(cora) == {"Teacher"}
    assert refusal(school, person(groups=["pupils"])) == "not-allowed"
    assert roles_of(cora) == set()


def test_apps_above_hear_of_complete_answers_alone(school: SignInSource, monkeypatch: pytest.MonkeyPatch):
    heard = []
    monkeypatch.setattr(hooks, "appliers", [lambda user, source, who, now: heard.append((user.username, who.groups))])
    enter(school, person(groups=["staff"]))
    enter(school, person(groups=None))
    assert heard == [("cora", {"staff"})]


def test_the_audit_trail_says_who_came_in_and_who_did_not(school: SignInSource):
    gives(school, "Teacher", "staff")
    enter(school, person(groups=["staff"]))
    refusal(school, person("ben", closed=Closed.LOCKED))
    said = [entry.changes for entry in LogEntry.objects.all()]
    assert {"signed in with": ["", "School"]} in said
    assert {"refused": ["", "ben: closed"]} in said
    assert any("Teacher" in str(one.get("groups", "")) for one in said)


def test_somebody_who_came_back_has_not_left(school: SignInSource):
    enter(school, person())
    SignInIdentity.objects.update(left_at=timezone.now() - timedelta(days=3))
    enter(school, person())
    assert SignInIdentity.objects.get().left_at is None


@pytest.mark.usefixtures("own_database")
def test_two_at_once_make_one_account():
    school = provider()
    let_in(school)
    gives(school, "Teacher", "staff")
    who, found = person(groups=["staff"]), []
    errors = run_in_threads(*[lambda: found.append(enter(school, who).pk)] * 4)
    assert errors == []
    assert len(found) == 4
    assert len({*found}) == 1
    assert (User.objects.count(), SignInIdentity.objects.count(), OutsideRole.objects.count()) == (1, 1, 1)
    connection.close()


@pytest.mark.usefixtures("own_database")
def test_two_people_of_one_name_at_once_make_one_account():
    school = provider()
    let_in(school)
    told = []
    people = [replace(person("cora"), subject="one"), replace(person("CORA"), subject="two")]
    errors = run_in_threads(*(lambda who=who: told.append(refusal(school, who)) for who in people))
    assert errors == []
    assert sorted(told) == ["", "name-taken"]
    connection.close()


def test_tokens_of_somebody_who_left_work_no_more(school: SignInSource, client: Client):
    cora = enter(school, person())
    _row, text = tokens.create(cora, name="script", may_read=True, expires_at=timezone.now() + timedelta(days=1))

    def answer() -> int:
        return int(client.get("/api/v1/machines", headers={"Authorization": f"Bearer {text}"}).status_code)

    assert answer() == 200
    SignInIdentity.objects.update(left_at=timezone.now())
    assert answer() == 401
    cora.set_password("a password of this portal")
    cora.save()
    assert answer() == 200
