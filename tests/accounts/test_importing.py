"""Accounts from a table: the preview, then exactly that, and whom it gives which rights."""

import re
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts import first_passwords, signed
from accounts.importing import planning
from accounts.models import User
from tests.admin_pages import XSS, confirm, elements, rows, said

pytestmark = pytest.mark.django_db

LINE = "dora,Dora,Díaz,dora@school.test"


def url() -> str:
    return reverse("admin:accounts_user_import")


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def pupils() -> Group:
    return Group.objects.create(name="Pupils")


def preview(client: Client, text: str, **ticked: str) -> Any:
    answer = client.post(url(), {"text": text, **ticked})
    assert answer.status_code == 200
    return answer


def bring(client: Client, text: str, **ticked: str) -> Any:
    return confirm(client, url(), preview(client, text, **ticked))


def passwords(answer: Any) -> list[str]:
    return re.findall(r"<code>([a-z2-9-]+)</code>", answer.content.decode())


# The preview


def test_a_preview_tells_who_would_be_new(lena: Client):
    assert rows(preview(lena, f"username,first name,last name,email\n{LINE}")) == [
        "2 dora Dora Díaz dora@school.test will be created"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "username,lastname,firstname,email\ndora,Díaz,Dora,dora@school.test",
        f"sep=,\nusername,first name,last name,email\n{LINE}",
        f"Class 4B\nusername,first name,last name,email\n{LINE}",
        "course1;Email address;username;Surname;First name\n4B;dora@school.test;dora;Díaz;Dora",
    ],
)
def test_columns_in_any_order_make_the_same_account(lena: Client, text: str):
    assert [row[2:] for row in rows(preview(lena, text))] == ["dora Dora Díaz dora@school.test will be created"]


def test_no_account_is_named_after_a_heading(lena: Client):
    answer = lena.post(url(), {"text": "Last Name,First Name,Email Address\nPérez,Ana,ana@school.example"})
    assert answer.status_code == 400
    assert "Line 1 is a header row without a column of user names." in answer.content.decode()


def test_a_preview_writes_nothing(lena: Client):
    preview(lena, LINE)
    assert not User.objects.filter(username="dora").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ANA,Ana,A", "ana Ana A has an account already"),
        ("no spaces,A,B", "invalid Enter a valid username"),
        ("dora,D,D,no-mail", "invalid Enter a valid email"),
        (f"{'x' * 151},A,B", "invalid Ensure this value has at most 150"),
        ("dora,D,D,,Nobodies", "dora D D Nobodies unknown group"),
        ("dora,D,D,,Lab administrator", "for superusers only the group Lab administrator gives permissions"),
        ("dora,D,D,,auditor", "for superusers only the group Auditor gives"),
        ("dora,D,D,,,extra", "invalid expected: username"),
        (",A,B", "invalid"),
    ],
)
def test_a_preview_tells_what_is_not_done(lena: Client, ana: User, line: str, told: str):
    assert told in rows(preview(lena, line))[0]


def test_a_second_line_about_a_person_is_left_out(lena: Client):
    assert rows(preview(lena, f"{LINE}\nDORA,x,y"))[1] == "2 DORA duplicate this person is also on line 1"


def test_a_first_person_who_is_called_user_is_no_heading(lena: Client):
    assert rows(preview(lena, "user,Max,M")) == ["1 user Max M will be created"]


@pytest.mark.parametrize("payload", XSS)
def test_no_cell_makes_an_element(lena: Client, payload: str):
    quoted = '"' + payload.replace('"', '""') + '"'
    plain = elements(preview(lena, "dora,Dora\neva,Eva"))
    assert elements(preview(lena, f"dora,{quoted}\n{quoted},Eva")) <= plain + plain


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b,c", b'"a', b"x" * 10_000_000, b"\x80" * 100])
def test_a_file_that_cannot_be_read_is_told(lena: Client, content: bytes):
    answer = lena.post(url(), {"upload": SimpleUploadedFile("x.csv", content)})
    assert (answer.status_code, b"errorlist" in answer.content) == (400, True)


def test_a_file_is_read_like_pasted_text(lena: Client):
    answer = lena.post(url(), {"upload": SimpleUploadedFile("x.csv", b"\xef\xbb\xbfdora;Dora;D\xc3\xadaz")})
    assert rows(answer) == ["1 dora Dora Díaz will be created"]


