"""Pages as a person meets them: Chromium, the strict policy, axe, a phone."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo import Demo
from tests.browser.screenshots import DESKTOP, open_page

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
OURS = [
    "vms/?cluster=", "vms/?cluster=&q=nothing", "vms/", "vms/{pk}/stop/", "vms/{pk}/", "vms/{pk}/save-point/",
    "vms/{pk}/rdp", "nothing-here/",
]  # fmt: skip
STAFFS = ["vms/{pk}/", "vms/{pk}/why/", "vms/{pk}/why/?person=nobody", "vms/{pk}/snapshots/", "clusters/"]


@pytest.fixture(scope="module")
def ana(window: Browser, the_demo: Demo) -> Iterator[Page]:
    page = open_page(window, the_demo, "ana")
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def machine(ana: Page, the_demo: Demo) -> str:
    return a_machine(ana, the_demo)


def watched(page: Page) -> list[str]:
    """Collects what the console complains about."""
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def violations(page: Page, options: dict[str, list[str]] = RULES) -> list[str]:
    found = Axe().run(page, options=options).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in found]


def faults(page: Page) -> list[str]:
    """All of them in light; in dark, those of what is other there."""
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark {fault}" for fault in violations(page, options={"runOnly": ["color-contrast"]})]
    page.emulate_media(color_scheme="light")
    return [f"{page.url}: {fault}" for fault in found]


def overflow(page: Page, *widths: int) -> list[tuple[str, int]]:
    """The widths at which the page scrolls sideways."""
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") != width:
            found.append((page.url, width))
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return found


def a_machine(page: Page, demo: Demo) -> str:
    page.goto(demo.address + "vms/?cluster=")
    return str(page.locator("li.machine").last.get_attribute("id")).removeprefix("machine-")


@pytest.mark.parametrize("path", OURS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways_on_a_phone(
    ana: Page, the_demo: Demo, machine: str, path: str
) -> None:
    ana.goto(the_demo.address + path.format(pk=machine))
    assert faults(ana) == []
    assert overflow(ana, 390, 320) == []


def test_the_pages_for_staff_are_like_that_too(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    pk = a_machine(page, the_demo)
    for path in STAFFS:
        page.goto(the_demo.address + path.format(pk=pk))
        assert faults(page) == []
        assert overflow(page, 320) == []
    page.context.close()


def test_axe_finds_a_planted_fault(ana: Page, the_demo: Demo) -> None:
    ana.goto(the_demo.address + "vms/?cluster=")
    ana.evaluate("document.querySelector('label').remove()")
    assert any("select-name" in fault for fault in violations(ana))


def test_a_page_that_is_too_wide_is_found(ana: Page, the_demo: Demo) -> None:
    ana.goto(the_demo.address + "vms/?cluster=")
    ana.evaluate("document.body.style.minWidth = '400px'")
    assert [width for _, width in overflow(ana, 450, 390, 320)] == [390, 320]


def test_axe_finds_nothing_on_the_login_page(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo)
    assert faults(page) == []
    assert overflow(page, 390, 320) == []
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("User name and password")
    assert faults(page) == []
    page.context.close()


def test_a_machine_is_started_and_stopped_without_reloading(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "ben")
    complaints = watched(page)
    page.goto(the_demo.address + "vms/?cluster=")
    page.get_by_role("button", name="Start net101-02").click()
    expect(page.get_by_text("Starting")).to_be_visible()
    expect(page.locator("span.clock")).to_have_text("00:01")  # between two answers of the portal
    expect(page.get_by_role("link", name="Shut down net101-02")).to_be_visible(timeout=20_000)
    assert page.title().startswith("1 running")
    page.locator("summary", has_text="More net101-02").click()
    page.get_by_role("link", name="Force stop net101-02").click()
    page.get_by_role("button", name="Force stop").click()
    expect(page.get_by_role("button", name="Start net101-02")).to_be_visible(timeout=20_000)
    assert complaints == []
    page.context.close()


def tab_to(page: Page, name: str) -> None:
    """By the key alone, as somebody without a mouse."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and " ".join((focused.text_content() or "").split()) == name:
            return
    raise AssertionError(f"The keyboard does not get to “{name}”.")


