"""The pages of sources, joining, and what a person's page says of sign-in."""

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.encrypted_fields import MASK
from accounts.models import Directory, OutsideRole, SignInIdentity, SignInSource, User
from accounts.sign_in import joining, session, testing
from accounts.sign_in.testing import TestLine
from tests.accounts.sign_in.people import TEACHERS, directory, enter, gives, let_in, person, provider, roles_of
from tests.api_client import Api

pytestmark = pytest.mark.django_db

RULES = {f"rules-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
DIRECTORY = {
    "name": "school", "label": "School", "position": "0", "servers": "ldaps://dc1.school.example",
    "timeout_seconds": "4", "base_dn": "DC=school,DC=example", "bind_dn": "CN=reader,DC=school,DC=example",
    "new_secret": "reader's password", "flavour": "ad", "id_attribute": "objectGUID", "group_attribute": "member",
    "name_attribute": "sAMAccountName", "username_rule": "whole", **RULES,
}  # fmt: skip


class FakeModule:
    """Stands in for what asks a directory."""

    def __init__(self, *known: Any) -> None:
        self.known = {one.username: one for one in known}
        self.asked: list[str] = []

    def test(self, source: SignInSource, typed: str) -> list[TestLine]:
        self.asked.append(typed)
        return [TestLine("ok", "name", "dc1"), TestLine("bad", "base", "gone"), TestLine("not_asked", "group")]

    def find(self, source: SignInSource, typed: str) -> Any:
        return self.known.get(typed)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> FakeModule:
    tester = FakeModule(person("cora", [TEACHERS], number="4711", email="cora@school.example"))
    monkeypatch.setattr(testing, "_module", lambda source: tester if source.kind == "directory" else None)
    return tester


@pytest.fixture
def root(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def change(source: SignInSource) -> str:
    return f"/admin/accounts/{source.kind.replace('header', 'trustedheader')}/{source.pk}/change/"


def errors(page: Any) -> dict[str, list[str]]:
    return dict(page.context["adminform"].form.errors) if page.context else {}


def rule(**values: Any) -> dict[str, Any]:
    told = {"gives": "entry", "on": "everyone", "claim": "", "value": "", "role": ""} | values
    return {"rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0"} | {f"rules-0-{key}": told[key] for key in told}


def test_a_secret_goes_in_and_never_comes_out(root: Client):
    assert root.post("/admin/accounts/directory/add/", DIRECTORY | rule()).status_code == 302
    made = Directory.objects.get()
    assert (made.secret.reveal(), made.is_active, made.rules.count()) == ("reader's password", False, 1)
    page = root.get(change(made)).content.decode()
    assert "password" in page
    assert "reader&#x27;s password" not in page
    logged = " ".join(str(entry.changes) for entry in LogEntry.objects.all())
    assert MASK in logged
    assert "reader's password" not in logged
    stored = SignInSource.objects.filter(pk=made.pk).extra(select={"raw": "secret"}).values_list("raw", flat=True)[0]
    assert stored.startswith("gAAAA")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"servers": "ldap://dc1.school.example"}, "servers"),
        ({"servers": ""}, "servers"),
        ({"start_tls": "on"}, "start_tls"),
        ({"base_dn": "people"}, "base_dn"),
        ({"person_filter": "(a=b)(c=d)"}, "person_filter"),
        ({"id_attribute": "a)(b"}, "id_attribute"),
        ({"name": "School!"}, "name"),
    ],
)
def test_what_cannot_work_is_refused(root: Client, changed: dict[str, str], field: str):
    page = root.post("/admin/accounts/directory/add/", DIRECTORY | changed)
    assert field in errors(page)
    assert not SignInSource.objects.exists()


