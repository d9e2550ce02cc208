"""Signing in with a real OpenID Connect provider, in Chromium, under the portal's own policy."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import Provider, SignInIdentity, User
from tests.browser.screenshots import DESKTOP, PHONE
from tests.browser.test_pages import faults, overflow
from tests.conftest import PASSWORD
from tests.oidc.conftest import School, keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

HOME = re.compile(r"/vms/$")


def fresh(window: Browser, **how: Any) -> BrowserContext:
    """A browser without a past. The provider's own pages would get a font from elsewhere."""
    made = window.new_context(**how)
    made.route("**/fonts.googleapis.com/**", lambda route: route.abort())
    return made


@pytest.fixture
def context(window: Browser) -> Iterator[BrowserContext]:
    made = fresh(window)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def go(page: Page, school: School, next_page: str = "") -> None:
    """To the provider's form."""
    page.goto(f"{school.portal}/accounts/login/{f'?next={next_page}' if next_page else ''}")
    page.get_by_role("link", name="Log in with School account").click()


def answer(page: Page, name: str) -> None:
    """Name and password at the provider, and its question whether the portal may know."""
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    if page.get_by_role("button", name="Continue").count():
        page.get_by_role("button", name="Continue").click()


def sign_in(page: Page, school: School, name: str = "ana") -> None:
    go(page, school)
    answer(page, name)


def complaints(page: Page) -> list[str]:
    found: list[str] = []
    page.on("console", lambda line: found.append(line.text) if line.type == "error" else None)
    return found


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_in_and_out_again(window: Browser, school: School, scripts: bool):
    """The next person at the computer gets a form, and not the first one's account."""
    context = fresh(window, java_script_enabled=scripts)
    page = context.new_page()
    heard = complaints(page)
    sign_in(page, school)
    expect(page).to_have_url(HOME)
    assert User.objects.get().get_full_name() == "Ana Gómez"
    page.goto(f"{school.portal}/accounts/profile/")
    page.get_by_role("button", name="Log out").first.click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    expect(page.get_by_role("heading", name="Log in", exact=True)).to_be_visible()
    Provider.objects.update(ask_again=False)
    go(page, school)
    expect(page.locator("input[name=login]")).to_be_visible()
    assert [line for line in heard if "Content Security Policy" in line and school.portal in line] == []
    context.close()


def test_the_portals_own_sign_out_alone_is_not_enough(page: Page, school: School):
    """Which is why the portal asks again, and says so: without either the next person is in by a click."""
    Provider.objects.update(ask_again=False, sign_out_there=False)
    sign_in(page, school)
    expect(page).to_have_url(HOME)
    page.get_by_role("button", name="Log out").first.click()
    expect(page.get_by_role("link", name="Sign out of School account")).to_be_visible()
    page.get_by_role("link", name="Back to the login").click()
    page.get_by_role("link", name="Log in with School account").click()
    expect(page).to_have_url(HOME)
    Provider.objects.update(ask_again=True)
    page.get_by_role("button", name="Log out").first.click()
    page.get_by_role("link", name="Back to the login").click()
    page.get_by_role("link", name="Log in with School account").click()
    expect(page.locator("input[name=login]")).to_be_visible()


def test_cancelled_and_tried_again(page: Page, school: School):
    go(page, school, "/accounts/profile/")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("You cancelled")
    page.get_by_role("link", name="Try School account again").click()
    answer(page, "ana")
    expect(page).to_have_url(re.compile("/accounts/profile/"))


def test_back_and_loaded_again(page: Page, school: School):
    seen: list[str] = []
    page.on("request", lambda one: seen.append(one.url) if "/callback/" in one.url else None)
    sign_in(page, school)
    expect(page).to_have_url(HOME)
    page.goto(seen[0])
    expect(page.get_by_role("heading")).to_contain_text(["Already logged in"])
    page.get_by_role("link", name="Continue").click()
    expect(page).to_have_url(HOME)
    page.go_back()
    page.go_back()  # over both, to where Chromium shows them again
    page.goto(f"{school.portal}/vms/")
    expect(page).to_have_url(HOME)


def test_two_tabs(context: BrowserContext, school: School):
    first, second = context.new_page(), context.new_page()
    go(first, school, "/accounts/profile/")
    go(second, school, "/vms/?cluster=")
    answer(second, "ana")
    expect(second).to_have_url(re.compile(r"/vms/\?cluster="))
    first.reload()
    answer(first, "ana")
    expect(first).to_have_url(re.compile("/accounts/profile/"))


