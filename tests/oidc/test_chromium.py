"""Signing in with a real OpenID Connect provider, in Chromium, under the portal's own policy."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import Provider, SignInIdentity, User
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
