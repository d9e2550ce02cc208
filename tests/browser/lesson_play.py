"""What every part of a lesson needs: who sits where, steps in their order, pictures, and bars to watch."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Error, Page, async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.browser.demo import Demo
from tests.browser.screenshots import DESKTOP

PEOPLE = ("tess", "cora", "ana", "ben", "chen", "admin")
PATIENCE = 60_000  # milliseconds


@dataclass
class Lesson:
    """Who sits where, and what the steps tell each other."""

    demo: Demo
    folder: Path
    pages: dict[str, Page] = field(default_factory=dict)
    address: str = ""  # of the class
    link: str = ""
    code: str = ""
    guests: dict[str, str] = field(default_factory=dict)  # by cluster, what it said of them before any was made
    run: str = ""  # address of the run that made the class's machines
    vmid: str = ""  # of the latecomer's machine
    shots: int = 0

    async def shoot(self, name: str, person: str, page: Page | None = None) -> None:
        self.shots += 1
        file = self.folder / f"{self.shots:02}-{name}-{person}.png"
        await (page or self.pages[person]).screenshot(path=file, full_page=True)

    async def open(self, person: str, path: str = "") -> Page:
        """A page of the class."""
        await self.pages[person].goto(self.address + path)
        return self.pages[person]


Step = Callable[[Lesson], Awaitable[str]]


class Story(list[tuple[str, Step]]):
    """Steps in the order in which they are told. Each returns what was seen."""

    def step(self, title: str) -> Callable[[Step], Step]:
        def add(function: Step) -> Step:
            self.append((title, function))
            return function

        return add


@asynccontextmanager
async def six_browsers(lesson: Lesson) -> AsyncIterator[None]:
    async with async_playwright() as playwright:
        chromium: Browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        for name in PEOPLE:
            context = await chromium.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
            context.set_default_timeout(PATIENCE)
            lesson.pages[name] = await context.new_page()
        try:
            yield
        finally:
            await chromium.close()


async def play(lesson: Lesson, steps: Iterable[tuple[str, Step]]) -> bool:
    """The steps in order, until one fails."""
    begun = time.monotonic()
    async with six_browsers(lesson):
        for number, (title, play_it) in enumerate(steps, 1):
            try:
                seen = await play_it(lesson)
            except (AssertionError, Error) as trouble:
                why = str(trouble).partition("Aria snapshot")[0].strip()  # the whole page: it is in the pictures
                print(f"{time.monotonic() - begun:6.1f} s  {number:2}  FAILED {title}: {why}", flush=True)
                await asyncio.gather(*(lesson.shoot("failed", name) for name in PEOPLE))
                return False
            print(f"{time.monotonic() - begun:6.1f} s  {number:2}  {title}: {seen}", flush=True)
    print(f"The lesson went well. {lesson.shots} pictures: {lesson.folder}", flush=True)
    return True


async def watch_bar(page: Page, patience: float = PATIENCE / 1000) -> list[int]:
    """How a bar moves until it is full. Fails when it is not full after so many seconds."""
    bar, seen = page.locator("#far"), list[int]()
    await bar.wait_for()
    until = time.monotonic() + patience
    while time.monotonic() < until:
        value, most = await bar.evaluate("bar => [bar.value, bar.max]")
        if not seen or value != seen[-1]:
            seen.append(int(value))
        if value == most:
            return seen
        await page.wait_for_timeout(100)
    raise AssertionError(f"the bar does not move on: {seen}")
