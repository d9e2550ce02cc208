"""Walk through the running demo as a student would, and count at the clusters what arrived there."""

import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

from labportal.demo.terminal import Mailbox
from labportal.demo.world import World

PATIENCE = 60  # seconds


class Browser:
    """A person with a session and no JavaScript."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str) -> requests.Response:
        return self._session.get(self._address + path, timeout=10)

    def post(self, path: str, **form: str) -> requests.Response:
        form["csrfmiddlewaretoken"] = self._session.cookies["csrftoken"]
        return self._session.post(self._address + path, data=form, timeout=10)

    def log_in(self, name: str, password: str) -> None:
        self.get("/accounts/login/")
        expect(self.post("/accounts/login/", username=name, password=password).url.endswith("/vms/"), f"{name} logs in")


def expect(fact: object, what: str) -> None:
    print(f"  {'ok    ' if fact else 'FAILED'} {what}", flush=True)
    if not fact:
        sys.exit(1)


def through(address: str, world: World, passwords: dict[str, str]) -> None:
    ana = Browser(address)
    ana.log_in("ana", passwords["ana"])
    page = ana.get("/vms/?cluster=").text
    cards = machines(page)
    expect(len(cards) == 3 and page.count('class="group"') == 3, "ana sees three machines on three clusters")
    expect(sum("101 ·" in card for card in cards.values()) == 2, "two of them are VM 101")
    mine = next(pk for pk, card in cards.items() if "net101-01" in card)
    other = next(pk for pk, card in cards.items() if "db-01" in card)
    ana.post(f"/vms/{mine}/start/")
    expect(wait_until(ana, mine, "Running"), "net101-01 is running")
    expect("Stopped" in machines(ana.get("/vms/?cluster=").text)[other], "db-01, the other VM 101, stays stopped")
    starts = world.starts()
    expect(starts == {"building-a": 1, "building-b": 0, "annex": 0}, f"the clusters counted these starts: {starts}")
    archive = next(pk for pk, card in cards.items() if "archive" in card)
    expect(wait_until(ana, archive, "as of"), "the stopped cluster's machine shows the age of its status")
    expect("Running" in machines(ana.get("/vms/?cluster=").text)[archive], "and its last status")
    foreign(address, passwords, world, mine)
    tess = Browser(address)
    tess.log_in("tess", passwords["tess"])
    expect("Room 12" in tess.get("/classes/1/timetable/").text, "tess sees the lessons of the class")
    expect("Debian web server" in tess.get("/classes/1/machines/make/").text, "and the template for its machines")
    admin = Browser(address)
    admin.log_in("admin", passwords["admin"])
    listed = admin.get("/admin/clusters/").text
    expect(
        all(name in listed for name in ("Building A", "Building B", "Annex")), "admin sees the clusters in the admin"
    )


def through_an_outage(address: str, world: World, passwords: dict[str, str], mail: Path) -> None:
    """A cluster goes and comes back, while a student and an administrator look at their pages."""
    ana, admin, mails = Browser(address), Browser(address), Mailbox(mail)
    ana.log_in("ana", passwords["ana"])
    admin.log_in("admin", passwords["admin"])
    machine = next(pk for pk, card in machines(ana.get("/vms/?cluster=").text).items() if "db-01" in card)
    ours = partial(state_of, admin, "Building B")
    expect(until(lambda: "Responding" in ours()), "the page Clusters shows Building B as responding")
    world.b.stop()
    expect(until(lambda: "Not responding" in ours()), "once stopped, Building B is shown as not responding")
    card = machines(ana.get("/vms/?cluster=").text)[machine]
    expect("as of" in card and "Stopped" in card, "ana's machine there shows its last status with its age")
    expect("Start" not in re.sub("Started", "", card), "and has no button")
    expect(until(lambda: "Building B is not responding" in "".join(mails.subjects())), "administrators get a mail")
    expect("open" in ours(), "its breaker is open")
    world.b.start()
    expect(until(lambda: "Responding" in ours()), "once started, Building B is shown as responding again")
    card = machines(ana.get("/vms/?cluster=").text)[machine]
    expect("Start" in card and "as of" not in card, "the button is back, and the status is fresh")
    expect(
        until(lambda: "Building B is responding again" in "".join(mails.subjects())), "administrators get another mail"
    )
    told = [subject for subject in mails.subjects() if "Building B" in subject]
    expect(len(told) == 2, f"and no more than these: {told}")


def state_of(admin: Browser, name: str) -> str:
    """The state of one cluster on the page *Clusters*, as text."""
    return re.sub(r"<[^>]+>", " ", card_of(admin, name))


def card_of(admin: Browser, name: str) -> str:
    """The same as HTML."""
    cards = re.findall(r'<section class="card cluster".*?</section>', admin.get("/clusters/").text, re.DOTALL)
    return str(next(card for card in cards if name in card))


def foreign(address: str, passwords: dict[str, str], world: World, machine: str) -> None:
    chen = Browser(address)
    chen.log_in("chen", passwords["chen"])
    before = world.starts()
    expect(chen.post(f"/vms/{machine}/start/").status_code == 404, "chen gets 404 for ana's machine")
    expect(world.starts() == before, "and no cluster heard of it")


def machines(page: str) -> dict[str, str]:
    """The list's entries by the portal's own number, as text."""
    found = re.findall(r'<li class="machine" id="machine-(\d+)">(.*?)</li>', page, re.DOTALL)
    return {pk: re.sub(r"<[^>]+>", " ", body) for pk, body in found}


def wait_until(browser: Browser, pk: str, word: str) -> bool:
    def reached() -> bool:
        card = machines(browser.get("/vms/?cluster=").text).get(pk, "")
        return word in card and "…" not in card

    return until(reached)


def until(fact: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.5)
    return False
