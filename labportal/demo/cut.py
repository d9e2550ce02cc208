"""Cut a cluster off for a while and bring it back, and print when which page, alert and mail said so."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from labportal.demo.terminal import Mailbox
from labportal.demo.walk import Browser, card_of, machines
from labportal.demo.world import World

NAME, MACHINE = "Building B", "db-01"
LOOK_EVERY = 0.2  # seconds
QUIET = 45.0  # without news for so long, nothing more comes
LONGEST = 300.0


class Watch:
    """Prints what changed, with the seconds since the cut."""

    def __init__(self, looks: dict[str, Callable[[], str]]) -> None:
        self._looks = looks
        self._said = {name: look() for name, look in looks.items()}
        self._began = self.last_news = time.monotonic()
        for name, words in self._said.items():
            self._print(name, words)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, words: str) -> None:
        self.last_news = time.monotonic()
        self._print("cluster", words)

    def until(self, over: Callable[[], bool]) -> None:
        """Look again and again, and stop when it is over."""
        while not over():
            for name, look in self._looks.items():
                if (words := look()) != self._said[name]:
                    self._said[name] = words
                    self.last_news = time.monotonic()
                    self._print(name, words)
            time.sleep(LOOK_EVERY)

    def _print(self, name: str, words: str) -> None:
        print(f"  {self.seconds:6.1f} s  {name:<22} {words}", flush=True)


def through(address: str, world: World, passwords: dict[str, str], mail: Path, *, seconds: float) -> None:
    """Exits with 1 when the mails are more than two, or one of them is untrue."""
    ana, admin, mails = Browser(address), Browser(address), Mailbox(mail)
    ana.log_in("ana", passwords["ana"])
    admin.log_in("admin", passwords["admin"])

    def ours() -> list[str]:
        return [subject.removeprefix("[Lab Portal] ") for subject in mails.subjects() if NAME in subject]

    watch = Watch(
        {
            "page Clusters": lambda: _badge(card_of(admin, NAME)),
            "alert on it": lambda: ", ".join(_alerts(card_of(admin, NAME))) or "none",
            "ana's machine there": lambda: _card(ana),
            "mails": lambda: "; ".join(ours()) or "none",
        }
    )
    world.b.stop()
    watch.say("CUT")
    watch.until(lambda: watch.seconds > seconds)
    while_cut = ours()
    world.b.start()
    watch.say("BACK")
    watch.until(lambda: time.monotonic() - watch.last_news > QUIET or watch.seconds > LONGEST)
    _judge(while_cut, ours())


def _judge(while_cut: list[str], all_of_them: list[str]) -> None:
    is_true = while_cut in ([], [f"{NAME} is not responding"])
    is_true &= all_of_them[len(while_cut) :] in ([], [f"{NAME} is responding again"])
    print(f"  {len(all_of_them)} mails, {'all true' if is_true else 'NOT all true'}.", flush=True)
    if len(all_of_them) > 2 or not is_true:
        sys.exit(1)


def _badge(page: str) -> str:
    words = re.findall(r'<span class="badge[^>]*>(?:<svg.*?</svg>)?([^<]*)', page, re.DOTALL)
    return re.sub(r" for .*", "", words[0].strip()) if words else "none"


def _alerts(page: str) -> Iterator[str]:
    for text in re.findall(r'<p class="trouble">([^<]*)', page):
        yield re.sub(r" (?:just now|\S+\s\S+ ago)$", "", text)


def _card(ana: Browser) -> str:
    card = next(card for card in machines(ana.get("/vms/?cluster=").text).values() if MACHINE in card)
    state = "last known state, with its age" if "as of" in card else "fresh"
    return f"{state}, {'with' if 'Start' in card else 'without'} buttons"
