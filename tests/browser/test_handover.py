"""A machine goes from one student to the next, and with it nothing of the one before.

`HANDOVERS=20 bin/test -n0 -s tests/browser/test_handover.py` prints what was seen in twenty rounds.

Round after round the one who has it writes a line (which the machine keeps on its disk) and saves a restore point, the
teacher unassigns while the other one waits, and the other one opens the screen.
"""

import time
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.demo import Demo
from tests.browser.screens import INK, PAPER, colours, expect_word, until_ink
from tests.browser.screenshots import open_page
from tests.samples import HANDOVERS

pytestmark = pytest.mark.browser

WITHIN = 3.0  # seconds in which a console is closed
PATIENCE = 60_000  # milliseconds
MACHINES, PEOPLE = "classes/1/machines/", "classes/1/people/"


@dataclass
class Room:
    """The demo's class with one machine, and who sits where."""

    demo: Demo
    pages: dict[str, Page]

    def go(self, name: str, path: str) -> Page:
        self.pages[name].goto(self.demo.address + path)
        return self.pages[name]

    def row(self, name: str) -> Locator:
        """Of the only machine of the class, for the teacher."""
        return self.go(name, MACHINES).locator("table.history").first.locator("tbody tr")


@pytest.fixture
def room(window: Browser, the_demo: Demo) -> Room:
    made = Room(the_demo, {name: open_page(window, the_demo, name) for name in ("tess", "ana", "ben")})
    _leave_one_machine(made)
    _save_the_baseline(made)
    _enrol(made)
    return made


def _leave_one_machine(room: Room) -> None:
    row = room.row("tess").nth(1)
    row.get_by_role("link", name="Remove").click()
    room.pages["tess"].get_by_role("button", name="Remove machine").click()
    expect(room.row("tess")).to_have_count(1)


def _save_the_baseline(room: Room) -> None:
    page = room.go("tess", "classes/1/live/")
    page.get_by_role("button", name="Save snapshots of all…").click()
    page.get_by_label("Name", exact=True).fill("baseline")
    page.get_by_role("button", name="snapshot").click()
    expect(page.locator("#batch p[role=status]")).to_contain_text("1 of 1 done", timeout=PATIENCE)


def _enrol(room: Room) -> None:
    """Ana gets the machine, ben waits."""
    for name in ("ana", "ben"):
        page = room.go("tess", f"{PEOPLE}add/")
        page.locator("textarea").fill(name)
        page.get_by_role("button", name="Preview").click()
        page.locator("form button.primary").click()
    expect(room.row("tess")).to_contain_text("Ana")


def _open_the_screen(room: Room, name: str) -> Page:
    """From the class's page. After a revert the machine is off, and its card may know that a moment later."""
    until = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < until:
        page = room.go(name, "classes/1/")
        console, start = page.locator("li.machine a.primary"), page.locator("li.machine button[id^=start-]")
        if console.count():
            with page.expect_popup() as popup:
                console.click()
            expect_word(popup.value, "Connected")
            until_ink(popup.value, 0)
            return popup.value
        if start.count():
            start.click()
        page.wait_for_timeout(500)
    raise AssertionError("the machine is not running")


def _leave_something(room: Room, name: str, screen: Page) -> None:
    before = colours(screen)[INK]
    screen.keyboard.type(f"secret of {name}\n")
    until_ink(screen, before)
    page = room.go(name, "classes/1/")
    page.locator("li.machine a.to").click()
    page.get_by_role("button", name="Save a restore point").click(timeout=PATIENCE)
    expect(page.get_by_role("link", name="Replace my restore point")).to_be_visible(timeout=PATIENCE)


def _unassign(room: Room, screen: Page) -> float:
    """Returns after how many seconds the console of who had it was closed."""
    page = room.pages["tess"]
    room.row("tess").get_by_role("link", name="Unassign").click()
    expect(page.get_by_text("Reverting first deletes these restore points: my-save-point")).to_be_visible()
    expect(page.get_by_label("Revert to the baseline")).to_be_checked()
    page.get_by_role("button", name="Unassign").click(no_wait_after=True)
    began = time.monotonic()
    expect(screen.locator("#word")).not_to_have_text("Connected", timeout=PATIENCE)
    return time.monotonic() - began


def _wait_for_the_machine(room: Room, name: str) -> float:
    began = time.monotonic()
    page = room.pages[name]
    while not room.go(name, "classes/1/").locator("li.machine").count():
        assert time.monotonic() - began < PATIENCE / 1000, "the machine did not come"
        page.wait_for_timeout(300)
    return time.monotonic() - began


def _sees_nothing_of(room: Room, name: str, former: str, screen: Page, pristine: int) -> str:
    """Neither on the first screen, which shows the files, nor among the restore points, nor in the history."""
    seen = colours(screen)
    assert seen[PAPER] > seen[INK] == pristine
    page = room.go(name, "classes/1/")
    page.locator("li.machine a.to").click()
    expect(page.locator("main a[href*='/snapshots/baseline/']").first).to_be_visible(timeout=PATIENCE)
    links = page.locator("main a[href*='/snapshots/']").evaluate_all("all => all.map(one => one.href)")
    points = {link.rstrip("/").split("/")[-2] for link in links}
    assert points == {"baseline"}
    assert former not in page.locator("main").inner_text()
    return f"{seen[INK]} pixels of writing, as on the first screen of all; restore points: {', '.join(points)}"


@pytest.mark.timeout(120 + 60 * HANDOVERS)
def test_the_next_one_finds_nothing_of_the_one_before(room: Room) -> None:
    first, second, slowest = "ana", "ben", 0.0
    screen = _open_the_screen(room, first)
    pristine = colours(screen)[INK]
    for number in range(1, HANDOVERS + 1):
        _leave_something(room, first, screen)
        closed = _unassign(room, screen)
        came = _wait_for_the_machine(room, second)
        screen.close()
        screen = _open_the_screen(room, second)
        said = _sees_nothing_of(room, second, first, screen, pristine)
        print(f"\nround {number}: {first}'s console closed after {closed:.2f} s, ready {came:.1f} s later", flush=True)
        print(f"  {second}: {said}", flush=True)
        slowest = max(slowest, closed)
        _let_wait(room, first)
        first, second = second, first
    print(f"{HANDOVERS} rounds; the slowest console was closed after {slowest:.2f} s")
    assert slowest < WITHIN


def _let_wait(room: Room, name: str) -> None:
    page = room.go("tess", PEOPLE)
    page.get_by_role("button", name=f"Put in line {name}").click()
    expect(page.get_by_text("is now in line for a machine.")).to_be_visible()
