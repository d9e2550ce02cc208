"""The admin as a person sees it: every page in Chromium, wide and on a phone, light and dark, with long names in it."""

import mimetypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, Page, Route, ViewportSize

from accounts.models import User
from classes.models import LabClass
from tests.administration import pages, troubles
from tests.browser import chromium
from tests.labs import Lab
from tests.samples import SEED, TURNS

pytestmark = [pytest.mark.browser, pytest.mark.django_db, pytest.mark.timeout(900)]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SITE = "http://portal.test"
# The width of what scrolls for itself, and of the page: what they hold more than they show.
TOO_WIDE = "(parts => [...document.querySelectorAll(parts)].map(e => e.scrollWidth - e.clientWidth))('html, .results')"
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=800)
PLANTED = "/admin/planted/"
# A minute and more each: one a day, and both with `bin/test --long`.
COLOURS = ["light", "dark"] if TURNS >= 10 else [["light", "dark"][SEED % 2]]


@pytest.fixture
def made(client: Client, admin: User, building_a: Lab, networks: LabClass) -> dict[str, bytes]:
    """Everything is read before Chromium is driven: in its thread Django refuses to ask the database."""
    if not chromium.executable():
        pytest.skip("needs Chromium: apt install chromium")
    troubles.make(building_a, networks, times=2)
    client.force_login(admin)
    found = pages.contents(client, pages.everything(admin))
    return found | {"/admin/jsi18n/": client.get("/admin/jsi18n/").content}


@cache
def static(path: str) -> bytes:
    file = finders.find(path.removeprefix("/static/"))
    assert file, path
    return Path(str(file)).read_bytes()


def opened(window: Browser, made: dict[str, bytes], colours: str) -> Iterator[tuple[str, Page]]:
    """Each page, as the server made it, with the style sheets and scripts of the portal and of Django."""
    page = window.new_page(viewport=DESK, color_scheme=colours)  # type: ignore[arg-type]

    def serve(route: Route) -> None:
        url = urlsplit(route.request.url)
        address = f"{url.path}?{url.query}" if url.query else url.path
        kind = mimetypes.guess_type(url.path)[0] or "text/html; charset=utf-8"
        if url.path.startswith("/static/"):
            route.fulfill(body=static(url.path), content_type=kind)
        elif address in made:
            route.fulfill(body=made[address], content_type=kind)
        else:  # axe reads style sheets by itself, and takes their addresses for the page's
            assert not route.request.is_navigation_request()
            route.fulfill(status=404)

    page.route("**/*", serve)
    for address in made:
        if address != "/admin/jsi18n/":
            page.set_viewport_size(DESK)
            page.goto(SITE + address)
            yield address, page
    page.close()


def faults(page: Page) -> list[str]:
    """What is out of sight on a desk, what axe finds, and what scrolls beside its tables on a phone."""
    found = ["too wide"] if any(page.evaluate(TOO_WIDE)) else []
    # One page of history, and one of a deletion, is enough for axe: it takes a second a page.
    if not page.url.endswith(("/history/", "/delete/")) or "/clusters/cluster/" in page.url:
        rules = Axe().run(page, options=RULES).response["violations"]
        found += [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in rules]
    page.set_viewport_size(PHONE)
    return found + ["scrolls on a phone"] * bool(page.evaluate(TOO_WIDE)[0])


@pytest.mark.parametrize("colours", COLOURS)
def test_every_page_fits_a_desk_and_a_phone_and_axe_finds_nothing(made: dict[str, bytes], colours: str) -> None:
    """And a column that has no room is found: each opening of Chromium takes a second, so it is done here."""
    planted = made["/admin/vms/operation/"].replace(b"</td>", b"</td><td>" + b"x" * 300)
    with chromium.browser() as window:
        found = {address: faults(page) for address, page in opened(window, made, colours)}
        control = {address: faults(page) for address, page in opened(window, {PLANTED: planted}, colours)}
    assert {address: faults for address, faults in found.items() if faults} == {}
    assert "too wide" in control[PLANTED]
