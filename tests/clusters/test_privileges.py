"""What is said to be missing is missing, and the lines that are printed grant exactly that."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import pvesim
from accounts.encrypted_fields import Secret
from clusters import privileges, proxmox
from clusters.config import ClusterConfig
from clusters.privileges import Report, Who
from tests.clusters import pveum
from tests.labs import NUMBERS, clock, sim

__all__ = ["clock", "sim"]

MAIN, READER = "portal@pve!portal", "portal@pve!inventory"
RELEASES = ("7.4", "8.4", "9.2")
ALL = ["See machines", "Start and stop", "Console", "Snapshots and revert", "Guest addresses", "Nodes and quorum",
       "Warn before a credential expires",
       "Pools"]  # fmt: skip


@dataclass
class Site:
    """A cluster whose accounts come from nothing but typed lines."""

    pve: pvesim.Cluster

    @property
    def major(self) -> int:
        return self.pve.release.major

    def type(self, *lines: str) -> None:
        pveum.run(self.pve, lines)

    def config(self, main: str = MAIN, reader: str = READER) -> ClusterConfig:
        tokens = self.pve.accounts.tokens
        return ClusterConfig(
            cluster_id=self.pve.name, name="Site", host=self.pve.host, port=self.pve.port, user=main.partition("!")[0],
            token_id=main, token_secret=Secret(tokens[main].secret), read_token_id=reader,
            read_token_secret=Secret(tokens[reader].secret) if reader else None, fingerprint=self.pve.fingerprint(),
        )  # fmt: skip

    def check(self, **names: str) -> Report:
        return privileges.check(self.config(**names))

    def alone(self, **grants: Any) -> "Report":
        """The check of a cluster with one token, which has what its user has: these roles on these paths."""
        acl = {path.replace("_", "/"): role for path, role in grants.items()}
        self.pve.add_user("one@pve", password="none", acl=acl)
        self.pve.add_token("one@pve", "only", privsep=True, acl=acl)
        return self.check(main="one@pve!only", reader="")


@pytest.fixture(params=RELEASES)
def every(request: pytest.FixtureRequest, sim: pvesim.Simulator) -> Iterator[Site]:
    yield from site(sim, request.param)


@pytest.fixture
def newest(sim: pvesim.Simulator) -> Iterator[Site]:
    yield from site(sim, "9.2")


def site(sim: pvesim.Simulator, release: str) -> Iterator[Site]:
    pve = sim.add_cluster(f"site-{next(NUMBERS)}", release=release, statd_interval=0.0)
    pve.add_guest(101, name="a", pool="lab")
    pve.add_guest(102, name="b")
    yield Site(pve)
    sim.remove_cluster(pve.name)


def said(report: Report, feature: str, who: Who = Who.MAIN) -> str:
    return next(result.text for result in report.results if (result.feature, result.who) == (feature, who))


# What a new cluster is told to type


def test_after_the_first_lines_everything_works(every: Site) -> None:
    every.type(*privileges.setup_commands(every.major))
    report = every.check()
    assert {result.text for result in report.results} == {"Works everywhere."}
    assert (report.lines, report.warnings, report.major) == ((), (), every.major)


def test_every_feature_is_judged_in_order(every: Site) -> None:
    every.type(*privileges.setup_commands(every.major))
    assert list(dict.fromkeys(v.feature for v in every.check(reader="").results)) == ALL


def test_the_first_lines_let_the_tokens_work(every: Site) -> None:
    every.type(*privileges.setup_commands(every.major))
    with proxmox.read(every.config()) as pve:
        assert {guest.vmid for guest in pve.resources().guests} == {101, 102}
        assert pve.cluster_status().nodes
        assert [pool.name for pool in pve.pools()] == ["lab"]
    with proxmox.connect(every.config()) as pve:
        assert pve.power("pve1", "qemu", 101, proxmox.Power.START)


def test_the_inventory_token_changes_nothing(every: Site) -> None:
    every.type(*privileges.setup_commands(every.major))
    held = {name for flags in every.pve.access.effective(every.pve.token(READER).identity).values() for name in flags}
    assert held == {"VM.Audit", "Sys.Audit", "Pool.Audit"}


@pytest.mark.parametrize(("who", "token"), [(Who.MAIN, MAIN), (Who.READER, READER)])
def test_the_first_lines_grant_what_is_needed_and_nothing_else(every: Site, who: Who, token: str) -> None:
    every.type(*privileges.setup_commands(every.major))
    flags = every.pve.access.effective(every.pve.token(token).identity)
    wanted = privileges.features(every.major, who, has_reader=True)
    needed = {(need.base, need.privilege) for feature in wanted for need in feature.needs}
    kinds = ("/", "/nodes", "/vms", "/pool", "/storage", "/sdn", "/access", "/access/groups")
    assert {(path, name) for path in kinds for name in flags.get(path, ())} == needed


# What is missing


def rights(major: int) -> list[tuple[str, str, str]]:
    """Each privilege with its role, and the feature that it alone makes possible."""
    asked = [(who, feature) for who in Who for feature in privileges.features(major, who, has_reader=True)]
    found = {(need.role, need.privilege, feature.name) for _, feature in asked for need in feature.needs}
    return sorted(found)


CASES = [(release, *right) for release in RELEASES for right in rights(int(release[0]))]


@pytest.mark.parametrize(("release", "role", "privilege", "feature"), CASES)
def test_without_one_privilege_its_feature_alone_is_missing_until_the_lines_are_typed(
    sim: pvesim.Simulator, release: str, role: str, privilege: str, feature: str
) -> None:
    for place in site(sim, release):
        place.type(*privileges.setup_commands(place.major))
        place.pve.add_role(role, place.pve.access.roles[role] - {privilege})
        report = place.check()
        assert report.missing == (feature,)
        assert f"Missing {privilege} on " in "".join(result.text for result in report.results)
        place.type(*report.lines)
        assert place.check().missing == ()


def test_lines_for_tokens_without_any_right_grant_all_of_it(every: Site) -> None:
    every.pve.add_user("portal@pve", password="none")
    for name in ("portal", "inventory"):
        every.pve.add_token("portal@pve", name)
    report = every.check()
    assert set(report.missing) == set(ALL)
    every.type(*report.lines)
    assert (every.check().missing, every.check().lines) == ((), ())


def test_a_single_token_is_granted_everything(every: Site) -> None:
    report = every.alone()
    every.type(*report.lines)
    assert every.check(main="one@pve!only", reader="").missing == ()


def test_a_user_with_a_password_is_granted_it_without_a_token(newest: Site) -> None:
    newest.pve.add_user("plain@pve", password="typed")
    config = replace(
        newest.alone() and newest.config(main="one@pve!only", reader=""),
        user="plain@pve", password=Secret("typed"), token_id="", token_secret=None,
    )  # fmt: skip
    lines = privileges.check(config).lines
    assert not any("--tokens" in line for line in lines)
    newest.type(*lines)
    assert privileges.check(config).missing == ()


def test_a_token_of_root_is_granted_it_alone(newest: Site) -> None:
    newest.pve.add_user("root@pam", password="none")
    newest.pve.add_token("root@pam", "portal")
    report = newest.check(main="root@pam!portal", reader="")
    assert not any("--users" in line for line in report.lines)
    newest.type(*report.lines)
    assert newest.check(main="root@pam!portal", reader="").missing == ()


def test_a_right_of_the_token_alone_does_not_count(newest: Site) -> None:
    newest.type(*privileges.setup_commands(9))
    newest.pve.revoke("/vms", "portal@pve", "LabPortalOperate")
    report = newest.check()
    assert "Console" in report.missing
    newest.type(*report.lines)
    assert newest.check().missing == ()


# Entries on deeper paths


def test_a_deeper_entry_replaces_what_is_inherited_and_is_named(newest: Site) -> None:
    newest.type(*privileges.setup_commands(9))
    newest.pve.grant("/vms/102", MAIN, "PVEAuditor")
    report = newest.check()
    assert said(report, "Console").startswith("Works everywhere except on /vms/102,")
    assert said(report, "See machines") == "Works everywhere."
    assert report.lines == ()


def test_lines_replace_nothing_that_comes_from_the_root(newest: Site) -> None:
    newest.pve.add_role("Most", newest.pve.access.roles["PVEAdmin"] - {"VM.Console", "Sys.Audit"})
    report = newest.alone(_="Most")
    assert report.missing == ("Console", "Nodes and quorum", "Warn before a credential expires")
    before = newest.pve.access.privileges(newest.pve.token("one@pve!only").identity, "/vms/102").keys()
    newest.type(*report.lines)
    assert newest.check(main="one@pve!only", reader="").missing == ()
    after = newest.pve.access.privileges(newest.pve.token("one@pve!only").identity, "/vms/102").keys()
    assert after >= before | {"VM.Console"}


def test_the_read_only_token_is_not_paid_for_by_the_other(newest: Site) -> None:
    newest.pve.add_user("portal@pve", password="none", acl={"/": "Administrator"})
    newest.pve.add_token("portal@pve", "portal", acl={"/": "Administrator"})
    newest.pve.add_token("portal@pve", "inventory")
    newest.type(*newest.check().lines)
    assert newest.check().missing == ()


def test_an_entry_that_is_not_inherited_does_not_count(newest: Site) -> None:
    report = newest.alone(_vms=("PVEVMAdmin", False))
    assert "See machines" in report.missing
    newest.type(*report.lines)
    assert "See machines" not in newest.check(main="one@pve!only", reader="").missing


# Confined to pools


def test_rights_on_a_pool_work_there_only(newest: Site) -> None:
    assert said(newest.alone(_pool_lab="PVEVMUser"), "Console") == "Works only on /pool/lab."


def test_lines_for_who_is_confined_to_a_pool_stay_there(newest: Site) -> None:
    newest.pve.add_role("Look", ["VM.Audit"])
    report = newest.alone(_pool_lab="Look")
    newest.type(*report.lines)
    assert newest.pve.access.allows(newest.pve.token("one@pve!only").identity, "/vms/101", "VM.Console")
    assert not newest.pve.access.allows(newest.pve.token("one@pve!only").identity, "/vms/102", "VM.Audit")
    assert newest.check(main="one@pve!only", reader="").missing == ()


def test_rights_on_one_machine_work_there_only(newest: Site) -> None:
    newest.pve.add_role("Look", ["VM.Audit"])
    assert said(newest.alone(_vms_102="Look"), "See machines") == "Works only on /vms/102."


# Too much


def test_an_administrator_is_warned_about(newest: Site) -> None:
    assert any("far more privileges than the portal uses" in text for text in newest.alone(_="Administrator").warnings)


def test_root_is_warned_about(newest: Site) -> None:
    newest.pve.add_user("root@pam", password="none")
    newest.pve.add_token("root@pam", "portal", privsep=False)
    assert "belongs to root" in newest.check(main="root@pam!portal", reader="").warnings[0]


def test_an_inventory_token_that_can_do_more_is_warned_about(newest: Site) -> None:
    newest.type(*privileges.setup_commands(9))
    newest.pve.grant("/vms", READER, "LabPortalOperate")
    assert any("reading only, but has more privileges (VM.Console" in text for text in newest.check().warnings)


def test_an_inventory_token_that_may_run_commands_is_warned_about(sim: pvesim.Simulator) -> None:
    for old in site(sim, "8.4"):
        old.type(*privileges.setup_commands(8))
        old.pve.grant("/vms", READER, "LabPortalOperate")
        assert any("run commands inside machines" in text for text in old.check().warnings)


def test_lines_with_the_right_to_run_commands_come_with_a_caution(every: Site) -> None:
    assert bool(every.alone().cautions) is (every.major < 9)


# Lines are for a shell


def test_the_mark_in_a_token_is_quoted() -> None:
    lines = [line for line in privileges.setup_commands(9) if "!" in line]
    assert lines
    assert all(f"'{MAIN}'" in line or f"'{READER}'" in line for line in lines)


def test_a_path_that_a_shell_would_read_is_not_printed(newest: Site) -> None:
    newest.pve.add_role("Look", ["VM.Audit"])
    newest.pve.add_user("one@pve", password="none", acl={"/pool/$(reboot)": "Look"})
    newest.pve.add_token("one@pve", "only", privsep=False)
    assert "reboot" not in "".join(newest.check(main="one@pve!only", reader="").lines)


def test_a_strange_name_stays_one_word() -> None:
    words = shlex.split(privileges.setup_commands(9, user="a;reboot@pve")[-1])
    assert words[words.index("--tokens") + 1] == "a;reboot@pve!inventory"
    assert "reboot@pve" not in words


@pytest.mark.parametrize(("version", "major"), [("7.4-17", 7), ("9.2.11", 9), ("10.0.1", 9), ("", 9)])
def test_a_newer_version_is_taken_for_the_newest_that_is_known(version: str, major: int) -> None:
    assert privileges.major_of(version) == major
