"""The pages of a class, by those who run it and by who joins: axe finds nothing, in light and in dark."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.demo import Demo
from tests.browser.screenshots import open_page
from tests.browser.test_pages import faults, overflow

pytestmark = pytest.mark.browser

TEACHERS = (
    "classes/", "classes/new/", "classes/1/", "classes/1/machines/", "classes/1/machines/share/",
    "classes/1/machines/table/", "classes/1/people/", "classes/1/people/add/", "classes/1/people/1/remove/",
    "classes/1/people/1/account/", "classes/1/people/1/account/password/", "sets/help/",
    "classes/1/timetable/?day=2027-03-03", "classes/1/timetable/add/", "classes/1/timetable/import/",
    "classes/1/timetable/1/", "classes/1/hours/", "classes/1/rehearsal/", "classes/rehearsal/",
    "classes/1/machines/make/",
    "classes/lessons/", "classes/1/co-owners/", "classes/1/settings/", "classes/1/delete/", "classes/1/end/",
    "classes/ended/",
)  # fmt: skip
STUDENTS = ("classes/", "join/", "join/nothing/")


def an_invite(page: Page, demo: Demo) -> str:
    page.goto(f"{demo.address}classes/1/invite/")
    page.get_by_role("button", name="Create invite").click()
    return page.locator("#link").inner_text()


def change_to(page: Page, demo: Demo, name: str, address: str) -> None:
    """Somebody else at the same browser, who opens a page before logging in."""
    page.get_by_role("button", name="Log out").click()
    page.goto(address)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(demo.passwords[name])
    page.get_by_role("button", name="Log in").click()


def test_a_teacher_adds_and_moves_a_lesson_on_a_phone_without_javascript(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "tess", phone=True, scripts=False)
    page.goto(f"{the_demo.address}classes/1/timetable/add/")
    for label, text in {"First day": "2027-03-02", "From": "10:00", "To": "11:30", "Last day": "2027-03-30"}.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Tuesday").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="5 lessons will be added")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Week from 2027-03-01 to 2027-03-07")).to_be_visible()
    page.get_by_role("link", name="Change 2027-03-02 10:00").press("Enter")
    page.get_by_label("Day", exact=True).fill("2027-03-03")
    page.get_by_role("button", name="Preview").press("Enter")
    expect(page.get_by_text("before: 2027-03-02 10:00")).to_be_visible()
    expect(page.get_by_text("Machines of the class")).to_be_visible()
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("moved to 2027-03-03")).to_be_visible()
    expect(page.get_by_role("link", name="Import a timetable")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()


def test_axe_finds_nothing_on_the_pages_of_a_class(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "tess")
    found: list[object] = []
    for path in TEACHERS:
        page.goto(the_demo.address + path)
        found += [*faults(page), *overflow(page, 390)]
    link = an_invite(page, the_demo)
    found += faults(page)
    page.goto(f"{the_demo.address}classes/1/live/")
    found += faults(page)
    page.get_by_role("button", name="Start all stopped").click()
    expect(page.locator("progress")).to_be_visible()
    found += faults(page)
    change_to(page, the_demo, "ana", link)
    found += faults(page)
    page.get_by_role("button", name="Join the class").click()
    expect(page.get_by_text("Your machine is")).to_be_visible()
    found += faults(page)
    for path in STUDENTS:
        page.goto(the_demo.address + path)
        found += faults(page)
    assert found == []
    page.context.close()


def set_hours(page: Page, demo: Demo, hours: str) -> None:
    page.goto(f"{demo.address}classes/1/hours/")
    page.get_by_label("Hours of own use for each person").fill(hours)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()


def until_told(page: Page) -> Locator:
    """The worker looks every 15 seconds."""
    notice = page.get_by_text("because your hours are used up")
    for _ in range(30):
        page.reload()
        if notice.count():
            break
        page.wait_for_timeout(1_000)
    expect(notice).to_be_visible()
    return notice


def test_a_student_sees_the_meter_and_the_notice_and_keeps_the_machine_on(window: Browser, the_demo: Demo) -> None:
    teacher, student = (open_page(window, the_demo, name) for name in ("tess", "ben"))
    student.goto(an_invite(teacher, the_demo))
    student.get_by_role("button", name="Join the class").click()
    expect(student.get_by_text("Your machine is")).to_be_visible()
    set_hours(teacher, the_demo, "2")
    student.goto(f"{the_demo.address}classes/1/")
    expect(student.get_by_text("0 h of 2 h used, 2 h left this week")).to_be_visible()
    start = student.get_by_role("button", name="Start web201")
    if start.count():  # nobody has started all machines of the class before
        start.click()
    expect(student.get_by_role("link", name="Shut down web201")).to_be_visible(timeout=30_000)
    set_hours(teacher, the_demo, "0")
    filtered = f"{the_demo.address}vms/?cluster=&q=web201"
    student.goto(filtered)
    until_told(student)
    found = faults(student)
    teacher.goto(f"{the_demo.address}classes/1/live/")
    expect(teacher.get_by_text("The hours are used up.").first).to_be_visible()
    found += [*faults(teacher), *overflow(teacher, 390)]
    pk = str(student.locator("li.machine", has_text="web201").get_attribute("id")).removeprefix("machine-")
    student.goto(f"{the_demo.address}vms/{pk}/console/")
    expect(student.locator("#banner-words")).to_contain_text("because your hours are used up")
    expect(student.get_by_role("button", name="Keep 1 h")).to_be_visible()
    student.goto(filtered)
    student.get_by_role("button", name="Keep 1 h").click()
    expect(student.get_by_text("stays on until")).to_be_visible()
    expect(student.get_by_text("because your hours are used up")).to_have_count(0)
    assert student.url == filtered
    found += leave_alone(teacher, f"{the_demo.address}vms/{pk}/")
    set_hours(teacher, the_demo, "")
    assert found == []
    see_who_is_affected(teacher, the_demo)
    teacher.context.close()
    student.context.close()


def leave_alone(page: Page, address: str) -> list[object]:
    """The teacher chooses *Do not stop* on the page of the machine, and ends it. Returns what axe and the width say."""
    page.goto(address)
    page.get_by_label("Do not stop for").select_option("1 day")
    page.get_by_role("button", name="Do not stop").click()
    expect(page.get_by_text("you asked it not to")).to_be_visible()
    found = [*faults(page), *overflow(page, 390)]
    page.get_by_role("button", name="Allow stops again").click()
    expect(page.get_by_text("you asked it not to")).to_have_count(0)
    return found


def see_who_is_affected(page: Page, demo: Demo) -> None:
    """By a lesson of the next week that is moved."""
    page.goto(f"{demo.address}classes/1/timetable/")
    page.get_by_role("link", name="Next week").click()
    page.get_by_role("link", name=re.compile(r"^Change \d")).first.click()
    page.get_by_label("From").fill("09:00")
    page.get_by_label("To", exact=True).fill("10:00")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="1 lesson will be changed")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Machines of the class: 2\. Students: [12]\."))).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name=re.compile("^Restore"))).to_have_count(1)


def test_what_administrators_plan_needs_no_javascript(window: Browser, the_demo: Demo) -> None:
    """Holidays, templates, networks and quotas."""
    page = open_page(window, the_demo, "admin", scripts=False)
    page.goto(f"{the_demo.address}admin/classes/holiday/add/")
    for label, text in {"Name": "Founders", "First day": "2027-05-03", "Last day": "2027-05-04"}.items():
        page.get_by_label(label).fill(text)
    saved(page)
    page.goto(f"{the_demo.address}admin/vms/machinetemplate/")
    page.get_by_role("link", name="Debian web server").click()
    page.get_by_label("Most machines").fill("39")
    saved(page)
    page.goto(f"{the_demo.address}admin/vms/leasablenetwork/add/")
    page.get_by_label("Cluster").select_option(index=1)
    page.get_by_label("Name").fill("Lab 9")
    page.get_by_label("Bridge").fill("vmbr9")
    saved(page)
    page.goto(f"{the_demo.address}admin/vms/quota/1/change/")
    page.get_by_label("Machines:", exact=True).fill("59")
    saved(page)
    page.context.close()


def saved(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("successfully")).to_be_visible()
