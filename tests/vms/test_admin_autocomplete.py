"""What is chosen by typing its name, sent as something else by hand."""

import pytest
from django.test import Client

from tests.labs import Lab

pytestmark = pytest.mark.django_db

FORMS = {
    "vms/assignment": ("vm", "user"),
    "vms/clustergrant": ("user", "machine_set"),
    "vms/machineset": ("machines", "stewards"),
    "classes/labclass": ("owner", "co_owners"),
}


@pytest.mark.parametrize("nonsense", ["abc", "１０１", "1e3", "9" * 40, "-1", "1 or 1"])  # noqa: RUF001 - digits, of a kind
@pytest.mark.parametrize("page", FORMS)
def test_nonsense_is_an_error_at_the_field(admin_client: Client, page: str, nonsense: str):
    answer = admin_client.post(f"/admin/{page}/add/", {"name": "x", **dict.fromkeys(FORMS[page], nonsense)})
    assert answer.status_code == 200
    assert set(FORMS[page]) <= set(answer.context["adminform"].form.errors)


def test_the_machines_of_the_default_cluster_are_proposed_first(admin_client: Client, building_a: Lab, building_b: Lab):
    building_b.row.make_default()
    query = {"app_label": "vms", "model_name": "assignment", "field_name": "vm"}
    found = admin_client.get("/admin/autocomplete/", query).json()["results"]
    assert [one["text"].rpartition("(")[2].partition("/")[0] for one in found] == ["building-b"] * 2 + [
        "building-a"
    ] * 4


def test_what_was_chosen_is_still_chosen(admin_client: Client, building_a: Lab):
    machine = building_a.machine(101)
    answer = admin_client.post("/admin/vms/assignment/add/", {"vm": machine.pk, "user": "abc"})
    assert f'<option value="{machine.pk}" selected>' in answer.content.decode()
