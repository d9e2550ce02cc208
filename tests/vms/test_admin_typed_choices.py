"""The admin without JavaScript: what lists are searched for is typed beside them, and inlines have a row to add."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.models import Permission
from django.db import models
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.autocomplete import CheckedFields
from accounts.models import SignInSource, User
from accounts.typed_choices import MOST_LINES, MOST_OFFERED
from classes.models import LabClass, Membership
from tests.labs import Lab
from vms.models import LeasableNetwork, MachineSet, VirtualMachine

pytestmark = pytest.mark.django_db

GROUP = "/admin/vms/machineset/add/"
ASSIGNMENT = "/admin/vms/assignment/add/"


def searched() -> Iterator[tuple[Any, str]]:
    """All lists of the admin that JavaScript fills: the page or inline, and the field."""
    for page in admin.site._registry.values():
        for part in (page, *(inline(page.model, admin.site) for inline in page.inlines)):
            for name in part.autocomplete_fields:
                yield part, name


def field_of(client: Client, page: str, sent: dict[str, Any], name: str) -> tuple[Any, str]:
    """What the form that is shown again understood of a field, or its error."""
    answer = client.post(page, sent)
    assert answer.status_code == 200
    form = answer.context["adminform"].form
    return form.cleaned_data.get(name), " ".join(form.errors.get(name, []))


@pytest.fixture
def known(building_a: Lab, ana: User) -> dict[type[models.Model], tuple[models.Model, str]]:
    """An object of each kind that is searched for, and what a person types to mean it."""
    network = LeasableNetwork.objects.create(cluster=building_a.row, name="blue", bridge="vmbr1", vlan=7)
    group = MachineSet.objects.create(name="Lab, ground floor")
    return {
        User: (ana, "ANA"),
        VirtualMachine: (building_a.machine(101), "101"),
        LeasableNetwork: (network, "blue"),
        MachineSet: (group, " lab, ground floor "),
    }


def test_each_list_that_javascript_fills_takes_what_is_typed(admin_user: User, known: dict[Any, Any]):
    request = RequestFactory().get("/admin/")
    request.user = admin_user
    lists = [*searched()]
    assert len(lists) >= 13
    for part, name in lists:
        assert isinstance(part, CheckedFields), f"{part} needs CheckedFields of accounts/autocomplete.py"
        meant, typed = known[part.model._meta.get_field(name).remote_field.model]
        made: Any = part.get_formset(request).form if isinstance(part, InlineModelAdmin) else part.get_form(request)
        assert f'name="{name}__typed"' in made().as_p().partition("<noscript>")[2]
        form = made({f"{name}__typed": typed})
        form.is_valid()
        assert name not in form.errors, (part, form.errors)
        understood = form.cleaned_data[name]
        assert ([understood] if isinstance(understood, models.Model) else [*understood]) == [meant], (part, name)


class MemberInline(CheckedFields[Membership], admin.TabularInline[Membership, LabClass]):
    model = Membership
    fields = autocomplete_fields = ("user",)


def test_an_inline_takes_what_is_typed_too(admin_user: User, ana: User):
    request = RequestFactory().get("/admin/")
    request.user = admin_user
    formset = MemberInline(LabClass, admin.site).get_formset(request)
    counts = {"m-TOTAL_FORMS": "2", "m-INITIAL_FORMS": "0"}
    rows: Any = formset({**counts, "m-0-user__typed": "ana", "m-1-user__typed": "nina"}, prefix="m")
    assert not rows.is_valid()
    assert rows.forms[0].cleaned_data["user"] == ana
    assert rows.forms[1].errors["user"] == ["User: nothing is called “nina”. Check the spelling."]


def test_an_assignment_is_made_by_typing(admin_client: Client, building_a: Lab, ana: User):
    answer = admin_client.post(ASSIGNMENT, {"vm__typed": "net-02", "user__typed": "ana"})
    assert answer.status_code == 302
    assert building_a.machine(102).assignments.get().user == ana


def test_what_is_not_found_is_said_and_kept(admin_client: Client, building_a: Lab, ana: User):
    sent = {"vm__typed": "<net-99>", "user__typed": "ana"}
    assert field_of(admin_client, ASSIGNMENT, sent, "vm")[1] == (
        "Machine: nothing is called “<net-99>”. Check the spelling."
    )
    shown = admin_client.post(ASSIGNMENT, sent).content.decode()
    assert 'value="&lt;net-99&gt;"' in shown
    assert f'<option value="{ana.pk}" selected>ana</option>' in shown


def test_several_matches_are_offered_and_one_of_them_is_chosen(admin_client: Client, building_a: Lab, ana: User):
    shown = admin_client.post(ASSIGNMENT, {"vm__typed": "net", "user": ana.pk})
    error = shown.context["adminform"].form.errors["vm"][0]
    assert error == "Machine: 4 match “net”. Choose in the list, which now shows them."
    assert '<option value=""></option>' in shown.content.decode().partition('name="vm"')[2].partition("</select>")[0]
    chosen = building_a.machine(103)
    assert f'<option value="{chosen.pk}">{chosen}</option>' in shown.content.decode()
    again = {"vm__typed": "net", "vm__offered": "net", "user": ana.pk}
    assert "4 match" in field_of(admin_client, ASSIGNMENT, again, "vm")[1]
    assert admin_client.post(ASSIGNMENT, {**again, "vm": chosen.pk}).status_code == 302
    assert chosen.assignments.get().user == ana


def test_too_many_matches_are_not_offered(admin_client: Client, building_a: Lab):
    rows = [VirtualMachine(cluster=building_a.row, vmid=1000 + n, name=f"pc-{n}") for n in range(MOST_OFFERED + 1)]
    VirtualMachine.objects.bulk_create(rows)
    assert "more than 20 match “pc-”" in field_of(admin_client, ASSIGNMENT, {"vm__typed": "pc-"}, "vm")[1]
    assert field_of(admin_client, ASSIGNMENT, {"vm__typed": "PC-1"}, "vm")[0] == rows[1]


def test_lines_are_added_to_what_is_chosen(admin_client: Client, building_a: Lab):
    first = building_a.machine(101)
    sent = {"name": "Lab", "machines": [first.pk], "machines__typed": "102\r\n\r\nnet-04\nnet-05\nnet-0\n102"}
    shown = admin_client.post(GROUP, sent)
    assert shown.context["adminform"].form.errors["machines"] == [
        "Machines: nothing is called “net-05”. Check the spelling.",
        "Machines: 4 match “net-0”. Choose in the list, which now shows them.",
    ]
    page = shown.content.decode()
    assert [f'value="{building_a.machine(n).pk}" selected' in page for n in range(101, 105)] == [1, 1, 0, 1]
    assert f'<option value="{building_a.machine(103).pk}">' in page
    assert ">\nnet-05\nnet-0</textarea>" in page
    sent |= {"machines__typed": "net-04\nnet-0", "machines__offered": "net-0"}
    assert admin_client.post(GROUP, sent).status_code == 302
    assert {*MachineSet.objects.get(name="Lab").machines.values_list("vmid", flat=True)} == {101, 104}


def test_nonsense_is_an_error_at_the_field(admin_client: Client, building_a: Lab):
    too_many = "\n".join(map(str, range(MOST_LINES + 1)))
    for typed in ("a\0b", "x" * 300, '"', "９" * 3, "9" * 18, "9" * 40, too_many):  # noqa: RUF001 - digits, of a kind
        for page, name in ((GROUP, "machines"), (ASSIGNMENT, "vm")):
            understood, error = field_of(admin_client, page, {f"{name}__typed": typed}, name)
            assert understood is None
            assert error.startswith("Machine")


def test_the_text_field_tells_nothing_that_the_search_does_not(client: Client, building_a: Lab, ana: User):
    """Not of machines that are gone, nor anything to a person who may not see such objects."""
    VirtualMachine.objects.filter(vmid=101).update(gone_at=timezone.now())
    ana.is_staff = True
    ana.save()
    ana.user_permissions.set(Permission.objects.filter(codename__in=("add_assignment", "view_virtualmachine")))
    client.force_login(ana)
    sent = {"vm__typed": "net-01", "user__typed": "ana"}
    assert "nothing is called “net-01”" in field_of(client, ASSIGNMENT, sent, "vm")[1]
    assert field_of(client, ASSIGNMENT, sent, "user") == (None, "User: you do not have permission to search here.")
    assert field_of(client, ASSIGNMENT, {"user__typed": "nobody"}, "user")[1] == (
        "User: you do not have permission to search here."
    )


def test_what_was_added_on_the_way_ends_at_a_page_with_words(admin_client: Client):
    """The page that JavaScript closes by itself."""
    answer = admin_client.post(f"{GROUP}?_popup=1", {"name": "Lab", "_popup": "1"})
    assert "<noscript><p>Saved. Go back twice" in answer.content.decode()


def test_each_inline_has_an_empty_row(admin_user: User, known: dict[Any, Any]):
    """Its button for another one is JavaScript's."""
    SignInSource.objects.create(name="school", label="School")
    request = RequestFactory().get("/admin/")
    request.user = admin_user
    inlines = [inline(page.model, admin.site) for page in admin.site._registry.values() for inline in page.inlines]
    growing = [one for one in inlines if one.has_add_permission(request, None)]
    assert len(growing) >= 3
    assert [one for one in growing if one.extra < 1] == []
