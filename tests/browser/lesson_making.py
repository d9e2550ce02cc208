"""A class of twelve in the demo: its machines are made out of a template, changed, and removed again."""

import re

from playwright.async_api import Locator, Page, expect

from tests.browser.lesson_play import Lesson, Story, watch_bar

NAME = "Web servers, Friday"
PLACE, CLUSTER = "Building A, web201-new", "building-a"
CLUSTERS = (CLUSTER, "building-b", "annex")
NEW = ("eva", "finn", "gina", "hugo", "ida", "jon", "kim", "lea", "max", "nora")
TWELVE, LATECOMER = ("ana", "ben", *NEW), "chen"
LONGEST = 180.0  # seconds that a run may take

STORY = Story()
step = STORY.step


@step("the administrator counts the guests, and imports accounts for a larger class")
async def import_accounts(lesson: Lesson) -> str:
    lesson.guests = {cluster: _guests(lesson, cluster) for cluster in CLUSTERS}
    page = lesson.pages["admin"]
    await page.goto(f"{lesson.demo.address}admin/accounts/user/import/")
    await page.get_by_label("Or paste it").fill("\n".join(f"{name},{name.title()}" for name in NEW))
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("heading", name=f"{len(NEW)} accounts will be created")).to_be_visible()
    await lesson.shoot("import-accounts", "admin")  # the page after this one shows passwords
    await page.get_by_role("button", name=f"Import {len(NEW)} people").click()
    await expect(page.get_by_text("Copy or print this list now")).to_be_visible()
    counts = [len(_vmids(told)) for told in lesson.guests.values()]
    return f"{' + '.join(map(str, counts))} guests; {len(NEW)} accounts"


def _guests(lesson: Lesson, cluster: str) -> str:
    """What the simulator holds: how many guests, their VMIDs, and a checksum of their configurations."""
    return lesson.demo.ask(f"guests {cluster}", f"{cluster} has")


@step("the teacher makes a class without machines, and enrols twelve")
async def enrol(lesson: Lesson) -> str:
    page = lesson.pages["tess"]
    await page.goto(f"{lesson.demo.address}classes/new/")
    await page.get_by_label("Name", exact=True).fill(NAME)
    await page.get_by_label(PLACE, exact=True).check()
    await page.get_by_role("button", name="Create class").click()
    await page.wait_for_url(re.compile(r"/classes/\d+/"))
    found = re.match(r".*/classes/\d+/", page.url)
    assert found
    lesson.address = found[0]
    return f"“{NAME}” on {PLACE}: {await _enrol(lesson, TWELVE)}"


async def _enrol(lesson: Lesson, names: tuple[str, ...]) -> str:
    page = await lesson.open("tess", "people/add/")
    await page.get_by_label("Or type them here").fill("\n".join(names))
    await page.get_by_label("Enrol now").check()
    await page.get_by_role("button", name="Preview").click()
    await page.locator(".plan-actions button.primary").wait_for()
    await lesson.shoot("enrol", "tess")
    await page.locator(".plan-actions button.primary").click()
    said = page.get_by_text(re.compile(r"\d+ (person|people) added"))
    await expect(said).to_be_visible()
    return await said.inner_text()


@step("and plans a machine for each, out of the published template")
async def plan_twelve(lesson: Lesson) -> str:
    page = await lesson.open("tess", "machines/")
    await page.get_by_role("link", name="Make machines").click()
    await page.get_by_label("Template", exact=True).select_option(index=0)
    await expect(page.get_by_label("One for everybody in the class who has none")).to_be_checked()
    await page.get_by_label("Network", exact=True).select_option(label="One network for all machines")
    await lesson.shoot("make-machines", "tess")
    await page.get_by_role("button", name="Preview").click()
    heading = page.get_by_role("heading", name="12 machines will be made")
    await expect(heading).to_be_visible()
    rows = [await _cells(row) for row in await page.locator(".plan-rows tbody tr").all()]
    await lesson.shoot("plan", "tess")
    assert {row["Person"] for row in rows} == set(TWELVE), rows
    held = {int(vmid) for vmid in _vmids(lesson.guests[CLUSTER])}
    vmids = [int(row["VMID"]) for row in rows]
    assert len(set(vmids)) == len(TWELVE), vmids
    assert held.isdisjoint(vmids), vmids
    nodes = ", ".join(sorted({row["Node"] for row in rows}))
    networks = ", ".join(sorted({row["Network"] for row in rows}))
    return f"{await heading.inner_text()}: VMIDs {min(vmids)} to {max(vmids)} on {nodes}, network {networks}"


