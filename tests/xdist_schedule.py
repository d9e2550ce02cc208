"""What begins first, which tests share a process (files, and all that is opened in one Chromium), and what is slow."""

import pytest
from xdist.scheduler import LoadFileScheduling

# Each takes eight seconds of a processor or more: in Chromium, in programs that are started again and again, or because
# every path is taken with every choice. `bin/test --all` runs them, and so does CI; plain `bin/test` leaves them out.
# From the one that takes longest on: begun last, each would leave the other processes without work.
SLOW = (
    "tests/browser/",
    "tests/oidc/",
    "tests/classes/test_release.py",
    "tests/administration/test_look.py",
    "tests/access/test_strings.py",
    "tests/clusters/test_leaks.py",
    "tests/vms/test_many_people.py",
    "tests/vms/test_backups.py",
    "tests/vms/test_process.py",
    "tests/clusters/test_keys_in_use.py",
    "tests/clusters/test_keys.py",
    "tests/access/test_api_schema.py",
    "tests/labportal/test_demo.py",
    "tests/labportal/test_api_programs.py",
    "tests/labportal/test_serve.py",
    "tests/labportal/test_upgrade.py",
    "tests/clusters/proxmox/test_limits.py",
    "tests/clusters/test_import_clusters.py",
    "tests/clusters/test_import_options.py",
    "tests/clusters/test_export_clusters.py",
)
LONG = (
    *SLOW,
    "tests/vms/test_killed_processes.py",
    "tests/classes/test_release_races.py",
    "tests/access/test_matrix.py",
    "tests/clusters/test_races.py",
    "tests/access/test_other_peoples_objects.py",
    "tests/clusters/proxmox/test_deadline.py",
    "tests/clusters/proxmox/test_malformed_answers.py",
    "tests/labportal/test_security_headers.py",
    "tests/labportal/test_health.py",
)


class Spreading(LoadFileScheduling):  # type: ignore[misc]
    """Each browser that is started, and each demo, takes longer than many tests with it."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Spreading | None:
    return Spreading(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")


def _place(item: pytest.Item) -> int:
    return next((place for place, long in enumerate(LONG) if item.nodeid.startswith(long)), len(LONG))
