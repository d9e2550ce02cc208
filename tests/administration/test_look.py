"""The admin as a person sees it: every page in Chromium, wide and on a phone, light and dark, with long names in it."""

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, Page, Route

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


def opened(
    window: Browser, made: dict[str, bytes], *, width: int, colours: str = "light"
) -> Iterator[tuple[str, Page]]:
    """Each page, as the server made it, with the style sheets and scripts of the portal and of Django."""
    page = window.new_page(viewport={"width": width, "height": 800}, color_scheme=colours)  # type: ignore[arg-type]

    def serve(route: Route) -> None:
        url = urlsplit(route.request.url)
        address = f"{url.path}?{url.query}" if url.query else url.path
        kind = mimetypes.guess_type(url.path)[0] or "text/html; charset=utf-8"
        if url.path.startswith("/static/"):
            file = finders.find(url.path.removeprefix("/static/"))
            assert file, url.path
            route.fulfill(body=Path(str(file)).read_bytes(), content_type=kind)
        elif address in made:
            route.fulfill(body=made[address], content_type=kind)
        else:  # axe reads style sheets by itself, and takes their addresses for the page's
            assert not route.request.is_navigation_request()
            route.fulfill(status=404)

    page.route("**/*", serve)
    for address in made:
        if address != "/admin/jsi18n/":
            page.goto(SITE + address)
            yield address, page
    page.close()


def test_no_column_is_out_of_sight_on_a_desk(made: dict[str, bytes]) -> None:
    with chromium.browser() as window:
        wide = {address: page.evaluate(TOO_WIDE) for address, page in opened(window, made, width=1280)}
    assert {address: extra for address, extra in wide.items() if any(extra)} == {}


def test_a_page_on_a_phone_scrolls_in_its_tables_alone(made: dict[str, bytes]) -> None:
    with chromium.browser() as window:
        wide = {address: page.evaluate(TOO_WIDE)[0] for address, page in opened(window, made, width=390)}
    assert {address: extra for address, extra in wide.items() if extra} == {}


@pytest.mark.parametrize("colours", COLOURS)
def test_axe_finds_nothing(made: dict[str, bytes], colours: str) -> None:
    found = {}
    alike = ("/history/", "/delete/")  # one of each is enough: it takes a second a page
    wanted = {at: page for at, page in made.items() if not at.endswith(alike) or "/clusters/cluster/" in at}
    with chromium.browser() as window:
        for address, page in opened(window, wanted, width=1280, colours=colours):
            faults = Axe().run(page, options=RULES).response["violations"]
            found[address] = [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in faults]
    assert {address: faults for address, faults in found.items() if faults} == {}


def test_a_column_that_has_no_room_is_found(made: dict[str, bytes]) -> None:
    lists = {"/admin/vms/operation/": made["/admin/vms/operation/"].replace(b"</td>", b"</td><td>" + b"x" * 300)}
    lists["/admin/jsi18n/"] = made["/admin/jsi18n/"]
    with chromium.browser() as window:
        for _, page in opened(window, lists, width=1280):
            assert any(page.evaluate(TOO_WIDE))