def test_a_secret_is_not_sent_to_a_new_server_unseen(root: Client):
    root.post("/admin/accounts/directory/add/", DIRECTORY)
    made = Directory.objects.get()
    moved = DIRECTORY | {"servers": "ldaps://evil.example", "new_secret": ""}
    assert "new_secret" in errors(root.post(change(made), moved))
    root.post(change(made), moved | {"servers": "ldaps://dc1.school.example", "label": "Our school"})
    made.refresh_from_db()
    assert (made.label, made.secret.reveal(), made.credential_version) == ("Our school", "reader's password", 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": "group", "value": "Teachers"},
        {"on": "domain", "value": ""},
        {"on": "claim", "value": "x", "claim": "y"},
        {"gives": "role"},
        {"gives": "role", "role": "Lab administrator"},
        {"gives": "entry", "role": "Teacher"},
    ],
)
def test_rules_that_mean_nothing_or_too_much_are_refused(root: Client, wrong: dict[str, str]):
    if name := wrong.get("role"):
        wrong = wrong | {"role": str(Group.objects.get(name=name).pk)}
    assert root.post("/admin/accounts/directory/add/", DIRECTORY | rule(**wrong)).status_code == 200
    assert not SignInSource.objects.exists()


def test_what_identities_hang_on_stays(root: Client):
    school = provider()
    let_in(school)
    enter(school, person())
    page = root.get(change(school)).content.decode()
    assert 'name="issuer"' not in page
    assert "http://testserver/accounts/sign-in/school/callback/" in page
    assert root.post(f"/admin/accounts/provider/{school.pk}/delete/", {"post": "yes"}).status_code in {200, 403}
    assert SignInSource.objects.exists()


def test_superusers_alone_see_sources(client: Client, lab_admin: User):
    school = directory()
    client.force_login(lab_admin)
    for path in ("", f"{school.pk}/change/", f"{school.pk}/test/", "add/"):
        assert client.get(f"/admin/accounts/directory/{path}").status_code == 403
    assert client.get(f"/admin/accounts/user/{lab_admin.pk}/join/").status_code == 403
    assert client.get("/admin/accounts/user/join/").status_code == 403


# The test of the connection


def test_the_test_says_what_works_and_what_a_person_would_become(root: Client, asked: FakeModule):
    school = directory(is_active=False)
    let_in(school)
    gives(school, "Teacher", TEACHERS)
    page = root.post(f"/admin/accounts/directory/{school.pk}/test/", {"person": "cora"}).content.decode()
    for words in ("dc1", "gone", "not asked", "A new account cora is created.", "Gets Teacher.", "let in", "4711"):
        assert words in page
    assert asked.asked == ["cora"]
    assert User.objects.filter(username="cora").count() == 0
    school.refresh_from_db()
    assert (school.last_test_ok, school.last_test_sentence) == (False, "base: gone")
    assert "knows nobody" in root.post(f"/admin/accounts/directory/{school.pk}/test/", {"person": "x"}).content.decode()


