"""bin/serve: refuses what cannot work, restarts what fails, stops together, leaves nothing behind."""

import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from labportal import serve
from tests.labportal.portal_process import ROOT, ended, get, offspring
from tests.labportal.reverse_proxies import free_ports
from tests.waits import PDEATHSIG, TIMEOUT

BEAT = "import time\nwhile True: time.sleep(1)"


@pytest.fixture(scope="module")
def of_a_school(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("school")
    return {
        **os.environ, "DJANGO_SETTINGS_MODULE": "labportal.settings", "DATABASE_URL": f"sqlite:///{folder}/lab.db",
        "SECRET_KEY": secrets.token_urlsafe(50), "FIELD_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "CLUSTER_CONFIG_FILE": str(folder / "none.json"), "STATIC_ROOT": str(folder / "static"),
    }  # fmt: skip


def until(fact: Callable[[], object], *, within: float = TIMEOUT) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def migrated(of_a_school: dict[str, str], migrated_file: Path) -> dict[str, str]:
    shutil.copy(migrated_file, of_a_school["DATABASE_URL"].removeprefix("sqlite:///"))
    return of_a_school


def served(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """What bin/serve says that does not start."""
    command = [ROOT / "bin" / "serve", *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=TIMEOUT)


def test_a_database_without_its_tables_is_refused_with_the_next_step(of_a_school: dict[str, str], tmp_path: Path):
    done = served({**of_a_school, "DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"})
    assert (done.returncode, "bin/manage migrate" in done.stderr) == (1, True)


def test_a_refusal_says_what_was_found_and_what_to_do(migrated: dict[str, str]):
    """A database that a newer version has changed."""
    file = migrated["DATABASE_URL"].removeprefix("sqlite:///")
    for sql in (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('vms', '9999_of_the_future', '2030-01-01')",
        "DELETE FROM django_migrations WHERE name = '9999_of_the_future'",
    ):
        said = served(migrated, "--no-such-argument")
        is_newer = sql.startswith("DELETE")
        assert ("vms.E001" in said.stderr, "restore the backup" in said.stderr) == (is_newer, is_newer)
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute(sql)


@pytest.fixture
def running(migrated: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    (port,) = free_ports(1)
    program = subprocess.Popen(
        [*PDEATHSIG, sys.executable, "-m", "labportal.serve", "--processes", "2", "--port", str(port)],
        env=migrated, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    assert until(lambda: answers(address))
    yield program, address
    program.kill()
    program.wait(TIMEOUT)


def answers(address: str) -> bool:
    try:
        return get(f"{address}/accounts/login/").status_code == 200
    except requests.ConnectionError:
        return False


def named(pids: set[int], word: str) -> list[int]:
    found = []
    for pid in pids:
        with suppress(FileNotFoundError):
            found += [pid] if word in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8") else []
    return found


def killed(starter: int, word: str) -> list[int]:
    """The first of its processes with this word, which is no more; none where there is none at this moment."""
    for pid in named(offspring(starter), word):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return [pid]
    return []


def test_web_processes_and_a_worker_run_and_stop_together(running: tuple[subprocess.Popen[bytes], str]):
    program, _ = running
    assert until(lambda: len(offspring(program.pid)) >= 4)  # uvicorn with two processes, the worker
    below = offspring(program.pid)
    program.send_signal(signal.SIGTERM)
    assert program.wait(TIMEOUT) == 0
    assert ended(below, within=TIMEOUT)


def test_what_is_killed_comes_back(running: tuple[subprocess.Popen[bytes], str]):
    program, address = running
    for word in ("worker", "uvicorn"):
        victims: list[int] = []
        assert until(lambda word=word, victims=victims: victims or victims.extend(killed(program.pid, word)))
        victim = victims[0]
        assert until(lambda word=word, victim=victim: {*named(offspring(program.pid), word)} - {victim})
    assert until(lambda: answers(address))


def test_a_killed_starter_leaves_nothing_behind(running: tuple[subprocess.Popen[bytes], str]):
    program, _ = running
    below = offspring(program.pid)
    program.kill()
    assert ended(below, within=TIMEOUT)


def run_in_thread(server: serve.Server, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where no signals can be had. The exit code appears in the list."""
    monkeypatch.setattr(signal, "signal", lambda *args: None)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(server.run()))
    thread.start()
    thread.join(TIMEOUT)
    return codes


def test_what_cannot_be_kept_running_ends_everything(monkeypatch: pytest.MonkeyPatch):
    healthy = serve.Program("healthy", ["-c", BEAT])
    server = serve.Server([healthy, serve.Program("broken", ["-c", "raise SystemExit(3)"])])
    assert run_in_thread(server, monkeypatch) == [1]
    assert healthy.has_ended()


@pytest.mark.parametrize(("said", "environment", "named"), [
    ([], "", ""), ([], "192.0.2.7", "192.0.2.7"), (["--forwarded-allow-ips=192.0.2.1"], "192.0.2.7", "192.0.2.1"),
    (["--port", "8080", "--forwarded-allow-ips", "192.0.2.0/24"], "", "192.0.2.0/24"),
])  # fmt: skip
def test_only_a_named_proxy_may_say_who_the_client_is(
    said: list[str], environment: str, named: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", environment)
    assert serve._proxies(said) == named


@pytest.mark.parametrize(("said", "environment"), [
    (["--root-path", "/labs"], {}), (["--root-path=/labs"], {}), ([], {"UVICORN_ROOT_PATH": "/labs"}),
])  # fmt: skip
def test_a_path_below_a_host_is_refused(
    said: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["serve", *said])
    monkeypatch.setattr(serve.Server, "run", lambda self: 0)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        serve.main()
    assert (ended.value.code, "needs a host name of its own" in capsys.readouterr().err) == (2, True)
