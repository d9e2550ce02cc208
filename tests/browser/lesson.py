"""A lesson in the demo from start to end, by six people in browsers of their own, and then a class of new machines.

`bin/lesson [FOLDER]` prints a line a step with what was seen, saves a picture of each, and ends with 1 when one fails.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser import lesson_making
from tests.browser.chromium import executable
from tests.browser.demo import running
from tests.browser.lesson_play import PATIENCE, PEOPLE, Lesson, Story, play, watch_bar
from tests.browser.screens import COLOURS, INK, PAPER

NAME = "Networks, Thursday"
STUDENTS = ("ana", "ben", "chen")

STORY = Story()
step = STORY.step


@step("everybody logs in")
async def log_in(lesson: Lesson) -> str:
    await asyncio.gather(*(_log_in(lesson, name) for name in PEOPLE))
    return f"{len(PEOPLE)} sessions: {', '.join(PEOPLE)}"


async def _log_in(lesson: Lesson, name: str) -> None:
    page = lesson.pages[name]
    await page.goto(lesson.demo.address)
    await page.get_by_label("User name").fill(name)
    await page.get_by_label("Password").fill(lesson.demo.passwords[name])
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/vms/**")


@step("the teacher makes a class on the granted pool")
async def make_a_class(lesson: Lesson) -> str:
    page = lesson.pages["tess"]
    await page.goto(f"{lesson.demo.address}classes/new/")
    await page.get_by_label("Name", exact=True).fill(NAME)
    await page.get_by_label("Lesson", exact=True).fill("Find out the address of your machine, and ping your neighbour.")
    await page.get_by_label("Baseline snapshot").fill("baseline")
    await page.get_by_label("Building A, web201", exact=True).check()
    await lesson.shoot("new-class", "tess")
    await page.get_by_role("button", name="Create class").click()
    await page.wait_for_url(re.compile(r"/classes/\d+/"))
    found = re.match(r".*/classes/\d+/", page.url)
    assert found
    lesson.address = found[0]
    return f"“{NAME}” on Building A, web201"


@step("and takes three machines")
async def take_machines(lesson: Lesson) -> str:
    page = await lesson.open("tess", "machines/")
    for number in (1, 2, 3):
        await page.get_by_label(f"web201-{number:02}").check()
    await page.get_by_role("button", name="Add selected").click()
    await expect(page.get_by_text("3 machines were added.")).to_be_visible()
    await lesson.shoot("machines", "tess")
    return "3 machines were added."


@step("and a co-owner")
async def share_it(lesson: Lesson) -> str:
    page = await lesson.open("tess", "co-owners/")
    await page.get_by_label("User name").fill("cora")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Make co-owner").click()
    await expect(page.get_by_text("cora · co-owner")).to_be_visible()
    await lesson.shoot("co-owners", "tess")
    return "cora · co-owner"


@step("and keeps the machines as they are: the baseline")
async def save_the_baseline(lesson: Lesson) -> str:
    page = await lesson.open("tess", "live/")
    await page.get_by_role("button", name="Save snapshots of all…").click()
    await page.get_by_label("Name", exact=True).fill("baseline")
    await page.get_by_role("button", name="snapshot").click()
    return await _follow(lesson, page, "baseline")


@step("and invites")
async def invite(lesson: Lesson) -> str:
    page = await lesson.open("tess", "invite/")
    await page.get_by_label("Maximum number of people").fill("10")
    await page.get_by_role("button", name="Create invite").click()
    lesson.link = await page.locator("#link").inner_text()
    lesson.code = await page.locator(".poster code").inner_text()
    hidden = "document.querySelectorAll('dd code, .poster code').forEach(code => code.textContent = '(shown once)')"
    await page.evaluate(hidden)  # not in a picture
    await lesson.shoot("invite", "tess")
    return f"a link of {len(lesson.link.rstrip('/').rpartition('/')[2])} letters and a code of {len(lesson.code) - 1}"


@step("three join by link and code at the same moment")
async def join(lesson: Lesson) -> str:
    await asyncio.gather(_by_link(lesson, "ana"), _by_code(lesson, "ben"), _by_link(lesson, "chen"))
    await lesson.shoot("door", "ana")
    pressed = await asyncio.gather(*(_press_join(lesson, name) for name in STUDENTS))
    machines = [machine for _at, machine in pressed]
    assert len(set(machines)) == len(STUDENTS), machines
    for name in STUDENTS:
        await lesson.shoot("joined", name)
    spread = 1000 * (max(at for at, _machine in pressed) - min(at for at, _machine in pressed))
    got = ", ".join(f"{name} has {machine}" for name, machine in zip(STUDENTS, machines, strict=True))
    return f"{got}; pressed within {spread:.0f} ms"


async def _by_link(lesson: Lesson, name: str) -> None:
    await lesson.pages[name].goto(lesson.link)


async def _by_code(lesson: Lesson, name: str) -> None:
    page = lesson.pages[name]
    await page.goto(f"{lesson.demo.address}join/")
    await page.get_by_label("Code").fill(lesson.code)
    await page.locator("main form button.primary").click()
    await page.get_by_role("button", name="Join the class").wait_for()


async def _press_join(lesson: Lesson, name: str) -> tuple[float, str]:
    """When the browser sent it, and which machine came of it."""
    page, sent = lesson.pages[name], [0.0]
    page.once("request", lambda _request: sent.__setitem__(0, time.monotonic()))
    await page.get_by_role("button", name="Join the class").click()
    said = page.get_by_text("Your machine is")
    await expect(said).to_be_visible()
    found = re.search(r"Your machine is (\S+)\.", await said.inner_text())
    assert found
    return sent[0], found[1]


@step("the lesson starts: all machines at once, with their progress")
async def begin(lesson: Lesson) -> str:
    page = await lesson.open("tess", "live/")
    await page.get_by_role("button", name="Start all stopped (3)").click()
    return await _follow(lesson, page, "start")


async def _follow(lesson: Lesson, page: Page, what: str) -> str:
    """Watch a batch to its end: how the bar moved, and what was said at last."""
    await page.locator("#far").wait_for()
    await lesson.shoot(f"{what}-under-way", "tess")
    seen = await watch_bar(page)
    said = await page.locator("#batch p[role=status]").inner_text()
    await lesson.shoot(f"{what}-done", "tess")
    failed = await page.locator("#batch .badge.error, #batch .badge.failed").count()
    assert seen[-1] == 3, f"{seen}: {said}"
    assert not failed, said
    return f"bar {' → '.join(map(str, seen))} of 3: {said}"


@step("a student opens the screen and asks for help")
async def ask_for_help(lesson: Lesson) -> str:
    page = await lesson.open("ana")
    async with page.context.expect_page() as popup:
        await page.get_by_role("link", name="Open the console").click(timeout=PATIENCE)
    screen = lesson.pages["ana's screen"] = await popup.value
    ink = await _see_pixels(screen, "Connected")
    await screen.keyboard.type("ip address")
    await page.get_by_role("link", name="Ask for help").click()
    await page.get_by_label("What do you need help with?").fill("I have no address. What now?")
    await page.locator("#ask-for-help").click()
    await expect(
        page.get_by_text("Your request was sent. Your teacher sees it on every page of the portal.")
    ).to_be_visible()
    await lesson.shoot("asks-for-help", "ana")
    return f"“I have no address. What now?”; the screen shows {ink} pixels of writing"


async def _see_pixels(page: Page, word: str) -> int:
    """The picture itself: paper, and writing on it."""
    await expect(page.locator("#word")).to_have_text(word, timeout=PATIENCE)
    for _ in range(100):
        found = await page.evaluate(COLOURS)
        if found.get(PAPER, 0) > found.get(INK, 0) > 0:
            return int(found[INK])
        await page.wait_for_timeout(100)
    raise AssertionError("the screen stays empty")


@step("the co-owner sees it and joins the screen")
async def help_her(lesson: Lesson) -> str:
    page = await lesson.open("cora", "live/")
    await expect(page.get_by_text("I have no address. What now?")).to_be_visible()
    await lesson.shoot("call", "cora")
    await page.locator("a[id^=help-console-]").click()
    ink = await _see_pixels(page, "Connected, view only")
    await expect(lesson.pages["ana's screen"].get_by_text("cora is watching")).to_be_visible(timeout=PATIENCE)
    await lesson.shoot("console", "cora")
    await lesson.shoot("console-watched", "ana", lesson.pages["ana's screen"])
    page = await lesson.open("cora", "live/")
    await page.locator("button[id^=help-done-]").click()
    await expect(page.get_by_text("I have no address. What now?")).to_be_hidden()
    return f"{ink} pixels of the same screen; ana reads “cora is watching”; settled"


@step("a student reverts")
async def revert(lesson: Lesson) -> str:
    page = await lesson.open("ben")
    await page.locator("li.machine a.to").click()
    await page.get_by_role("link", name="Revert to baseline").click(timeout=PATIENCE)
    await page.get_by_label("I understand that later changes will be lost").check()
    await lesson.shoot("revert", "ben")
    await page.get_by_role("button", name="Revert").click()
    row = page.get_by_role("row", name=re.compile("Revert to a snapshot “baseline” ben done"))
    await expect(row).to_be_visible(timeout=PATIENCE)
    await lesson.shoot("reverted", "ben")
    return "Revert to a snapshot “baseline”: done"


@step("the teacher ends the lesson")
async def end(lesson: Lesson) -> str:
    page = await lesson.open("tess", "live/")
    await page.locator("#shut-down-all").click()
    running = await page.locator("main input[name=machine]").count()
    await lesson.shoot("end", "tess")
    await page.get_by_role("button", name="Shut down").click()
    await expect(page.locator("#batch p[role=status]")).to_contain_text(
        f"{running} of {running} done", timeout=PATIENCE
    )
    await lesson.shoot("ended", "tess")
    said = await page.locator("#batch p[role=status]").inner_text()
    page = await lesson.open("tess", "invite/")
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("The invite was revoked.")).to_be_visible()
    await lesson.shoot("revoked", "tess")
    return f"shut down {running}: {said}; the invite opens nothing any more"


@step("the administrator sees who used the cluster")
async def look_back(lesson: Lesson) -> str:
    page = lesson.pages["admin"]
    await page.goto(f"{lesson.demo.address}admin/clusters/cluster/")
    await page.get_by_role("link", name="Building A", exact=True).click()
    line = page.get_by_text(f"{NAME} (tess)")
    await expect(line).to_be_visible()
    said = await line.locator("..").inner_text()
    await lesson.shoot("cluster", "admin")
    return next(text for text in said.splitlines() if NAME in text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/lesson", description="A lesson in a demo that it starts, in browsers.")
    parser.add_argument("folder", nargs="?", type=Path, help="for the pictures (default: a new one)")
    parser.add_argument("--port", type=int, default=8100, help="the first port to try")
    options = parser.parse_args()
    if not executable():
        sys.exit("Chromium is not installed: apt install chromium")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="labportal-lesson-"))
    folder.mkdir(parents=True, exist_ok=True)
    with running(options.port) as demo:
        went_well = asyncio.run(play(Lesson(demo, folder), [*STORY, *lesson_making.STORY]))
    sys.exit(0 if went_well else 1)


if __name__ == "__main__":
    main()