def test_what_a_provider_would_tell_is_typed(root: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(testing, "run", lambda source, typed="": [TestLine("ok", "issuer")])
    school = provider()
    let_in(school, "claim", "science", claim="department")
    gives(school, "Teacher", "staff")
    typed = {"person": "cora", "groups": "staff\nother", "claims": "department=science"}
    page = root.post(f"/admin/accounts/provider/{school.pk}/test/", typed).content.decode()
    assert "Gets Teacher." in page
    assert "refused" in root.post(f"/admin/accounts/provider/{school.pk}/test/", {"person": "cora"}).content.decode()


def test_the_command_says_the_same(asked: FakeModule, capsys: pytest.CaptureFixture[str]):
    school = directory()
    let_in(school)
    gives(school, "Teacher", TEACHERS)
    with pytest.raises(SystemExit):
        call_command("sign_in", "test", school.name, "--person", "cora")
    said = capsys.readouterr().out
    assert "FAIL  base" in said
    assert "Teacher" in said
    assert not User.objects.exists()
    with pytest.raises(CommandError, match="Known: school-ad"):
        call_command("sign_in", "test", "nothing")
    call_command("sign_in", "list")
    assert "school-ad" in capsys.readouterr().out


# Joining


def shown(page: Any) -> str:
    return str(page.context["shown"])


def test_an_administrator_joins_after_a_look(root: Client, asked: FakeModule, ana: User):
    school, page = directory(), f"/admin/accounts/user/{ana.pk}/join/"
    found = root.post(page, {"source": school.pk, "who": "cora"})
    assert "cora@school.example" in found.content.decode()
    assert not SignInIdentity.objects.exists()
    assert root.post(page, {"shown": shown(found)}).status_code == 302
    identity = SignInIdentity.objects.get()
    ana.refresh_from_db()
    assert (identity.user, identity.subject, ana.has_usable_password()) == (ana, "id-of-cora", False)
    assert ana.signs_in_elsewhere
    assert root.get(f"/admin/accounts/user/{ana.pk}/new-password/").status_code == 404


def test_the_password_is_kept_by_choice(root: Client, asked: FakeModule, ana: User):
    page = f"/admin/accounts/user/{ana.pk}/join/"
    found = root.post(page, {"source": directory().pk, "who": "cora", "keep": "on"})
    root.post(page, {"shown": shown(found)})
    ana.refresh_from_db()
    assert ana.has_usable_password()
    assert not ana.signs_in_elsewhere


def test_nobody_is_joined_twice(root: Client, asked: FakeModule, ana: User, ben: User):
    school = directory()
    for one in (ana, ben):
        page = f"/admin/accounts/user/{one.pk}/join/"
        root.post(page, {"shown": shown(root.post(page, {"source": school.pk, "who": "cora"}))})
    assert SignInIdentity.objects.get().user == ana
    assert ben.identities.count() == 0
    assert "knows nobody" in str(root.post(page, {"source": school.pk, "who": "nobody"}).content)


def test_what_was_shown_to_another_is_worth_nothing(root: Client, asked: FakeModule, ana: User, ben: User):
    found = root.post(f"/admin/accounts/user/{ana.pk}/join/", {"source": directory().pk, "who": "cora"})
    root.post(f"/admin/accounts/user/{ben.pk}/join/", {"shown": shown(found)})
    root.post(f"/admin/accounts/user/{ana.pk}/join/", {"shown": "made up"})
    assert not SignInIdentity.objects.exists()


def test_separating_takes_the_roles_from_there_and_no_more(root: Client):
    school = provider()
    let_in(school)
    gives(school, "Teacher", "staff")
    cora = enter(school, person(groups=["staff"]))
    cora.groups.add(Group.objects.get(name="Auditor"))
    page = f"/admin/accounts/user/{cora.pk}/separate/{cora.identities.get().pk}/"
    assert "no password of its own" in root.get(page).content.decode()
    root.post(page)
    assert (roles_of(cora), cora.identities.count()) == ({"Auditor"}, 0)


def test_separating_leaves_nothing_to_whoever_signed_in_from_there(root: Client):
    """Also where another school account goes on letting the owner in."""
    school, other = provider(), provider("other")
    let_in(school)
    cora = enter(school, person())
    joining.by_administrator(other, person("of the owner"), user=cora, keep_password=False, now=timezone.now())
    cora.refresh_from_db()
    api, browser = Api(cora), Client()
    browser.force_login(cora, backend=session.BACKEND)
    assert (api.get("token").status_code, browser.get("/accounts/profile/").status_code) == (200, 200)
    root.post(f"/admin/accounts/user/{cora.pk}/separate/{cora.identities.get(source=school).pk}/")
    assert (api.get("token").status_code, browser.get("/accounts/profile/").status_code) == (401, 302)
    assert api.row.revoked_by_name == "admin"


def test_a_persons_page_says_which_role_came_from_where(root: Client):
    school = provider()
    let_in(school)
    gives(school, "Teacher", "staff")
    cora = enter(school, person(groups=["staff"]))
    cora.groups.add(Group.objects.get(name="Auditor"))
    page = root.get(f"/admin/accounts/user/{cora.pk}/change/").content.decode()
    assert "Teacher: from School since" in page
    assert "Auditor: given by hand" in page
    assert f"/admin/accounts/user/{cora.pk}/separate/" in page
    row = OutsideRole.objects.get()
    values = {
        "username": "cora", "is_active": "on", "theme": "auto", "groups": [group.pk for group in cora.groups.all()],
        "outside_roles-TOTAL_FORMS": "1", "outside_roles-INITIAL_FORMS": "1", "outside_roles-0-id": row.pk,
        "outside_roles-0-user": cora.pk, "outside_roles-0-also_by_hand": "on",
    }  # fmt: skip
    assert root.post(f"/admin/accounts/user/{cora.pk}/change/", values).status_code == 302
    assert roles_of(enter(school, person(groups=[]))) == {"Teacher", "Auditor"}


# In bulk


def test_many_are_joined_by_their_number_after_a_review(root: Client, ana: User, ben: User, lab_admin: User):
    school = provider()
    enter_as = SignInIdentity.objects.create(user=User.objects.create_user("zoe"), source=school, subject="n-9")
    text = (
        "username,number\nana,n-1\nBEN,n-2\nlena,n-3\nnobody,n-4\nzoe,n-9\nadmin,n-5\n"
        f"dup,n-6\ndup,n-7\n{ana.username}2,n-8\nother,\n"
    )
    User.objects.create_user("ana2")
    User.objects.filter(username="ana2").update(first_name="Ana")
    page = root.post("/admin/accounts/user/join/", {"text": text, "source": school.pk})
    by_name = {row.username: str(row.reason) for row in page.context["plan"].rows}
    assert by_name == {
        "ana": "joined", "ben": "joined", "lena": "rights", "nobody": "no-account", "zoe": "same", "admin": "rights",
        "dup": "duplicate", "ana2": "joined", "other": "invalid",
    }  # fmt: skip
    assert SignInIdentity.objects.count() == 1
    root.post("/admin/accounts/user/join/", {"shown": shown(page)})
    joined = dict(SignInIdentity.objects.exclude(pk=enter_as.pk).values_list("user__username", "subject"))
    assert joined == {"ana": "n-1", "ben": "n-2", "ana2": "n-8"}
    ana.refresh_from_db()
    lab_admin.refresh_from_db()
    assert (ana.has_usable_password(), lab_admin.has_usable_password()) == (False, True)


def test_whoever_gets_rights_meanwhile_is_left_out(root: Client, ana: User):
    school = provider()
    page = root.post("/admin/accounts/user/join/", {"text": "ana,n-1", "source": school.pk})
    ana.groups.add(Group.objects.get(name="Lab administrator"))
    root.post("/admin/accounts/user/join/", {"shown": shown(page)})
    assert not SignInIdentity.objects.exists()
    ana.refresh_from_db()
    assert ana.has_usable_password()


def test_a_number_of_several_people_joins_nobody(monkeypatch: pytest.MonkeyPatch, root: Client, ana: User, ben: User):
    class Listing:
        @staticmethod
        def everybody(source: SignInSource, now: Any) -> dict[str, Any]:
            people = [person("one", number="7"), person("two", number="7"), person("three", number="8")]
            return {one.subject: one for one in people}

    monkeypatch.setattr("accounts.sign_in.bulk_joining.import_module", lambda name: Listing)
    page = root.post("/admin/accounts/user/join/", {"text": "ana,7\nben,8", "source": directory().pk})
    assert [str(row.reason) for row in page.context["plan"].rows] == ["several", "joined"]
    root.post("/admin/accounts/user/join/", {"shown": shown(page)})
    assert SignInIdentity.objects.get().subject == "id-of-three"


def test_a_session_ends_when_the_source_is_switched_off(client: Client):
    school = provider()
    let_in(school)
    cora = enter(school, person())
    client.force_login(cora, backend="accounts.backends.OutsideBackend")
    assert client.get("/accounts/profile/").status_code == 200
    for table, values in (
        (SignInSource.objects, {"is_active": False}),
        (SignInIdentity.objects, {"left_at": timezone.now()}),
        (SignInIdentity.objects, {"closed_reason": "disabled"}),
        (User.objects, {"is_active": False}),
    ):
        before = {name: getattr(table.filter().first(), name) for name in values}
        table.update(**values)
        assert client.get("/accounts/profile/").status_code == 302
        table.update(**before)
        client.force_login(cora, backend="accounts.backends.OutsideBackend")
        assert client.get("/accounts/profile/").status_code == 200