def test_more_first_passwords_than_can_be_waited_for_are_refused(lena: Client):
    many = "\n".join(f"p{n},P,P" for n in range(201))
    answer = lena.post(url(), {"text": many})
    assert (answer.status_code, b"more than 200 new people" in answer.content) == (400, True)


# The passwords


def test_a_first_password_is_shown_once_and_works(lena: Client, client: Client):
    answer = bring(lena, LINE)
    (password,) = passwords(answer)
    assert "no-store" in answer["Cache-Control"]
    assert User.objects.get(username="dora").check_password(password)
    assert not passwords(lena.get(url()))


def test_in_print_each_person_has_a_slip_with_the_address(lena: Client):
    assert '<td class="slip">http://testserver/</td>' in bring(lena, LINE).content.decode()


def test_a_confirmation_counts_once(lena: Client):
    page = preview(lena, LINE)
    confirm(lena, url(), page)
    again = confirm(lena, url(), page)
    assert not passwords(again)
    assert rows(again) == ["1 dora Dora Díaz dora@school.test has an account already changed since then"]


def test_a_first_password_is_kept_nowhere(lena: Client, caplog: pytest.LogCaptureFixture):
    (password,) = passwords(bring(lena, LINE))
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of tables
            assert password not in str(cursor.fetchall())
    assert password not in caplog.text


def test_a_first_password_has_to_be_changed(lena: Client):
    bring(lena, LINE)
    assert User.objects.get(username="dora").must_change_password


# Who exists already


def test_who_exists_is_changed_if_asked(lena: Client, ana: User):
    bring(lena, "ANA,Ana,,ana@school.test", update="on")
    before, now = ana, User.objects.get(pk=ana.pk)
    assert (now.username, now.first_name, now.email) == ("ana", "Ana", "ana@school.test")
    assert now.password == before.password


def test_an_empty_cell_leaves_what_is_there(lena: Client, ana: User):
    User.objects.update(first_name="Ana")
    assert rows(preview(lena, "ana,,,", update="on")) == ["1 ana nothing to change"]


def test_who_exists_joins_a_group(lena: Client, ana: User, pupils: Group):
    bring(lena, "ana,,,,pupils", update="on")
    assert list(ana.groups.all()) == [pupils]


# Rights


def test_a_lab_administrator_makes_nobody_staff(lena: Client, pupils: Group):
    bring(lena, f"{LINE},Pupils\neva,E,E,,Auditor")
    dora = User.objects.get(username="dora")
    assert (dora.is_staff, dora.is_superuser, list(dora.groups.all())) == (False, False, [pupils])
    assert not User.objects.filter(username="eva").exists()


def test_any_group_with_a_right_is_for_superusers(lena: Client, pupils: Group):
    pupils.permissions.add(Permission.objects.get(codename="add_user"))
    assert "for superusers only" in rows(preview(lena, f"{LINE},Pupils"))[0]


def test_a_superuser_makes_staff_and_is_told_so(admin_client: Client):
    page = preview(admin_client, f"{LINE},Auditor")
    assert "becomes staff" in rows(page)[0]
    confirm(admin_client, url(), page)
    dora = User.objects.get(username="dora")
    assert (dora.is_staff, dora.is_superuser, dora.groups.get().name) == (True, False, "Auditor")


@pytest.mark.parametrize("who", ["otto", "lena"])
def test_a_lab_administrator_changes_no_staff(lena: Client, auditor: User, who: str):
    assert "for superusers only" in rows(preview(lena, f"{who},New,Name", update="on"))[0]


@pytest.mark.parametrize("by", ["name", "group"])
def test_a_lab_administrator_changes_nobody_with_rights(lena: Client, ana: User, by: str):
    if by == "name":
        ana.user_permissions.add(Permission.objects.get(codename="add_user"))
    else:
        ana.groups.add(Group.objects.get(name="Auditor"))
    assert "for superusers only" in rows(preview(lena, "ana,Ana,A,evil@school.test", update="on"))[0]


def test_who_gets_rights_after_the_preview_is_not_changed(lena: Client, ana: User):
    page = preview(lena, "ana,Ana,A,evil@school.test", update="on")
    ana.groups.add(Group.objects.get(name="Auditor"))
    assert "changed after this preview" in said(confirm(lena, url(), page))
    ana.refresh_from_db()
    assert ana.email == ""


