"""Programs of others at the API of a demo: Ansible with the inventory plugin, and every line of the curl page."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.labportal.portal_process import ROOT
from tests.waits import PDEATHSIG, TIMEOUT, read_line_with, wait_until

DOCS = ROOT / "docs"
LINES = re.findall(r"^api .*$", (DOCS / "api-curl.md").read_text(encoding="utf-8"), re.MULTILINE)
HEAD = re.findall(r"^(?:api|key)\(\) .*$", (DOCS / "api-curl.md").read_text(encoding="utf-8"), re.MULTILINE)

# The example's snapshot is saved in the background, so it is not there yet.
GONE = {line for line in LINES if "$SNAPSHOT" in line}


class Portal:
    """A demo, and a teacher's token with all rights."""

    def __init__(self, address: str, password: str) -> None:
        self.address, self.token = address.rstrip("/"), ""
        with requests.Session() as browser:
            browser.trust_env = False
            self._post(browser, "/accounts/login/", username="tess", password=password)
            rights = ["read", "write", "destroy"]
            page = self._post(
                browser, "/accounts/profile/tokens/", name="robot", rights=rights, days=1, password=password
            )
            self.token = re.findall(r"labp_[A-Za-z0-9]{40}", page.text)[0]

    def _post(self, browser: requests.Session, path: str, **data: Any) -> requests.Response:
        browser.get(self.address + path, timeout=TIMEOUT)
        token = browser.cookies["csrftoken"]
        headers = {"Referer": self.address + path}
        return browser.post(
            self.address + path, data | {"csrfmiddlewaretoken": token}, headers=headers, timeout=TIMEOUT
        )

    def items(self, path: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.address}/api/v1/{path}", headers=headers, timeout=TIMEOUT)
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("demo")
    command = [*PDEATHSIG, sys.executable, "-m", "labportal.demo", "--port", "8900"]
    environment = {**os.environ, "TMPDIR": str(folder), "no_proxy": "127.0.0.1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            [address] = re.findall(r"http://\S+?/", read_line_with(process, "http://", 120))
            password = read_line_with(process, "tess", 120).split()[1]
            portal = Portal(address, password)
            wait_until(lambda: portal.items("machines"))
            yield portal
        finally:
            process.kill()


def ansible(demo: Portal, folder: Path, *asked: str) -> str:
    """As docs/api.md says: the plugin in a folder beside the playbooks."""
    shutil.copytree(DOCS / "ansible" / "inventory_plugins", folder / "inventory_plugins", dirs_exist_ok=True)
    (folder / "ours.labportal.yml").write_text(f"plugin: labportal\nurl: {demo.address}\n")
    program = Path(sys.executable).parent / "ansible-inventory"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "LABPORTAL_TOKEN": demo.token,
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
        "no_proxy": "127.0.0.1",
    }
    done = subprocess.run(
        [program, "--playbook-dir", ".", "-i", "ours.labportal.yml", *asked],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert demo.token not in done.stdout + done.stderr
    return done.stdout


def test_ansible_reads_the_inventory(demo: Portal, tmp_path: Path):
    graph = ansible(demo, tmp_path, "--graph")
    machines, classes = demo.items("machines"), demo.items("classes")
    print(graph)
    for one in machines:
        assert f"cluster_{one['cluster'].replace('-', '_')}:" in graph
    for lab_class in classes:
        assert f"class_{re.sub('[^A-Za-z0-9_]+', '_', lab_class['name'])}:" in graph
    hosts = json.loads(ansible(demo, tmp_path, "--list"))["_meta"]["hostvars"]
    assert {one["labportal_id"] for one in hosts.values()} == {one["id"] for one in machines if not one["template"]}
    assert {one["ansible_port"] for one in hosts.values()} == {22}


def test_ansible_tells_what_is_wrong(demo: Portal, tmp_path: Path):
    (tmp_path / "ours.labportal.yml").write_text("")
    kept, demo.token = demo.token, "labp_" + "x" * 40
    try:
        with pytest.raises(AssertionError, match="401"):
            ansible(demo, tmp_path, "--graph")
    finally:
        demo.token = kept


def test_every_line_of_the_curl_page_works(demo: Portal):
    """Reads say 200. What changes something does it, or gives a reason that a person understands."""
    names = known(demo)
    told = {line: _run(demo, line, known(demo, names)) for line in sorted(LINES, key=turn)}
    for line, status in told.items():
        print(status, line)
    reads = {line: status for line, status in told.items() if "--request" not in line}
    assert {line for line, status in reads.items() if status != 200} <= {'api "$PORTAL/api/v1/audit"'}
    assert {
        line: status for line, status in told.items() if status not in {200, 201, 202, 204, 403, 409, 422}
    }.keys() <= GONE
    assert sum(status < 300 for status in told.values()) > len(told) * 0.75


def turn(line: str) -> tuple[bool, bool, bool]:
    """What makes something first, then what reads it, and what needs it last: days before whole lessons."""
    ends = any(word in line for word in ("DELETE", "/retry", "/cancel", "/undo", "/revert"))
    return ends, "--request" not in line, "$DAY" not in line


def known(demo: Portal, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """The variables of the lines. What there was none of before is looked for again."""
    found = names if names is not None else {"SNAPSHOT": "before-lesson-3"}
    number = found.setdefault("CLASS", demo.items("classes")[0]["id"])
    machines = demo.items(f"classes/{number}/machines")
    found |= {"MACHINE": machines[0]["machine"], "CLUSTER": machines[0]["cluster"], "VMID": machines[0]["vmid"]}
    found["MACHINES"] = [one["machine"] for one in machines[:2]]
    for name, path in {
        "OPERATION": "operations", "BATCH": "batches", "RUN": "runs", "MEMBER": f"classes/{number}/people",
        "LESSON": f"classes/{number}/lessons", "INVITE": f"classes/{number}/invites",
    }.items():  # fmt: skip
        if name not in found and (rows := demo.items(path)):
            found[name] = rows[0]["id"]
    if days := demo.items(f"classes/{number}/occurrences"):
        found |= {"DAY": days[-1]["day"], "LESSON": days[-1]["lesson"]}
    return found


def _run(demo: Portal, line: str, names: dict[str, Any]) -> int:
    environment = {name: str(value) for name, value in names.items()}
    environment |= {"PATH": os.environ["PATH"], "PORTAL": demo.address, "TOKEN": demo.token, "no_proxy": "127.0.0.1"}
    line = line.replace("[1, 2]", str(names["MACHINES"])).replace('"machine": 1', f'"machine": {names["MACHINE"]}')
    script = "\n".join([*HEAD, line.replace("api ", 'api --write-out "\\n%{http_code}" ', 1)])
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    return int(done.stdout.rsplit("\n", 1)[-1] or 0)
