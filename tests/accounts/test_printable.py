"""Text that no page can show: one rule, wherever it comes in."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.printable import validate_printable
from classes.models import LabClass
from clusters.models import Cluster, ClusterNotice
from vms.models import MachineSet, VirtualMachine

UNPRINTABLE = ["\0", "\x07", "\x1b[31m", "\x7f", "\x9b", "\ufffe", "\ud800"]


@pytest.mark.parametrize("text", ["Año ñ\u200d👩\u200d💻", "a\tb\r\nc", "\u202a\u0628", "\xa0", ""])
def test_what_people_write_is_accepted(text: str):
    validate_printable(text)


@pytest.mark.parametrize("text", UNPRINTABLE)
def test_control_characters_are_refused_with_their_line(text: str):
    with pytest.raises(ValidationError, match=rf"Line 2 .*U\+{ord(text[0]):04X}"):
        validate_printable(f"a\nb{text}")


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\u2028b"])
def test_a_line_is_one_line(text: str):
    validate_printable(text)
    with pytest.raises(ValidationError):
        validate_printable(text, one_line=True)


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (User, "first_name"),
        (User, "email"),
        (Cluster, "name"),
        (Cluster, "host"),
        (Cluster, "addresses"),
        (LabClass, "lesson"),
        (LabClass, "description"),
        (MachineSet, "name"),
        (VirtualMachine, "note"),
        (VirtualMachine, "guest_login"),
        (ClusterNotice, "text"),
    ],
)
@pytest.mark.parametrize("text", UNPRINTABLE)
def test_no_form_saves_what_no_page_can_show(model: Any, field: str, text: str):
    others = [one.name for one in model._meta.concrete_fields if one.name != field]
    with pytest.raises(ValidationError) as caught:
        model(**{field: f"a{text}b"}).clean_fields(exclude=others)
    assert set(caught.value.message_dict) == {field}


@pytest.mark.django_db
def test_the_form_of_a_user_names_the_field(client: Client, lab_admin: User, ana: User):
    client.force_login(lab_admin)
    page = client.post(
        reverse("admin:accounts_user_change", args=[ana.pk]), {"username": "ana", "first_name": "A\x07na"}
    )
    assert "U+0007" in page.content.decode()
    ana.refresh_from_db()
    assert "\x07" not in ana.first_name