def test_everything_works_by_keyboard_alone(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo)
    page.keyboard.type("ben")
    page.keyboard.press("Tab")
    page.keyboard.type(the_demo.passwords["ben"])
    page.keyboard.press("Enter")
    tab_to(page, "Start net101-02")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Shut down net101-02")).to_be_visible(timeout=20_000)
    tab_to(page, "More net101-02")
    page.keyboard.press("Enter")
    tab_to(page, "Force stop net101-02")
    page.keyboard.press("Enter")
    tab_to(page, "Force stop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start net101-02")).to_be_visible(timeout=20_000)
    page.context.close()


def test_a_save_point_is_saved_and_gone_back_to(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "ben")
    complaints = watched(page)
    page.goto(f"{the_demo.address}vms/{a_machine(page, the_demo)}/")
    page.get_by_role("button", name="Save a restore point").click()
    page.get_by_role("link", name="Revert to my-save-point").click(timeout=60_000)
    page.get_by_role("button", name="Revert").click()
    assert page.url.endswith("/revert/")  # the box is not ticked
    page.get_by_label("I understand that later changes will be lost").check()
    page.get_by_role("button", name="Revert").click()
    expect(page.get_by_role("row", name="Revert to a snapshot “my-save-point” ben done")).to_be_visible(timeout=60_000)
    assert complaints == []
    page.context.close()


