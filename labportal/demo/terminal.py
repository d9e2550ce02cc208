"""The demo's terminal: commands that can be typed while it runs, and the mail that the portal sends meanwhile."""

import email
import email.policy
import sys
from pathlib import Path

from labportal.demo.world import World

KNOWN = "Type down, up, slow, renew or drop, then building-a, building-b or annex."

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
    match words:
        case ["down", name] if name in clusters:
            clusters[name].stop()
            return f"{name} is no longer responding."
        case ["up", name] if name in clusters:
            clusters[name].faults.clear()
            clusters[name].start()
            return f"{name} is responding again."
        case ["drop", name] if name in clusters:
            clusters[name].drop_consoles()
            return f"The open consoles of {name} were disconnected."
        case ["slow", name] if name in clusters:
            clusters[name].faults.delay(".", SLOW)
            return f"{name} takes {SLOW:.0f} seconds for every response."
        case ["renew", name] if name in clusters:
            world.change_certificates(clusters[name])
            return f"{name} presents another certificate."
    return KNOWN


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
