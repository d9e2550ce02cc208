"""The pages of a class, by those who run it and by who joins: axe finds nothing, in light and in dark."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo import Demo
from tests.browser.screenshots import open_page
from tests.browser.test_pages import faults

pytestmark = pytest.mark.browser

TEACHERS = (
    "classes/", "classes/new/", "classes/1/", "classes/1/machines/", "classes/1/machines/share/",
    "classes/1/machines/table/", "classes/1/people/", "classes/1/people/add/", "classes/1/people/1/remove/",
    "classes/1/people/1/account/", "classes/1/people/1/account/password/", "sets/help/",
    "classes/1/timetable/?day=2027-03-03", "classes/1/timetable/add/", "classes/1/timetable/import/",
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
    page, found = open_page(window, the_demo, "tess"), []
    for path in TEACHERS:
        page.goto(the_demo.address + path)
        found += faults(page)
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