def test_a_group_that_gets_rights_after_the_preview_is_not_joined(lena: Client, pupils: Group):
    page = preview(lena, f"{LINE},Pupils")
    pupils.permissions.add(Permission.objects.get(codename="add_user"))
    assert "changed after this preview" in said(confirm(lena, url(), page))
    assert not User.objects.filter(username="dora").exists()


def test_who_is_no_superuser_any_more_makes_no_staff(client: Client, admin: User):
    client.force_login(admin)
    page = preview(client, f"{LINE},Auditor")
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    admin.user_permissions.set(Permission.objects.filter(codename__in=["add_user", "change_user"]))
    confirm(client, url(), page)
    assert not User.objects.filter(username="dora").exists()


def test_a_preview_of_somebody_else_is_not_confirmed(lena: Client, admin: User):
    page = preview(lena, LINE)
    other = Client()
    other.force_login(admin)
    assert "too old" in said(confirm(other, url(), page))
    assert not User.objects.filter(username="dora").exists()


def test_a_made_up_preview_is_not_confirmed(lena: Client):
    assert "too old" in said(lena.post(url(), {"shown": "x:y:z"}))


def test_an_auditor_imports_nobody(client: Client, auditor: User):
    client.force_login(auditor)
    assert client.get(url()).status_code == client.post(url(), {"text": LINE}).status_code == 403


def test_a_student_is_sent_to_the_login(client: Client, ana: User):
    client.force_login(ana)
    assert client.get(url()).status_code == 302


# Changes in between, and the trail


def test_somebody_who_is_made_in_between_leads_to_a_new_preview(lena: Client):
    page = preview(lena, f"{LINE}\neva,E,E")
    User.objects.create_user("Dora")
    again = confirm(lena, url(), page)
    assert rows(again)[0] == "1 Dora Dora Díaz dora@school.test has an account already changed since then"
    assert not User.objects.filter(username="eva").exists()


def test_somebody_who_is_made_at_the_same_moment_leads_to_a_new_preview(lena: Client, monkeypatch: pytest.MonkeyPatch):
    """The plan has not seen the account, the database refuses a second one."""
    page, known = preview(lena, f"{LINE}\neva,E,E"), planning.people_named
    User.objects.create_user("dora")
    blind = ["the first plan", "the second one"]
    monkeypatch.setattr(planning, "people_named", lambda lines: {} if blind and blind.pop() else known(lines))
    assert "at the same moment" in said(confirm(lena, url(), page))
    assert not User.objects.filter(username="eva").exists()


def test_somebody_who_is_made_while_passwords_are_computed_is_seen(lena: Client, monkeypatch: pytest.MonkeyPatch):
    page = preview(lena, f"{LINE}\neva,E,E")
    monkeypatch.setattr(first_passwords, "make", lambda: User.objects.get_or_create(username="dora") and "a-password")
    assert "changed after this preview" in said(confirm(lena, url(), page))
    assert not User.objects.filter(username="eva").exists()


def test_a_preview_is_good_for_a_while(lena: Client, monkeypatch: pytest.MonkeyPatch):
    page = preview(lena, LINE)
    monkeypatch.setattr(signed, "MAX_AGE", -1)
    assert "too old" in said(confirm(lena, url(), page))


def test_ten_megabytes_of_pasted_text_are_refused(lena: Client):
    answer = lena.post(url(), {"text": "x" * 10_000_000})
    assert (answer.status_code, "at most 512 KB" in answer.content.decode()) == (413, True)


def test_the_trail_tells_who_brought_whom(lena: Client, lab_admin: User, pupils: Group):
    bring(lena, f"{LINE},Pupils")
    entry = LogEntry.objects.get_for_object(User.objects.get(username="dora")).get()
    assert (entry.actor, entry.changes["groups"]) == (lab_admin, ["None", "Pupils"])


def test_the_trail_tells_rights_and_never_a_password(admin_client: Client, ana: User, lab_admin: User):
    ana.set_password("another one entirely")
    ana.is_staff = True
    ana.save()
    ana.groups.add(Group.objects.get(name="Auditor"))
    text = admin_client.get(reverse("admin:auditlog_logentry_changelist")).content.decode()
    assert "password set" in text
    assert "groups: added Auditor" in text
    assert "staff status: no → yes" in text
    assert ana.password not in str(list(LogEntry.objects.values_list("changes", flat=True)))
