"""Passwords that somebody else gives: in the admin, and what their person can do before choosing another."""

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from auditlog.models import LogEntry
from axes.models import AccessAttempt
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import first_passwords, jobs, locked_names
from accounts.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

OWN = "another horse entirely"


def logged_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(name: str, person: User) -> str:
    return reverse(f"admin:accounts_user_{name}", args=[person.pk])


def given(answer: Any) -> str:
    found = re.findall(r"<code>([^<]+)</code>", answer.content.decode())
    return found[0] if found else ""


def give(by: User, person: User) -> tuple[Client, dict[str, str], str]:
    """The browser, what was confirmed, and the password."""
    client = logged_in(by)
    form = {"shown": client.get(page("new_password", person)).context["shown"]}
    return client, form, given(client.post(page("new_password", person), form))


@pytest.fixture
def fresh(ana: User) -> Client:
    """ana, logged in with a password that somebody else gave."""
    User.objects.filter(pk=ana.pk).update(must_change_password=True)
    return logged_in(ana)


# New password, in the admin


def test_a_new_password_works_is_shown_once_and_ends_every_login(lab_admin: User, ana: User) -> None:
    before = logged_in(ana)
    client, form, password = give(lab_admin, ana)
    assert before.get("/vms/").status_code == 302
    ana.refresh_from_db()
    assert (ana.check_password(password), ana.must_change_password) == (True, True)
    again = client.post(page("new_password", ana), form, follow=True)
    assert (given(again), "already been done" in again.content.decode()) == ("", True)
    assert User.objects.get(pk=ana.pk).password == ana.password


def test_to_look_changes_nothing_and_a_made_up_confirmation_neither(lab_admin: User, ana: User) -> None:
    client, theirs = logged_in(lab_admin), logged_in(User.objects.create_superuser("root"))
    shown = theirs.get(page("new_password", ana)).context["shown"]
    for form in ({}, {"shown": "made up"}, {"shown": shown}):
        assert given(client.post(page("new_password", ana), form)) == ""
    assert User.objects.get(pk=ana.pk).check_password(PASSWORD)


def test_a_confirmation_is_for_one_person(lab_admin: User, ana: User, ben: User) -> None:
    client = logged_in(lab_admin)
    shown = client.get(page("new_password", ana)).context["shown"]
    assert given(client.post(page("new_password", ben), {"shown": shown})) == ""
    assert User.objects.get(pk=ben.pk).check_password(PASSWORD)


def test_it_is_in_the_trail_and_in_no_session_and_no_history(lab_admin: User, ana: User) -> None:
    client, _form, password = give(lab_admin, ana)
    entry = LogEntry.objects.get_for_object(ana).first()
    assert entry is not None
    assert (entry.actor, "password" in entry.changes) == (lab_admin, True)
    assert password not in str([row.changes for row in LogEntry.objects.all()])
    assert password not in str(dict(client.session))
    assert password not in client.get(page("history", ana)).content.decode()


def test_it_is_kept_out_of_caches(lab_admin: User, ana: User) -> None:
    client = logged_in(lab_admin)
    form = {"shown": client.get(page("new_password", ana)).context["shown"]}
    assert "no-store" in client.post(page("new_password", ana), form)["Cache-Control"]


def test_staff_who_may_not_change_the_account_may_not_give_it_a_password(
    lab_admin: User, auditor: User, ana: User, admin: User
) -> None:
    for by, person in ((auditor, ana), (lab_admin, auditor), (lab_admin, admin)):
        for name in ("new_password", "unlock"):
            for answer in (logged_in(by).get(page(name, person)), logged_in(by).post(page(name, person))):
                assert answer.status_code == 403
        assert User.objects.get(pk=person.pk).check_password(PASSWORD)


