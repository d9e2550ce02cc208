import pytest

from pvesim import Cluster
from tests.pvesim.conftest import Api, Clients


def client(lab: Cluster, clients: Clients, **token: object) -> Api:
    return clients.make(lab, headers=lab.add_token("boss@pve", "t", **token).headers)  # type: ignore[arg-type]


def seen(api: Api) -> set[int]:
    return {row["vmid"] for row in api.data("/cluster/resources", type="vm")}


def test_a_refusal_names_path_and_privilege(pupil: Api) -> None:
    answer = pupil.get("/nodes/pve1/qemu/102/status/current")
    assert answer.status_code == 403
    assert answer.reason == "Permission check failed (/vms/102, VM.Audit)"


def test_a_restricted_user_cannot_tell_missing_from_forbidden(pupil: Api) -> None:
    assert pupil.get("/nodes/pve1/qemu/999/status/current").status_code == 403


def test_lists_are_filtered(pupil: Api) -> None:
    assert seen(pupil) == {101}
    assert [row["vmid"] for row in pupil.data("/nodes/pve1/qemu")] == [101]


def test_a_separated_token_has_only_what_both_have(lab: Cluster, clients: Clients) -> None:
    lab.add_user("few@pve", password="x", acl={"/vms/101": "PVEVMUser"})
    token = lab.add_token("few@pve", "t", acl={"/vms": "PVEAuditor"})
    api = clients.make(lab, headers=token.headers)
    assert seen(api) == {101}
    assert api.post("/nodes/pve1/qemu/101/status/stop").status_code == 403


def test_a_separated_token_without_grants_sees_only_nodes(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients)
    assert {row["type"] for row in api.data("/cluster/resources")} == {"node"}
    assert api.data("/access/permissions") == {}


def test_a_deeper_path_overrides(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients, acl={"/vms": "PVEVMAdmin", "/vms/102": "PVEAuditor"})
    assert api.post("/nodes/pve1/qemu/101/status/stop").status_code == 200
    assert api.post("/nodes/pve1/qemu/102/status/stop").status_code == 403
    assert 102 in seen(api)


def test_no_access_takes_away(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients, acl={"/": "PVEAuditor", "/vms/101": "NoAccess"})
    assert seen(api) == {102, 110, 201}


def test_a_grant_without_propagation_stays_where_it_is(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients, acl={"/": ("PVEAuditor", False)})
    assert api.get("/cluster/status").status_code == 200
    assert seen(api) == set()


def test_a_role_on_a_pool_holds_for_its_members(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients, acl={"/pool/labs": "PVEVMUser"})
    assert seen(api) == {101, 102}
    assert "pool" not in api.row(101)
    lab.put_in_pool(102, None)
    assert seen(api) == {101}


def test_a_role_on_a_pool_adds_to_one_on_the_guest(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients, acl={"/vms/101": "PVEAuditor", "/pool/labs": "PVEVMUser"})
    assert api.post("/nodes/pve1/qemu/101/status/stop").status_code == 200


def test_a_removed_guest_takes_its_grants_along(lab: Cluster, pupil: Api) -> None:
    lab.remove_guest(101)
    lab.add_guest(101, name="new owner")
    assert seen(pupil) == set()


def test_a_revoked_grant_is_gone_with_the_next_request(lab: Cluster, pupil: Api) -> None:
    lab.revoke("/vms/101", "pupil@pve")
    assert pupil.post("/nodes/pve1/qemu/101/status/stop").status_code == 403


def test_permissions_list_paths_with_their_privileges(pupil: Api, boss: Api) -> None:
    assert set(pupil.data("/access/permissions")) == {"/vms/101"}
    assert pupil.data("/access/permissions", path="/vms/101")["/vms/101"]["VM.PowerMgmt"] == 1
    assert boss.data("/access/permissions")["/"]["Sys.Audit"] == 1


def test_the_value_of_a_permission_is_its_propagate_flag(lab: Cluster, clients: Clients) -> None:
    api = client(lab, clients, acl={"/": ("PVEAuditor", False)})
    assert api.data("/access/permissions")["/"]["Sys.Audit"] == 0


def test_the_permissions_of_others_need_audit(pupil: Api, boss: Api) -> None:
    assert pupil.get("/access/permissions", userid="boss@pve").status_code == 403
    assert set(boss.data("/access/permissions", userid="pupil@pve")) == {"/vms/101"}


def test_own_roles_can_be_made(lab: Cluster, clients: Clients) -> None:
    lab.add_role("Looker", ["VM.Audit"])
    api = client(lab, clients, acl={"/vms/102": "Looker"})
    assert seen(api) == {102}


def test_an_unknown_role_is_an_error(lab: Cluster) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        lab.grant("/", "boss@pve", "Emperor")
