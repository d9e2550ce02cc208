"""Personal tokens: made on one's own page, shown once, and no more than their owner and their own limits allow."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken, User
from tests.api_client import EVERYTHING, Api
from tests.conftest import PASSWORD
from tests.labs import queries
from vms.models import MachineSet

pytestmark = pytest.mark.django_db

PAGE = "/accounts/profile/tokens/"
WANTED = {"name": "Ansible", "rights": ["read"], "scope": "", "days": "90", "networks": "", "password": PASSWORD}


def created(client: Client, **changes: Any) -> str:
    """The text of a token that the page made."""
    page = client.post(PAGE, WANTED | changes)
    assert page.status_code == 200, page.content.decode()
    found = tokens.FORM.search(page.content.decode())
    assert found
    assert "no-store" in page.headers["Cache-Control"]
    return found[0]


def status(text: str, **more: Any) -> int:
    return Client().get("/api/v1/token", headers={"Authorization": f"Bearer {text}"}, **more).status_code


def test_a_token_is_shown_once_and_works(client: Client, ana: User):
    client.force_login(ana)
    text = created(client)
    assert text not in client.get(PAGE).content.decode()
    token = ApiToken.objects.get()
    assert text[5:] not in str(token.__dict__)
    assert (token.expires_at - timezone.now()).days in {89, 90}
    told = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {text}"}).json()
    assert (told["name"], told["owner"], told["rights"]) == ("Ansible", "ana", ["read"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("days", "366"), ("days", "0"), ("rights", []), ("networks", "home"), ("scope", "group:1"), ("name", "a\x07b"),
     ("password", "wrong"), ("password", "")],
)  # fmt: skip
def test_what_makes_no_token(client: Client, ana: User, field: str, value: Any):
    client.force_login(ana)
    assert client.post(PAGE, WANTED | {field: value}).status_code == 400
    assert not ApiToken.objects.exists()


def test_a_token_can_be_for_one_group_of_ones_own(client: Client, ana: User, ben: User):
    mine, foreign = (MachineSet.objects.create(name=name) for name in ("Mine", "Foreign"))
    mine.stewards.add(ana)
    foreign.stewards.add(ben)
    client.force_login(ana)
    page = client.get(PAGE).content.decode()
    assert f'value="group:{mine.pk}"' in page
    assert f'value="group:{foreign.pk}"' not in page
    text = created(client, scope=f"group:{mine.pk}")
    token = ApiToken.objects.get()
    assert (token.scope, token.scope_pk, token.scope_name) == ("group", mine.pk, "Mine")
    assert status(text) == 200
    assert client.post(PAGE, WANTED | {"scope": f"group:{foreign.pk}"}).status_code == 400


def test_nobody_has_more_tokens_than_one_can_look_after(client: Client, ana: User):
    client.force_login(ana)
    for _ in range(tokens.MOST):
        Api(ana)
    assert b"Revoke one first" in client.post(PAGE, WANTED).content
    ApiToken.objects.first().revoke(by="ana")  # type: ignore[union-attr]
    assert created(client)


def test_the_check_costs_one_query(ana: User):
    api = Api(ana)
    api.get("token")  # notes the use
    with queries() as asked:
        assert api.get("token").status_code == 200
    assert len(asked) == 1


def test_its_use_is_noted_once_a_minute(ana: User, monkeypatch: pytest.MonkeyPatch):
    api, now = Api(ana), timezone.now()
    for seconds, noted in ((0, 0), (59, 0), (60, 60)):
        monkeypatch.setattr(timezone, "now", lambda at=seconds: now + timedelta(seconds=at))
        api.get("token")
        assert api.row.last_used_at == now + timedelta(seconds=noted)


ENDS = {
    "revoked": lambda api: api.token.revoke(by="admin"),
    "expired": lambda api: ApiToken.objects.update(expires_at=timezone.now()),
    "owner deactivated": lambda api: User.objects.update(is_active=False),
    "owner has no password any more": lambda api: User.objects.update(password=make_password(None)),
    "owner deleted": lambda api: User.objects.all().delete(),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_token_ends_it_at_once(ana: User, end: str):
    api = Api(ana)
    assert api.get("token").status_code == 200
    ENDS[end](api)
    answer = api.get("token")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="Lab Portal"')


def test_a_token_waits_while_its_owner_has_to_change_the_password(ana: User):
    api = Api(ana)
    User.objects.update(must_change_password=True)
    assert (api.get("token").status_code, "Change your password" in api.get("token").json()["detail"]) == (403, True)
    User.objects.update(must_change_password=False)
    assert api.get("token").status_code == 200


@pytest.mark.parametrize(
    ("networks", "address", "wanted"),
    [
        ("", "203.0.113.7", 200), ("203.0.113.0/24", "203.0.113.7", 200), ("203.0.113.0/24", "203.0.114.7", 403),
        ("10.0.0.0/8\n203.0.113.7", "203.0.113.7", 200), ("2001:db8::/32", "2001:db8::1", 200),
        ("203.0.113.0/24", "::ffff:203.0.113.7", 200), ("203.0.113.0/24", "unknown", 403),
        ("203.0.113.0/24", "2001:db8::1", 403),
    ],
)  # fmt: skip
def test_networks(ana: User, networks: str, address: str, wanted: int):
    api = Api(ana, networks=networks)
    assert status(api.text, REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="203.0.113.7") == wanted


@pytest.mark.parametrize("right", ["read", "write", "destroy"])
def test_no_right_implies_another(ana: User, right: str):
    api = Api(ana, **(dict.fromkeys(EVERYTHING, False) | {f"may_{right}": True}))
    no_uuid = "00000000-0000-4000-8000-000000000000"
    answers = {
        "read": api.get("machines").status_code,
        "write": api.post(f"operations/{no_uuid}/cancel").status_code,
        "destroy": api.delete("machines/1/snapshots/x").status_code,
    }
    assert {name for name, code in answers.items() if code != 403} == {right}


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Bearer labp_short", "Bearer " + "labp_" + "x" * 40])
def test_nothing_but_a_token_is_let_in(ana: User, header: str):
    assert Client().get("/api/v1/machines", headers={"Authorization": header}).status_code == 401


def test_a_session_is_nobody_here(client: Client, admin: User):
    client.force_login(admin)
    assert client.get("/api/v1/machines").status_code == 401
    answers = [client.get(f"/api/v1/{page}").status_code for page in ("docs/", "openapi.json")]
    assert answers == [200, 200]


def test_the_schema_is_for_who_has_a_token_or_is_logged_in(client: Client, ana: User):
    api = Api(ana, may_read=False)
    assert client.get("/api/v1/openapi.json").status_code == 401
    assert api.get("openapi.json").json()["openapi"] == "3.1.0"
    assert client.get("/api/v1/docs/").url.startswith(reverse("login"))


def test_rights_of_staff_need_the_token_and_the_setting(lab_admin: User, settings: Any):
    plain, staff = Api(lab_admin), Api(lab_admin, as_staff=True)

    def can() -> list[int]:
        return [api.get("audit").status_code for api in (plain, staff)]

    assert can() == [403, 403]
    settings.API_STAFF_TOKENS = True
    assert can() == [403, 200]


def test_only_staff_is_offered_the_rights_of_staff_where_the_portal_allows_it(
    client: Client, lab_admin: User, ana: User, settings: Any
):
    def offered(person: User) -> bool:
        client.force_login(person)
        return b"as_staff" in client.get(PAGE).content

    assert (offered(lab_admin), offered(ana)) == (False, False)
    settings.API_STAFF_TOKENS = True
    assert (offered(lab_admin), offered(ana)) == (True, False)


def test_who_is_shown_without_staff_rights_has_none_and_is_never_saved(admin: User):
    limited = admin.without_staff_rights()
    has = (limited.is_staff, limited.is_superuser, limited.has_perm("vms.view_virtualmachine"))
    assert has == (False, False, False)
    assert (limited.has_perm("classes.add_labclass"), limited == admin, admin.is_superuser) == (True, True, True)
    with pytest.raises(TypeError):
        limited.save()


def test_only_the_owner_and_administrators_revoke(client: Client, ana: User, ben: User, lab_admin: User):
    api = Api(ana)
    client.force_login(ben)
    assert client.post(f"{PAGE}{api.token.pk}/revoke/").status_code == 404
    client.force_login(lab_admin)
    page = reverse("admin:accounts_apitoken_changelist")
    assert b"robot" in client.get(page).content
    client.post(page, {"action": "revoke", "_selected_action": [api.token.pk]})
    assert (api.get("token").status_code, api.row.revoked_by_name) == (401, "lena")
    other = Api(ana)
    client.force_login(ana)
    client.post(f"{PAGE}{other.token.pk}/revoke/")
    assert (other.get("token").status_code, other.row.revoked_by_name) == (401, "ana")
