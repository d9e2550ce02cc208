import re
import signal
import subprocess
import sys
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
PVESIM = [sys.executable, "-m", "pvesim"]


def test_help_explains_the_accounts() -> None:
    run = subprocess.run([*PVESIM, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "student@pve" in run.stdout


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    command = [*PVESIM, "--nodes", "one", "--ca-file", str(ca)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        text = "".join(iter(process.stdout.readline, "stop     Ctrl-C\n"))
        [url] = re.findall(r"https://127\.0\.0\.1:\d+", text)
        [token] = re.findall(r"admin@pve!portal=\S+", text)
        assert version_status(url, token, ca) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


def version_status(url: str, token: str, ca: Path) -> int:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"PVEAPIToken={token}"
        return session.get(f"{url}/api2/json/version", verify=str(ca), timeout=5).status_code