def test_a_rotated_key(window: Browser, school: School):
    for number in range(2):
        context = fresh(window)
        page = context.new_page()
        sign_in(page, school)
        expect(page).to_have_url(HOME)
        context.close()
        if not number:
            page_of_time = window.new_page()
            page_of_time.wait_for_timeout(3200)  # keys are not asked for more often
            page_of_time.context.close()
            school.tell(keys=keys("second"))


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA"])
def test_each_algorithm(page: Page, school: School, algorithm: str):
    school.tell(algorithm=algorithm)
    sign_in(page, school)
    expect(page).to_have_url(HOME)


@pytest.mark.parametrize(("seconds", "words"), [(400, "seconds ahead of the portal"), (-700, "is behind the portal")])
def test_a_clock_that_is_wrong_is_said(page: Page, school: School, seconds: int, words: str):
    school.tell(clock=seconds)
    sign_in(page, school)
    expect(page.get_by_role("alert")).to_contain_text(words)
    school.tell(clock=60 if seconds > 0 else -60)
    page.context.clear_cookies()
    sign_in(page, school)
    expect(page).to_have_url(HOME)


def test_two_people_with_one_address_and_one_without_anything(window: Browser, school: School):
    for name in ("1", "2", "u-4711"):
        context = fresh(window)
        page = context.new_page()
        sign_in(page, school, name)
        expect(page).to_have_url(HOME)
        context.close()
    known = dict(SignInIdentity.objects.order_by("pk").values_list("subject", "user__username"))
    assert known == {"1": "tess.one", "2": "tess.two", "u-4711": "u-4711"}


# The pages themselves


def look_at(window: Browser, school: School, path: str, file: str) -> list[str]:
    """What axe finds, in light and in dark, and where the page is too wide. `PICTURES=FOLDER` keeps what it saw."""
    context = fresh(window, viewport=DESKTOP)
    page = context.new_page()
    page.goto(school.portal + path)
    found = faults(page) + [str(one) for one in overflow(page, 390, 320)]
    if folder := os.environ.get("PICTURES"):
        for look, size, colours in (("", DESKTOP, "light"), ("-phone-dark", PHONE, "dark")):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
            page.screenshot(path=Path(folder) / f"{file}{look}.png", full_page=True)
    context.close()
    return found


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_login_page_with_so_many_providers(window: Browser, school: School, number: int):
    Provider.objects.update(is_active=number > 0)
    second = Provider(name="town", label="Town of Example", issuer="https://login.town.example", client_id="portal")
    second.is_active = number > 1
    second.save()
    try:
        assert look_at(window, school, "/accounts/login/", f"login-{number}-providers") == []
    finally:
        second.delete()
        Provider.objects.update(is_active=True)


def test_the_page_of_a_problem(window: Browser, school: School):
    assert look_at(window, school, "/accounts/sign-in/school/callback/", "login-problem") == []


def test_the_keyboard_reaches_the_provider_first_and_then_the_form(page: Page, school: School):
    page.goto(f"{school.portal}/accounts/login/")
    page.keyboard.press("Tab")  # the way past the header
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
    wanted = ["Log in with School account", "username", "password", "Log in"]
    assert [name for name in names if name in wanted] == wanted
    page.get_by_role("link", name="Log in with School account").focus()
    page.keyboard.press("Enter")
    expect(page.locator("input[name=login]")).to_be_visible()


def test_the_portals_own_accounts_work_while_the_provider_is_away(page: Page, school: School):
    User.objects.create_user("lena", password=PASSWORD)
    Provider.objects.update(issuer="http://127.0.0.1:9")
    try:
        page.goto(f"{school.portal}/accounts/login/")
        page.get_by_role("link", name="Log in with School account").click()
        expect(page.get_by_role("alert")).to_contain_text("refuses connections")
        page.get_by_role("link", name="Other ways to log in").click()
        page.get_by_label("User name").fill("lena")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(HOME)
    finally:
        Provider.objects.update(issuer=school.issuer)


def test_a_person_joins_their_account(page: Page, school: School):
    User.objects.create_user("ana.local", password=PASSWORD)
    page.goto(f"{school.portal}/accounts/login/?next=/accounts/profile/")
    page.get_by_label("User name").fill("ana.local")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Join with School account").click()
    assert faults(page) == []
    page.get_by_label("Your password in this portal").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Continue with School account").click()
    answer(page, "ana")
    expect(page.get_by_text("You log in with School account as ana.")).to_be_visible()
    assert SignInIdentity.objects.get().user.username == "ana.local"