def test_ones_own_is_changed_where_the_old_one_is_asked_for(lab_admin: User) -> None:
    client, own = logged_in(lab_admin), reverse("password_change")
    for name in ("accounts_user_new_password", "auth_user_password_change"):
        answer = client.post(reverse(f"admin:{name}", args=[lab_admin.pk]), {"password1": OWN, "password2": OWN})
        assert (answer.status_code, answer["Location"]) == (302, own)
    assert User.objects.get(pk=lab_admin.pk).check_password(PASSWORD)


def test_an_account_of_a_directory_gets_none(lab_admin: User, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "signs_in_elsewhere", True)
    assert logged_in(lab_admin).get(page("new_password", ana)).status_code == 404


def test_a_password_that_an_administrator_types_has_to_be_changed_too(lab_admin: User) -> None:
    client = logged_in(lab_admin)
    typed = {"password1": OWN, "password2": OWN}
    client.post(reverse("admin:accounts_user_add"), {"username": "dora", **typed})
    person = User.objects.get(username="dora")
    assert (person.check_password(OWN), person.must_change_password) == (True, True)


def test_there_is_one_way_to_give_a_password(lab_admin: User, ana: User) -> None:
    client = logged_in(lab_admin)
    answer = client.post(reverse("admin:auth_user_password_change", args=[ana.pk]), {"password1": OWN})
    assert (answer.status_code, answer["Location"]) == (302, page("new_password", ana))
    assert client.get("/admin/accounts/user/x/password/").status_code == 404
    form = client.get(page("change", ana)).content.decode()
    assert (page("new_password", ana) in form, "/password/" in form.replace("/new-password/", "")) == (True, False)
    assert "argon2" not in form


def test_no_form_speaks_of_other_ways_to_log_in(lab_admin: User, ana: User) -> None:
    client = logged_in(lab_admin)
    pages = [page("new_password", ana)]
    pages += [reverse(f"admin:accounts_user_{name}") for name in ("add", "import")]
    for address in pages:
        text = client.get(address).content.decode()
        assert "assword" in text
        assert not re.search(r"LDAP|Single Sign|other means|name=.usable_password", text)


# Unlock


def lock(person: User, *, address: str = "192.0.2.7", failures: int = 5, minutes: int = 1) -> None:
    row = AccessAttempt.objects.create(username=person.username, ip_address=address, failures_since_start=failures)
    AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - timedelta(minutes=minutes))


def test_a_lock_is_shown_with_its_time_and_taken_off(lab_admin: User, ana: User, ben: User) -> None:
    lock(ana)
    lock(ben)
    client = logged_in(lab_admin)
    until = timezone.localtime(locked_names.for_user(ana)[0].until)
    shown = client.get(page("change", ana)).content.decode()
    assert "locked at 192.0.2.7 since" in shown
    assert f"until {until:%H:%M}" in shown
    assert client.get(page("unlock", ana)).status_code == 200
    assert locked_names.for_user(ana)
    client.post(page("unlock", ana))
    assert (locked_names.for_user(ana), len(locked_names.for_user(ben))) == ([], 1)
    entry = LogEntry.objects.get_for_object(ana).first()
    assert entry is not None
    assert (entry.actor, entry.changes) == (lab_admin, {"locked at": ["192.0.2.7", "unlocked"]})
    assert page("unlock", ana) not in client.get(page("change", ana)).content.decode()


@pytest.mark.parametrize(("failures", "minutes"), [(4, 1), (5, 16)])
def test_who_is_not_locked_is_not_said_to_be(ana: User, failures: int, minutes: int) -> None:
    lock(ana, failures=failures, minutes=minutes)
    assert locked_names.for_user(ana) == []


def test_who_was_unlocked_logs_in(lab_admin: User, ana: User) -> None:
    data = {"username": "ana", "password": "wrong"}
    for _ in range(5):
        last = Client().post("/accounts/login/", data)
    assert "they can unlock it or set a new password" in last.content.decode()
    assert Client().post("/accounts/login/", data | {"password": PASSWORD}).status_code != 302
    logged_in(lab_admin).post(page("unlock", ana))
    assert Client().post("/accounts/login/", data | {"password": PASSWORD}).status_code == 302


