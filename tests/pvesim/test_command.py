import re
import signal
import subprocess
import sys
from pathlib import Path

import requests

from pvesim import Simulator
from pvesim.__main__ import introduction, node_names
from pvesim.seed import fill, seed
from tests.waits import TIMEOUT, read_until

ROOT = Path(__file__).parents[2]
PVESIM = [sys.executable, "-m", "pvesim"]


def test_help_explains_the_accounts() -> None:
    run = subprocess.run([*PVESIM, "--help"], capture_output=True, text=True, check=True, cwd=ROOT, timeout=TIMEOUT)
    assert "student@pve" in run.stdout
    assert "node-down" in run.stdout
    assert "half-json" in run.stdout


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    command = [*PVESIM, "--nodes", "one", "--ca-file", str(ca)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        text = read_until(process, "stop     Ctrl-C")
        [url] = re.findall(r"https://127\.0\.0\.1:\d+", text)
        [token] = re.findall(r"admin@pve!portal=\S+", text)
        assert version_status(url, token, ca) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0


def version_status(url: str, token: str, ca: Path) -> int:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"PVEAPIToken={token}"
        return session.get(f"{url}/api2/json/version", verify=str(ca), timeout=TIMEOUT).status_code


def test_the_number_of_nodes_and_guests_may_be_chosen() -> None:
    simulator = Simulator()
    cluster = simulator.add_cluster("big", nodes=node_names("32"))
    seed(cluster, "pw", token_secret="11111111-2222-4333-8444-555555555555")
    fill(cluster, 300)
    assert (len(cluster.nodes), len(cluster.guests)) == (32, 300)
    assert "=11111111-" in introduction(cluster, "pw")
    assert node_names("one,two") == ["one", "two"]
