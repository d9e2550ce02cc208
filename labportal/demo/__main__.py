"""Start the demo, print how to use it, and wait."""

import argparse
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import requests
from cryptography.fernet import Fernet

from labportal.demo import cut, folder, terminal, walk
from labportal.demo.supervisor import ROOT, Supervisor
from labportal.demo.world import ASSIGNMENTS, TEACHERS, World

WORDS = "amber birch cedar delta ember fjord glade heron iris juniper lemur maple north otter pearl quartz".split()
ANSWER = 5.0  # seconds that one answer may take
# Nobody who tries the demo waits for long. The environment may say otherwise.
IMPATIENT = {"SYNC_INTERVAL": "3", "ALERT_HOLD": "5"}
UNSET = (
    "SECRET_KEY_FILE", "FIELD_ENCRYPTION_KEY_FILE", "PVE_HOST", "PVE_ADMIN_USER", "PVE_ADMIN_PASS", "PVE_VERIFY",
    "REDIS_URL", "PORTAL_URL", "ALERT_WEBHOOK_URL", "METRICS_TOKEN",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/demo", description="Lab Portal on three simulated Proxmox VE clusters.")
    parser.add_argument("--port", type=int, default=8000, help="the first port to try (default: 8000)")
    parser.add_argument("--check", action="store_true", help="test the demo once without a browser, and exit")
    parser.add_argument(
        "--check-outage", action="store_true", help="the same, with a cluster that stops and starts again"
    )
    parser.add_argument(
        "--cut", type=float, metavar="SECONDS", help="cut a cluster off for so long, print when what said so, and exit"
    )
    options = parser.parse_args()
    os.umask(0o077)
    signal.signal(signal.SIGINT, _stop)  # also where a shell started it in the background
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    try:
        with listen(options.port) as listener, folder.temporary() as place:
            run(place, listener, check=options.check, outage=options.check_outage, seconds=options.cut)
    except KeyboardInterrupt:
        print("\nStopped. The demo has left no files behind.", flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(place: Path, listener: socket.socket, *, check: bool, outage: bool, seconds: float | None) -> None:
    passwords = {name: _password() for name in ("admin", *TEACHERS, *ASSIGNMENTS)}
    print("Starting three simulated clusters, the portal and its worker …", flush=True)
    world = World()
    log = place / "demo.log"
    with world.simulator, Supervisor(_environment(place), log) as programs:
        world.write_clusters_json(place / "clusters.json")
        task = json.dumps({"passwords": passwords, "maker": [world.maker.full_id, world.maker.secret]})
        programs.run("-m", "labportal.demo.prepare", text=task)
        world.annex.stop()
        programs.start("worker", "manage.py", "worker")
        programs.start("web", "-m", "uvicorn", "labportal.asgi:application", *_server(listener), listener=listener)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        wait_for(address, programs)
        if seconds:
            cut.through(address, world, passwords, place / "mail", seconds=seconds)
            return
        if check or outage:
            if check:
                walk.through(address, world, passwords)
            if outage:
                walk.through_an_outage(address, world, passwords, place / "mail")
            print("The demo works.", flush=True)
            return
        print(greeting(address, passwords, log), flush=True)
        threading.Thread(target=terminal.listen, args=(world,), daemon=True).start()
        mails = terminal.Mailbox(place / "mail")
        while not (ended := programs.ended()):
            mails.tell_new()
            time.sleep(0.5)
        sys.exit(f"{ended} ended unexpectedly:\n{log.read_text(encoding='utf-8')[-4000:]}")


def _environment(place: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return {
        **IMPATIENT,
        **kept,
        **dict.fromkeys(UNSET, ""),
        "DJANGO_SETTINGS_MODULE": "labportal.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DEBUG": "off",
        "CLUSTER_ALLOWED_NETWORKS": "loopback",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DATABASE_URL": f"sqlite:///{place / 'lab_portal.db'}",
        "CLUSTER_CONFIG_FILE": str(place / "clusters.json"),
        "EMAIL_URL": f"filemail:///{place / 'mail'}",
        "ALERT_MAIL_TO": "administrators@school.example",
        "PYTHONUNBUFFERED": "1",
    }


def _server(listener: socket.socket) -> list[str]:
    return [
        "--fd", str(listener.fileno()), "--loop", "uvloop", "--http", "httptools",
        "--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--no-proxy-headers", "--no-access-log",
        "--ws-max-size", "1048576", "--ws-ping-interval", "8", "--ws-ping-timeout", "10",
        "--timeout-graceful-shutdown", "3",
    ]  # fmt: skip


def _password() -> str:
    return "-".join((secrets.choice(WORDS), secrets.choice(WORDS), str(secrets.randbelow(900) + 100)))


def listen(first: int) -> socket.socket:
    """On the first port from here on that is free. It is ours from this moment: no other demo gets it."""
    for port in range(first, min(first + 100, 65536)):
        try:
            return socket.create_server(("127.0.0.1", port), backlog=2048)
        except OSError:
            continue
    sys.exit(f"No free port between {first} and {first + 99}. Choose another port: bin/demo --port N")


def wait_for(address: str, programs: Supervisor) -> None:
    """Until the first answer. The socket takes connections before anybody is there to answer."""
    deadline = time.monotonic() + 60
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and not programs.ended():
            try:
                session.get(f"{address}readyz", timeout=ANSWER).raise_for_status()
            except requests.RequestException:
                time.sleep(0.1)
            else:
                return
    sys.exit("The web server did not start.")


def greeting(address: str, passwords: dict[str, str], log: Path) -> str:
    logins = "\n".join(f"    {name:6} {password}" for name, password in passwords.items())
    return f"""
  Lab Portal is running:  {address}

  Log in with
{logins}

  Look at
    ana    A student with three machines on three clusters. Two of them
           are VM 101: start one, and the other stays stopped. The cluster Annex is not
           responding; its machine shows its last status and how old it is.
    chen   A student with one machine. One button starts it and opens its console.
    tess   A teacher who shares the class "Web servers 201" with cora. Both have a grant for six
           machines. Two are in the class, and ana, ben and chen are on its list. Create an invite.
           The tab Timetable has a lesson every day: Hours and stops starts and shuts down the machines,
           Live says whether they are ready. The tab Machines makes new ones out of a template.
    admin  An administrator. {address}clusters/ shows the state of the clusters,
           {address}admin/clusters/ their settings. Machine templates,
           networks and quotas are in the administration, too.

  Type one of these lines here and watch the pages follow. Mail to administrators appears here, too:
    down building-b      the cluster stops responding
    up building-b        the cluster responds again (also: up annex)
    drop building-a      the consoles disconnect, and their pages reconnect
    slow building-a      the cluster responds too slowly
    renew building-b     the cluster presents another certificate
    fail building-a      the next machine that is made there fails, and can be retried
    guests building-a    the VMIDs that the cluster has
  Log file: {log}
  Ctrl-C stops everything and deletes the demo's folder.
"""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