# Before another one is chosen


PLACES = ["/", "/vms/", "/classes/", "/accounts/profile/", "/join/", "/admin/", "/admin/password_change/"]


@pytest.mark.parametrize("path", PLACES)
def test_every_page_leads_to_the_change(fresh: Client, path: str) -> None:
    for answer in (fresh.get(path), fresh.post(path)):
        assert (answer.status_code, answer["Location"]) == (302, reverse("password_change"))


def test_a_fragment_leads_the_whole_page_there(fresh: Client) -> None:
    assert fresh.get("/vms/", headers={"HX-Request": "true"})["HX-Redirect"] == reverse("password_change")


def test_the_api_refuses(fresh: Client, ben: User) -> None:
    answer = fresh.get("/api/clusters")
    assert (answer.status_code, answer.json()["ok"]) == (403, False)
    assert logged_in(ben).get("/api/clusters").status_code == 200


def test_health_and_logging_out_work(fresh: Client) -> None:
    assert fresh.get("/healthz").headers.get("Location") is None
    assert fresh.post(reverse("logout"))["Location"] == reverse("login")


def test_it_takes_another_password_and_lasts_until_then(fresh: Client, ana: User) -> None:
    where = reverse("password_change")
    assert "A teacher or an administrator set your password" in fresh.get(where).content.decode()
    same = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert "Choose another one" in fresh.post(where, same).content.decode()
    assert logged_in(ana).get("/vms/").status_code == 302
    fresh.post(where, same | {"new_password1": OWN, "new_password2": OWN})
    assert fresh.get("/vms/").status_code == 200
    ana.refresh_from_db()
    assert (ana.check_password(OWN), ana.must_change_password) == (True, False)


def test_who_chose_it_is_let_alone(ana: User) -> None:
    assert logged_in(ana).get("/vms/").status_code == 200


# Told by mail


@pytest.fixture
def post(settings: Any) -> Any:
    settings.EMAIL_URL, settings.PORTAL_URL = "smtp://mail.test", "https://labs.test"
    return settings


def test_the_person_is_told_by_mail_without_the_password(post: Any, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    User.objects.filter(pk=ana.pk).update(email="ana@school.test")
    ana.refresh_from_db()
    asked: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "mail_of_new_password", SimpleNamespace(enqueue=asked.append))
        jobs.tell_of_new_password(ana)
    assert asked == [ana.pk]
    jobs.mail_of_new_password.call(ana.pk)
    (letter,) = mail.outbox
    assert (letter.to, "https://labs.test" in letter.body, "ana" in letter.body) == (["ana@school.test"], True, True)


def test_without_an_address_or_a_server_nobody_is_told_by_mail(post: Any, ana: User) -> None:
    jobs.tell_of_new_password(ana)
    post.EMAIL_URL = ""
    ana.email = "ana@school.test"
    jobs.tell_of_new_password(ana)
    jobs.mail_of_new_password.call(ana.pk)
    assert mail.outbox == []


def test_an_address_that_is_none_ends_quietly(post: Any, ana: User, caplog: pytest.LogCaptureFixture) -> None:
    User.objects.filter(pk=ana.pk).update(email="ana\n@school.test")
    jobs.mail_of_new_password.call(ana.pk)
    assert (mail.outbox, "could not be told" in caplog.text) == ([], True)


def test_two_who_give_one_at_once_give_one(ana: User) -> None:
    seen = first_passwords.state(ana)
    first_passwords.give(ana, seen=seen)
    with pytest.raises(first_passwords.Changed):
        first_passwords.give(ana, seen=seen)


def test_a_teacher_is_no_staff_of_accounts(ana: User, ben: User) -> None:
    """The positive control of the admin's pages: the group makes nobody able to open them."""
    ana.groups.add(Group.objects.get(name="Teacher"))
    assert logged_in(ana).get(page("new_password", ben)).status_code == 302
