"""From the Flask portal to this one, by the commands in docs/upgrade-from-flask.md."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

import pvesim
from tests.labs import clock, sim, simulated

__all__ = ["clock", "sim"]

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "upgrade-from-flask.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0]
SCRIPT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]


# For machines without the program of that name.
SQLITE3 = f"""#!{sys.executable}
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
    print(*row, sep="|")
"""


@dataclass
class Upgrade:
    """The old folder, the new one, and what the page's commands said there, twice."""

    old: Path
    new: Path
    pve: pvesim.Cluster
    keys: dict[str, str]
    old_database: bytes
    said: list[subprocess.CompletedProcess[str]] = field(default_factory=list)
    rows: list[list[tuple[Any, ...]]] = field(default_factory=list)

    def sh(self, text: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run commands in the new portal's folder as the page writes them."""
        own = {
            "PATH": f"{os.environ['PATH']}:{self.new}",
            "HOME": str(self.new),
            "DATABASE_URL": f"sqlite:///{self.new}/lab_portal.db",
            "CLUSTER_CONFIG_FILE": str(self.old / "clusters.json"),
            "CLUSTER_ALLOWED_NETWORKS": "private,loopback",  # the simulator is on this machine
        }
        text = text.replace("/path/to/app", str(self.old))
        return subprocess.run(
            ["sh", "-ec", text], env=own | self.keys | more, cwd=self.new, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def python(self, code: str, **more: str) -> Any:
        """What a script in `bin/manage shell` says last, as JSON."""
        done = self.sh(f"bin/manage shell -c '{code}'", **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def run_the_page(self) -> None:
        self.said.append(self.sh(COMMANDS))
        self.rows.append(rows(self.new))


def old_folder(app: Path, pve: pvesim.Cluster) -> Path:
    """What the Flask portal left: its list of clusters, its own database, its own key."""
    app.mkdir(parents=True)
    entries = [
        {"id": "cluster1", "name": "Main", "host": pve.host, "port": pve.port, "user": "portal@pve",
         "password": "unused", "verify_ssl": False},
        {"id": "cluster2", "host": "10.0.0.2", "user": "root@pam", "password": "s3cond", "is_active": False,
         "priority": 50, "default_storage": None, "admin_group": "adminers", "created_at": "2025-12-12T08:00:00"},
    ]  # fmt: skip
    (app / "clusters.json").write_text(json.dumps(entries, indent=2))
    (app.parent / ".env").write_text("SECRET_KEY=change-me\n")
    with closing(sqlite3.connect(app / "lab_portal.db")) as database:
        database.execute("CREATE TABLE clusters (id INTEGER PRIMARY KEY, cluster_id TEXT, password TEXT)")
        database.commit()
    return app


def new_folder(folder: Path) -> Path:
    """A fresh checkout of this portal, as far as the commands touch it."""
    folder.mkdir()
    (folder / "bin").symlink_to(ROOT / "bin")
    (folder / "sqlite3").write_text(SQLITE3)
    (folder / "sqlite3").chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def upgrade(sim: pvesim.Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    place, pve = tmp_path_factory.mktemp("upgrade"), simulated(sim)
    keys = {"SECRET_KEY": Fernet.generate_key().decode() * 2, "FIELD_ENCRYPTION_KEY": Fernet.generate_key().decode()}
    old = old_folder(place / "old" / "app", pve)
    made = Upgrade(old, new_folder(place / "portal"), pve, keys, (old / "lab_portal.db").read_bytes())
    made.run_the_page()
    made.run_the_page()
    yield made
    sim.remove_cluster(pve.name)


def rows(portal: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(portal / "lab_portal.db")) as database:
        return database.execute("SELECT * FROM clusters ORDER BY cluster_id").fetchall()


DUMP = 'import json\nprint(json.dumps([c.to_dict() for c in Cluster.objects.order_by("cluster_id")]))'


def test_the_pages_commands_bring_the_same_clusters(upgrade):
    done = upgrade.said[0]
    assert done.returncode == 0, done.stderr
    assert "2 created, 0 updated, 0 skipped" in done.stdout
    assert f"cluster1|Main|{upgrade.pve.host}|1\ncluster2|Cluster cluster2|10.0.0.2|0" in done.stdout
    assert "Main: Proxmox VE " in done.stdout
    assert "2 clusters written to " in done.stdout


def test_the_clusters_are_what_they_were(upgrade):
    first, second = upgrade.python(f"from clusters.models import Cluster\n{DUMP}")
    wanted = ("id", "host", "port", "user", "password", "verify_ssl", "is_default", "is_active")
    place = [upgrade.pve.host, upgrade.pve.port, "portal@pve"]
    assert [first[key] for key in wanted] == ["cluster1", *place, "unused", False, False, True]
    assert [second[key] for key in wanted] == ["cluster2", "10.0.0.2", 8006, "root@pam", "s3cond", False, False, False]


def test_the_commands_a_second_time_change_nothing(upgrade):
    again = upgrade.said[1]
    assert again.returncode == 0, again.stderr
    assert "0 created, 0 updated, 2 skipped" in again.stdout
    assert upgrade.rows[0] == upgrade.rows[1]


def test_afterwards_no_password_is_readable_in_either_folder(upgrade):
    files = [path for folder in (upgrade.old, upgrade.new) for path in folder.iterdir() if path.is_file()]
    assert len(files) >= 4
    assert not [path.name for path in files if b"s3cond" in path.read_bytes()]


def test_the_old_database_is_left_alone(upgrade):
    assert (upgrade.old / "lab_portal.db").read_bytes() == upgrade.old_database


def test_without_the_new_database_the_file_has_the_active_cluster(upgrade):
    done = upgrade.sh("bin/manage clusters list", DATABASE_URL="sqlite:////nonexistent/lab_portal.db")
    told = f"Source: clusters.json (the database cannot be reached): {upgrade.old / 'clusters.json'}\ncluster1"
    assert done.stdout.startswith(told)
    assert "cluster2" not in done.stdout


def test_the_pages_script_runs_as_it_is_written(upgrade):
    shutil.copy(upgrade.new / "lab_portal.db", upgrade.new / "copy.db")
    found = upgrade.python(f"{SCRIPT}\n{DUMP}", DATABASE_URL=f"sqlite:///{upgrade.new}/copy.db")
    assert [one["id"] for one in found] == ["cluster1", "cluster2", "cluster3"]
    assert (found[2]["host"], found[2]["password"], found[2]["verify_ssl"]) == ("192.0.2.30", "secret", True)


ANSWERS = {
    "the active ones": ("[c.cluster_id for c in Cluster.objects.filter(is_active=True)]", ["cluster1"]),
    "the default one": ("Cluster.objects.filter(is_default=True).first()", None),
    "one by its id": ('Cluster.objects.filter(cluster_id="cluster2").first().host', "10.0.0.2"),
    "the list of dictionaries": ("[c[\"password\"] for c in registry.load_clusters_from_db()]", ["unused"]),
    "the list by its name": ("[c[\"id\"] for c in registry.CLUSTERS]", ["cluster1"]),
    "what is safe to show": ('"password" in Cluster.objects.first().to_safe_dict()', False),
    "the keys": (
        "list(Cluster.objects.first().to_dict())",
        ["id", "name", "host", "port", "user", "password", "verify_ssl", "is_default", "is_active", "created_at",
         "updated_at"],
    ),
}  # fmt: skip


def test_old_scripts_get_what_they_expect(upgrade):
    heading = "import json\nfrom clusters.models import Cluster\nfrom vms import registry\n"
    asked = ", ".join(question for question, _ in ANSWERS.values())
    assert upgrade.python(f"{heading}print(json.dumps([{asked}]))") == [answer for _, answer in ANSWERS.values()]