async def _cells(row: Locator) -> dict[str, str]:
    """The text of each cell of a plan, by its heading."""
    cells = await row.locator("td[data-label]").all()
    return {str(await cell.get_attribute("data-label")): await cell.inner_text() for cell in cells}


def _vmids(told: str) -> list[str]:
    return told.partition(" guests: ")[2].partition(";")[0].split()


@step("eleven are made, and one clone fails")
async def make_twelve(lesson: Lesson) -> str:
    lesson.demo.ask(f"fail {CLUSTER}", "will fail")
    page = lesson.pages["tess"]
    await page.get_by_role("button", name="Make 12 machines").click()
    said = await _follow(lesson, "run")
    lesson.run = page.url
    assert "11 of 12 ready, 1 failed" in said, said
    why = page.get_by_role("row", name=re.compile("Failed")).locator("td").last
    return f"{said}: {(await why.inner_text()).partition(' The cluster said')[0]}"


async def _follow(lesson: Lesson, what: str) -> str:
    """Watch the run on whose page the teacher is to its end: how the bar moved, and what was said at last."""
    page = lesson.pages["tess"]
    await page.wait_for_url("**/runs/**")
    await page.locator("#far").wait_for()
    await lesson.shoot(f"{what}-under-way", "tess")
    seen = await watch_bar(page, LONGEST)
    said = await page.locator("#run p[role=status]").inner_text()
    await lesson.shoot(f"{what}-done", "tess")
    return f"bar {seen[0]} → {seen[-1]} in {len(seen)} steps: {said}"


@step("the teacher retries the one that failed")
async def retry(lesson: Lesson) -> str:
    page = lesson.pages["tess"]
    await page.get_by_role("button", name="Retry failed (1)").click()
    await expect(page.get_by_text("1 machine is tried again.")).to_be_visible()
    said = await _follow(lesson, "retry")
    assert "12 of 12 ready" in said, said
    return f"{said}; {await _everybody_has_one(lesson, TWELVE)}"


async def _everybody_has_one(lesson: Lesson, people: tuple[str, ...]) -> str:
    """The tab People says of each who has which machine, and no two have the same."""
    page = await lesson.open("tess", "people/")
    rows = page.locator("table.history tbody tr")
    await expect(rows).to_have_count(len(people))
    machines = [await row.locator("td").nth(1).inner_text() for row in await rows.all()]
    await lesson.shoot("everybody-has-one", "tess")
    assert all(re.fullmatch(r"new-\d+", machine) for machine in machines), machines
    assert len(set(machines)) == len(people), machines
    return f"{len(people)} people have {len(set(machines))} machines"


@step("somebody comes late and gets one more")
async def one_more(lesson: Lesson) -> str:
    enrolled = await _enrol(lesson, (LATECOMER,))
    page = await lesson.open("tess", "machines/")
    await page.get_by_role("link", name="One more").click()
    await expect(page.get_by_role("heading", name="1 machine will be made")).to_be_visible()
    await lesson.shoot("one-more", "tess")
    await page.get_by_role("button", name="Make 1 machine").click()
    said = await _follow(lesson, "one-more")
    assert "1 of 1 ready" in said, said
    await _everybody_has_one(lesson, (*TWELVE, LATECOMER))
    lesson.vmid = await _vmid_of_latecomer(lesson)
    return f"{enrolled} {said}; {LATECOMER} has VM {lesson.vmid}"


