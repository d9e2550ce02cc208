"""The first lines grant exactly what the portal uses: all of it works, and with one privilege less something does not.

`bin/test -n0 -s tests/clusters/test_least_privileges.py` prints the lines, what works, and what each privilege is for.
"""

from collections.abc import Callable

import pytest
from django.test import override_settings

import pvesim
from clusters import privileges, proxmox
from clusters.privileges import Who
from clusters.proxmox import Client, Reader
from tests.clusters.test_privileges import MAIN, RELEASES, Site, clock, sim, site

__all__ = ["clock", "sim"]

RUNNING = ("pve1", "qemu", 110)
OFF = ("pve1", "qemu", 101)

# What the portal asks with the main credential, and with the read-only token, by the feature that it makes possible.
BY_MAIN: dict[str, Callable[[Client], object]] = {
    "See machines": lambda pve: pve.guest_status(*OFF),
    "Start and stop": lambda pve: pve.power(*OFF, proxmox.Power.START),
    "Console": lambda pve: pve.vnc_proxy(*RUNNING),
    "SPICE files": lambda pve: pve.spice(*RUNNING),
    "Snapshots and revert": lambda pve: pve.create_snapshot(*OFF, "lesson"),
    "Guest addresses": lambda pve: pve.interfaces(*RUNNING),
}
BY_READER: dict[str, Callable[[Reader], object]] = {
    "See machines": lambda pve: pve.resources().guests and pve.guest_config(*OFF) and pve.snapshots(*OFF),
    "Nodes and quorum": lambda pve: pve.cluster_status() and pve.node_status("pve1"),
    "Warn before a credential expires": lambda pve: pve.account("portal@pve"),
    "Pools": lambda pve: pve.pools(),
}


def dead(place: Site) -> set[str]:
    """The features of which something is refused, or seen by nobody."""
    found = {name for name, use in BY_MAIN.items() if not works(lambda use=use: _with_main(place, use))}
    return found | {name for name, use in BY_READER.items() if not works(lambda use=use: _with_reader(place, use))}


def works(use: Callable[[], object]) -> bool:
    try:
        return bool(use())
    except proxmox.PermissionMissing:
        return False


def _with_main(place: Site, use: Callable[[Client], object]) -> object:
    with proxmox.connect(place.config()) as pve:
        return use(pve)


def _with_reader(place: Site, use: Callable[[Reader], object]) -> object:
    with proxmox.read(place.config()) as pve:
        return use(pve)


def prepared(place: Site) -> Site:
    place.pve.add_guest(110, name="c", status="running", agent="alive", addresses=["192.0.2.7"])
    place.pve.guest(110).options["vga"] = "qxl"
    place.type(*privileges.setup_commands(place.major))
    return place


@pytest.mark.parametrize("release", RELEASES)
def test_exactly_what_is_granted_is_used(sim: pvesim.Simulator, release: str) -> None:
    with override_settings(SPICE_FILES=True):
        for place in site(sim, release):
            prepared(place)
            report = place.check()
            print(f"\nProxmox VE {release}:", *privileges.setup_commands(place.major), sep="\n  ")
            assert (dead(place), report.missing, report.warnings, report.removals) == (set(), (), (), ())
            print("  -> Nothing is missing.", len(BY_MAIN) + len(BY_READER), "uses, none refused.")


def granted(release: str) -> list[tuple[str, str]]:
    asked = [feature for who in Who for feature in privileges.features(int(release[0]), who, has_reader=True)]
    return sorted({(need.role, need.privilege) for feature in asked for need in feature.needs})


CASES = [(release, *right) for release in RELEASES for right in granted(release)]


@pytest.mark.parametrize(("release", "role", "privilege"), CASES)
def test_with_one_privilege_less_something_fails_and_is_named(
    sim: pvesim.Simulator, release: str, role: str, privilege: str
) -> None:
    with override_settings(SPICE_FILES=True):
        for place in site(sim, release):
            prepared(place)
            place.pve.add_role(role, place.pve.access.roles[role] - {privilege})
            report, broken = place.check(), dead(place)
            print(f"\n{release} without {privilege} in {role}: fails {sorted(broken)}, named {report.missing}", end="")
            assert broken >= set(report.missing) > set()
            assert any(f"Missing {privilege} on " in result.text for result in report.results)


@pytest.mark.parametrize(
    ("consoles", "spice", "named"),
    [(9, False, ["Console"]), (0, True, ["SPICE files"]), (0, False, []), (9, True, ["Console", "SPICE files"])],
)
def test_only_what_is_switched_on_is_asked_for(consoles: int, spice: bool, named: list[str]) -> None:
    with override_settings(CONSOLES_PER_PROCESS=consoles, SPICE_FILES=spice):
        found = [feature.name for feature in privileges.features(9)]
        assert [name for name in found if name in {"Console", "SPICE files"}] == named
        assert ("VM.Console" in "".join(privileges.setup_commands(9))) is bool(named)


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_that_makes_or_destroys_is_asked_for(release: str) -> None:
    lines = "\n".join(privileges.setup_commands(int(release[0])))
    assert "VM.Snapshot" in lines
    for privilege in ("VM.Clone", "VM.Allocate", "VM.Config", "Datastore.", "SDN."):
        assert privilege not in lines


def test_a_token_that_has_more_is_told_so_until_it_is_taken_away(sim: pvesim.Simulator) -> None:
    for place in site(sim, "9.2"):
        prepared(place)
        place.pve.add_role("LabPortalClone", ["VM.Clone", "VM.Allocate"])
        for holder in ("portal@pve", MAIN):
            place.pve.grant("/vms", holder, "LabPortalClone")
        (told,), lines = place.check().warnings, place.check().removals
        assert "portal@pve!portal has privileges that the portal does not use (VM.Allocate, VM.Clone)" in told
        assert lines == ("pveum role delete LabPortalClone",)
        place.type(*lines)
        assert (place.check().warnings, place.check().removals, dead(place)) == ((), (), set())
