"""The demo's terminal: commands that can be typed while it runs, and the mail that the portal sends meanwhile."""

import email
import email.policy
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from labportal.demo.world import World
from pvesim import Cluster

KNOWN = "Type down, up, slow, renew, drop, fail or guests, then building-a, building-b or annex."

# Seconds that every answer of a slow cluster takes: more than it may.
SLOW = 15.0


def listen(world: World) -> None:
    """Until the input ends, which it does at once when the demo runs in the background."""
    for line in sys.stdin:
        if line.strip():
            print(f"  {obey(world, line.split())}", flush=True)


def obey(world: World, words: list[str]) -> str:
    """Carry out a line, and say what was done."""
    clusters = {cluster.name: cluster for cluster in world.clusters}
    if len(words) != 2 or words[0] not in COMMANDS or words[1] not in clusters:
        return KNOWN
    return COMMANDS[words[0]](world, clusters[words[1]])


def _down(_world: World, cluster: Cluster) -> str:
    cluster.stop()
    return f"{cluster.name} is no longer responding."


def _up(_world: World, cluster: Cluster) -> str:
    cluster.faults.clear()
    cluster.start()
    return f"{cluster.name} is responding again."


def _drop(_world: World, cluster: Cluster) -> str:
    cluster.drop_consoles()
    return f"The open consoles of {cluster.name} were disconnected."


def _slow(_world: World, cluster: Cluster) -> str:
    cluster.faults.delay(".", SLOW)
    return f"{cluster.name} takes {SLOW:.0f} seconds for every response."


def _renew(world: World, cluster: Cluster) -> str:
    world.change_certificates(cluster)
    return f"{cluster.name} presents another certificate."


def _fail(_world: World, cluster: Cluster) -> str:
    cluster.faults.clones_fail()
    return f"The next clone on {cluster.name} will fail."


def _guests(_world: World, cluster: Cluster) -> str:
    """With a checksum, which changes as soon as a guest is added, removed, moved or configured otherwise."""
    guests = cluster.guests
    rows = [f"{guest.vmid} {guest.node} {guest.config()['digest']}" for guest in guests]
    checksum = hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]
    vmids = " ".join(str(guest.vmid) for guest in guests)
    return f"{cluster.name} has {len(guests)} guests: {vmids}; checksum of their configurations: {checksum}"


COMMANDS: dict[str, Callable[[World, Cluster], str]] = {
    "down": _down, "up": _up, "drop": _drop, "slow": _slow, "renew": _renew, "fail": _fail, "guests": _guests,
}  # fmt: skip


class Mailbox:
    """The folder into which the portal of the demo puts its mail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = 0

    def subjects(self) -> list[str]:
        """In the order in which they were sent."""
        return [str(email.message_from_string(text, policy=email.policy.default)["Subject"]) for text in self._texts()]

    def tell_new(self) -> None:
        """Print what has come since the last time."""
        subjects = self.subjects()
        for subject in subjects[self._told :]:
            print(f"  Mail to the administrators: {subject}", flush=True)
        self._told = len(subjects)

    def _texts(self) -> list[str]:
        # Django separates the messages of a process by lines of dashes, and has a file for each connection.
        files = sorted(self._folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns)
        return [part.strip() for file in files for part in file.read_text().split("-" * 79) if part.strip()]