async def _vmid_of_latecomer(lesson: Lesson) -> str:
    """Of the class's machine, as the page of the class shows it to this student."""
    page = await lesson.open(LATECOMER)
    card = page.locator("li.machine .detail", has_text="VM ").first
    found = re.search(r"VM (\d+)", await card.inner_text())
    assert found
    await lesson.shoot("latecomer", LATECOMER)
    return found[1]


@step("the teacher re-images it")
async def reimage(lesson: Lesson) -> str:
    page = await _machine_of_latecomer(lesson)
    await page.locator("#to-reimage").click()
    await page.locator("#reimage").wait_for()
    await lesson.shoot("re-image", "tess")
    await page.locator("#reimage").click()
    said = await _follow(lesson, "re-image")
    assert "1 of 1 ready" in said, said
    now = await _vmid_of_latecomer(lesson)
    assert now != lesson.vmid
    return f"{said}; {LATECOMER} has VM {now}"


async def _machine_of_latecomer(lesson: Lesson) -> Page:
    page = await lesson.open("tess", "machines/")
    row = page.get_by_role("row").filter(has_text=f"VM {lesson.vmid}")
    await row.get_by_role("link", name=re.compile(r"^new-\d+$")).click()
    await page.locator("#to-reimage").wait_for()
    return page


@step("and brings the earlier machine back")
async def bring_back(lesson: Lesson) -> str:
    page = await lesson.open("tess", "machines/")
    await page.get_by_role("link", name="Earlier machines").click()
    await expect(page.get_by_role("row", name=re.compile(lesson.vmid))).to_be_visible()
    await lesson.shoot("earlier-machines", "tess")
    await page.get_by_role("button", name="Bring back").click()
    said = page.get_by_text("is back. The machine that had taken its place")
    await expect(said).to_be_visible()
    await lesson.shoot("back", "tess")
    assert await _vmid_of_latecomer(lesson) == lesson.vmid
    return f"{await said.inner_text()} {LATECOMER} has VM {lesson.vmid}"


@step("at the end the teacher removes all fourteen, with the name typed")
async def remove_all(lesson: Lesson) -> str:
    page = await lesson.open("tess", "machines/")
    await page.get_by_role("link", name="Remove made machines").click()
    await page.get_by_label(f"Type “{NAME}” to remove them").fill("Web servers")
    await page.get_by_role("button", name="Remove 14 machines").click()
    await expect(page.get_by_text(f"Type exactly “{NAME}”.")).to_be_visible()
    await lesson.shoot("wrong-word", "tess")
    await page.get_by_label(f"Type “{NAME}” to remove them").fill(NAME)
    await page.get_by_role("button", name="Remove 14 machines").click()
    said = page.get_by_text("14 machines are being removed.")
    await expect(said).to_be_visible()
    told = await said.inner_text()
    await page.goto(lesson.run)
    await lesson.shoot("being-removed", "tess")
    status = page.locator("#run p[role=status]")
    await expect(status).to_contain_text("0 of 12 ready, 12 removed", timeout=LONGEST * 1000)
    await lesson.shoot("removed", "tess")
    return f"a wrong name removes nothing; {told} {await status.inner_text()}"


@step("the clusters hold what they held before")
async def compare(lesson: Lesson) -> str:
    page = await lesson.open("tess", "machines/")
    for _ in range(60):  # seconds: the two machines of the other runs were not watched
        now = {cluster: _guests(lesson, cluster) for cluster in CLUSTERS}
        if now == lesson.guests:
            break
        await page.wait_for_timeout(1000)
    assert now == lesson.guests, f"{now} instead of {lesson.guests}"
    await page.get_by_role("link", name="Remove made machines").click()
    await expect(page.get_by_text("There is no machine left to remove.")).to_be_visible()
    await lesson.shoot("nothing-left", "tess")
    return "; ".join(now.values())
