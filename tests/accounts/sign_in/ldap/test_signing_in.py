"""People sign in with the name and the password of their school's directory, on the portal's own login page."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client

from accounts.models import SignInIdentity, User
from accounts.sign_in import directories
from tests.accounts.sign_in.ldap.conftest import is_in, log_in, school
from tests.accounts.sign_in.people import let_in
from tests.directories.slapd import BASE, PASSWORD, group, person

pytestmark = pytest.mark.django_db


def entered(username: str, password: str = PASSWORD) -> bool:
    client = Client()
    return log_in(client, username, password).status_code == 302 and is_in(client)


def test_the_account_is_named_from_the_entry_however_the_name_was_typed(start: Any):
    school(start(person("cora", sn="Díaz", givenName="Córa")))
    assert entered("CORA")
    assert entered(" cora ")
    cora = User.objects.get()
    assert (cora.username, cora.get_full_name(), cora.email) == ("cora", "Córa Díaz", "cora@school.test")
    assert not cora.has_usable_password()
    assert not AccessAttempt.objects.exists()


def test_a_wrong_password_and_a_name_that_nobody_has_are_told_alike_and_counted(start: Any, client: Client):
    school(start(person("cora")))
    wrong, unknown = log_in(client, "cora", "wrong"), log_in(client, "nobody", PASSWORD)
    assert "Check both" in wrong.content.decode()
    assert "Check both" in unknown.content.decode()
    assert AccessAttempt.objects.count() == 2
    for _ in range(4):
        log_in(client, "cora", "wrong")
    assert not entered("cora")  # locked, with the right one


def test_another_way_to_write_a_name_is_worth_no_further_guesses(start: Any):
    """OpenLDAP finds all of them, and wrong passwords are counted by the name that was typed."""
    there = school(start(person("cora diaz")))
    assert not any(directories.ask(there, f"cora{' ' * many}diaz", PASSWORD) for many in (2, 3))
    assert all(directories.ask(there, typed, PASSWORD) for typed in ("cora diaz", " Cora DIAZ "))


def test_a_session_ends_with_the_account_and_when_the_person_left(start: Any, client: Client):
    school(start(person("cora")))
    log_in(client, "cora")
    assert is_in(client)
    SignInIdentity.objects.update(closed_reason="disabled")
    assert not is_in(client)
    SignInIdentity.objects.update(closed_reason="")
    assert log_in(client, "cora").status_code == 302
    User.objects.update(is_active=False)
    assert not is_in(client)
    refused = log_in(client, "cora")
    assert (refused.status_code, "deactivated" in refused.content.decode()) == (403, True)
    assert not AccessAttempt.objects.exists()


def test_a_pupil_who_was_moved_and_renamed_is_the_same_person(start: Any, client: Client):
    server = start(person("cora"))
    school(server)
    assert entered("cora")
    before = User.objects.get()
    server.change(
        f"dn: cn=cora,ou=pupils,{BASE}\nchangetype: modrdn\nnewrdn: cn=Cora Smith\ndeleteoldrdn: 1\n"
        f"newsuperior: ou=staff,{BASE}\n\n"
        f"dn: cn=Cora Smith,ou=staff,{BASE}\nchangetype: modify\nreplace: uid\nuid: csmith\n-\nreplace: sn\nsn: Smith\n"
    )
    assert entered("csmith")
    after = User.objects.get()
    assert (after.pk, after.username, after.last_name) == (before.pk, "cora", "Smith")


def test_an_account_of_the_same_name_in_another_case_is_not_joined_and_no_error(start: Any, client: Client, ana: User):
    school(start(person("Tcora")))
    User.objects.create_user("tcora").set_unusable_password()
    taken = log_in(client, "Tcora")
    assert (taken.status_code, "already an account" in taken.content.decode()) == (403, True)
    assert not SignInIdentity.objects.exists()


def test_a_local_account_asks_no_directory(start: Any, client: Client):
    server = start(person("ben"))
    school(server, name="first")
    User.objects.create_user("ben", password="local pass phrase")
    assert not entered("ben", PASSWORD)  # the right one of the directory's ben
    assert AccessAttempt.objects.get().username == "ben"
    server.stop()
    assert entered("ben", "local pass phrase")


def test_a_namesake_who_was_joined_to_another_account_signs_in_as_that_one(start: Any, client: Client):
    school(start(person("ben")))
    assert entered("ben")
    User.objects.update(username="ben.directory")
    User.objects.create_user("ben", password="local pass phrase")
    log_in(client, "ben")
    assert client.get("/accounts/profile/").wsgi_request.user.username == "ben.directory"
    assert entered("ben", "local pass phrase")


def test_nobody_comes_in_without_a_rule(start: Any, client: Client):
    source = school(start(person("cora"), group("teachers", f"cn=cora,ou=pupils,{BASE}")), everyone=False)
    refused = log_in(client, "cora")
    assert (refused.status_code, User.objects.count()) == (403, 0)
    let_in(source, on="group", value=f"CN=Teachers, OU=groups,{BASE}")
    assert entered("cora")


def test_two_people_of_one_name_are_told_so(start: Any, client: Client):
    school(start(person("cora"), person("cora", "staff")))
    refused = log_in(client, "cora")
    assert (refused.status_code, "Several people" in refused.content.decode()) == (403, True)
    assert not AccessAttempt.objects.exists()


@pytest.mark.parametrize(
    "typed", ["*", "cor*", "cora)(uid=*", "*)(objectClass=*", "cora\\2a", "\\", "co%(user)sra", "(", ")"]
)
def test_a_typed_name_is_no_filter(start: Any, typed: str):
    school(start(person("cora")))
    assert not entered(typed)
    assert not User.objects.exists()
    assert entered("cora")


@pytest.mark.parametrize("cn", ["Cora, T.", 'C\\o+r"a', " <cora>;=#", "İbrahim", "Æ (x)*", "cora\\2c"])
def test_names_that_a_dn_has_to_escape_sign_in(start: Any, cn: str):
    """django-auth-ldap writes DNs in lower case, and İ is two letters then."""
    member = person("cora", cn=cn)
    source = school(start(member, group("teachers", member[0]), member_of=False), everyone=False)
    let_in(source, on="group", value=f"cn=teachers,ou=groups,{BASE}")
    assert entered("cora")


def test_a_name_with_signs_of_filters_is_found(start: Any, client: Client):
    school(start(person("o*(x)\\y")))
    refused = log_in(client, "o*(x)\\y")
    assert (refused.status_code, "cannot be a user name" in refused.content.decode()) == (403, True)


def test_an_empty_password_is_none(start: Any, client: Client):
    """Most directories take a bind without a password for one of nobody, and say that it went well."""
    school(start(person("cora")))
    assert log_in(client, "cora", "").status_code == 200
    assert not is_in(client)


def test_a_password_that_has_to_be_changed_and_a_lock_are_told_in_words(start: Any, client: Client):
    """OpenLDAP lets somebody in who has to change the password: it says so in a control alone."""
    server = start(person("cora"), person("dora"), policy=True)
    rules = {"objectClass": ["applicationProcess", "pwdPolicy"], "cn": "policy", "pwdAttribute": "userPassword",
             "pwdLockout": "TRUE", "pwdMaxFailure": "2", "pwdMustChange": "TRUE"}  # fmt: skip
    server.add([(f"cn=policy,{BASE}", rules)])
    server.change(f"dn: cn=cora,ou=pupils,{BASE}\nchangetype: modify\nadd: pwdReset\npwdReset: TRUE\n")
    school(server)
    change = log_in(client, "cora")
    assert (change.status_code, "change the password of your school account" in change.content.decode()) == (403, True)
    log_in(client, "dora", "wrong")
    log_in(client, "dora", "wrong")
    locked = log_in(client, "dora", "wrong")
    assert (locked.status_code, "locked" in locked.content.decode()) == (403, True)
    assert AccessAttempt.objects.get().failures_since_start == 2
    assert not is_in(client)


def test_a_referral_among_the_answers_is_nobody(start: Any):
    server = start(person("cora"))
    referral = {
        "objectClass": ["referral", "extensibleObject"],
        "ou": "forest",
        "ref": f"ldap://localhost:1/ou=x,{BASE}",
    }
    server.add([(f"ou=forest,{BASE}", referral)])
    school(server)
    assert entered("cora")