def test_the_address_is_copied_and_opens_a_remote_desktop(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    complaints = watched(page)
    page.goto(f"{the_demo.address}vms/?cluster=building-a&q=net101-08")
    page.get_by_role("link", name="net101-08", exact=True).click()
    page.get_by_role("button", name="Copy").click(timeout=60_000)
    expect(page.get_by_text("Copied")).to_be_visible()
    address = page.evaluate("navigator.clipboard.readText()")
    assert address == page.locator("#address-1").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Open a remote desktop").click()
    assert download.value.suggested_filename == "net101-08.rdp"
    assert f"full address:s:{address}" in download.value.path().read_text()
    assert complaints == []
    page.context.close()


def test_a_refresh_keeps_the_focus_and_what_is_open(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    page.goto(the_demo.address + "vms/?cluster=building-a")
    more = page.locator("details.more").first
    more.locator("summary").click()
    button = more.get_by_role("button").first
    button.focus()
    page.evaluate("htmx.ajax('GET', location.href, {source: '#machines', target: '#machines', swap: 'outerHTML'})")
    page.wait_for_timeout(1000)
    expect(button).to_be_focused()
    expect(more).to_have_attribute("open", "")
    page.context.close()


def test_the_switcher_switches_at_once_and_is_remembered(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "ben")
    complaints = watched(page)
    expect(page.get_by_role("heading", name="Building A")).to_be_visible()
    page.get_by_label("Cluster").select_option("building-b")
    page.wait_for_url("**cluster=building-b")
    page.goto(the_demo.address)
    expect(page.get_by_role("heading", name="Building B")).to_be_visible()
    expect(page.get_by_role("heading", name="Building A")).to_have_count(0)
    assert complaints == []
    page.context.close()


def test_everything_works_without_javascript(window: Browser, the_demo: Demo) -> None:
    page = window.new_context(java_script_enabled=False).new_page()
    page.goto(the_demo.address)
    page.get_by_label("User name").fill("chen")
    page.get_by_label("Password").fill(the_demo.passwords["chen"])
    page.get_by_role("button", name="Log in").click()
    with page.expect_popup() as console:
        page.get_by_role("button", name="Start and open the console of net101-03").click()
    expect(console.value.get_by_text("Starting… ")).to_be_visible()
    assert "The console needs JavaScript" in console.value.content()
    page.reload()
    # Chromium does not act on <noscript> when only its debugger switched scripts off, so the reload is done by hand.
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.content()
    running = page.get_by_role("link", name="Reboot net101-03")
    for _ in range(40):
        page.wait_for_timeout(500)
        page.reload()
        if running.is_visible():
            break
    expect(running).to_be_visible()
    page.context.close()


def test_the_policy_breaks_nothing_in_the_admin(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    complaints = watched(page)
    for path in ("admin/", "admin/clusters/cluster/", "admin/clusters/cluster/add/", "admin/vms/operation/"):
        page.goto(the_demo.address + path)
        assert (path, complaints) == (path, [])
    page.context.close()


def test_the_answer_to_sync_now_comes_by_itself(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    page.goto(the_demo.address + "clusters/")
    complaints = watched(page)
    page.get_by_role("button", name="Sync now Building A").click()
    expect(page.get_by_text("The cluster responded just now.")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Sync now Annex").click()
    expect(page.get_by_text("did not respond")).to_be_visible(timeout=20_000)
    assert complaints == []
    page.context.close()


def test_a_lost_connection_is_said(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "ana")
    expect(page.locator("#connection")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible(timeout=20_000)
    expect(page.locator("#connection")).to_contain_text(re.compile(r"Not updated since \d\d:\d\d\."))
    page.context.close()


def a_set(page: Page, demo: Demo) -> None:
    """Open the page of a new set with every machine of the list."""
    page.goto(demo.address + "vms/?cluster=")
    pks = [str(line.get_attribute("id")).removeprefix("machine-") for line in page.locator("li.machine").all()]
    page.goto(demo.address + "admin/vms/machineset/add/")
    page.locator("#id_name").fill("All of them")
    page.evaluate("pks => pks.forEach(pk => id_machines.add(new Option(pk, pk, true, true)))", pks)
    page.locator("input[name=_save]").click()
    page.goto(demo.address + "sets/")
    page.get_by_role("link", name="All of them").click()
    page.locator(".tile").first.wait_for()


def test_what_is_chosen_in_a_set_stays_chosen_while_the_page_refreshes(window: Browser, the_demo: Demo) -> None:
    page, other = open_page(window, the_demo, "admin"), open_page(window, the_demo, "admin")
    complaints = watched(page)
    a_set(page, the_demo)
    assert violations(page) == []
    page.locator(".tile input").nth(1).check()
    before = page.locator("#set").get_attribute("hx-get")
    other.goto(page.url)
    other.get_by_role("button", name="Start all stopped").click()
    expect(other.locator("progress")).to_be_visible()
    expect(page.locator("#set")).not_to_have_attribute("hx-get", str(before), timeout=20_000)
    expect(page.locator(".tile input:checked")).to_have_count(1)
    expect(other.locator("p[role=status]")).not_to_contain_text("waiting", timeout=30_000)
    assert violations(other) == []
    assert complaints == []
    for one in (page, other):
        one.context.close()


UPLOADS = ["admin/accounts/user/import/", "admin/clusters/cluster/import/", "admin/vms/assignment/bulk/?way=table"]


def test_a_file_that_is_too_large_is_told_before_it_is_sent(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin", dark=False)
    complaints = watched(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    for path in UPLOADS:
        page.goto(the_demo.address + path)
        field, button = page.locator("input[type=file]"), page.locator("input[type=submit].default")
        field.set_input_files({"name": "x.csv", "mimeType": "text/csv", "buffer": b"x" * 1_100_000})
        assert "larger than" in field.evaluate("field => field.validationMessage")
        button.click()
        assert (path, sent) == (path, [])
        field.set_input_files({"name": "x.csv", "mimeType": "text/csv", "buffer": b"x"})
        button.click()
        page.wait_for_load_state()
        assert (len(sent), page.url) == (1, the_demo.address + path)
        sent.clear()
    # A table of one letter is refused by 400, which Chromium writes to its console.
    assert [line for line in complaints if "400 (Bad Request)" not in line] == []
    page.context.close()
