"""The console as a person meets it: the picture, not only the word *Connected*; typing; and what goes wrong."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo import Demo
from tests.browser.screens import (
    ALT,
    CAPS_LOCK,
    CTRL,
    DELETE,
    ESCAPE,
    INK,
    NAME,
    PAPER,
    RETURN,
    SHIFT,
    colours,
    expect_word,
    frames_of,
    pressed,
    until,
    until_ink,
    until_pressed,
    width_of,
)
from tests.browser.screenshots import open_page
from tests.browser.test_pages import violations, watched

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(window: Browser, the_demo: Demo) -> Iterator[Page]:
    """Chen's only machine, started and opened by the one button that there is."""
    portal = open_page(window, the_demo, "chen")
    with portal.context.expect_page() as popup:
        portal.get_by_role("button", name="Start and open").click()
    page = popup.value
    expect_word(page, "Starting")
    expect_word(page, "Connected")
    yield page
    portal.context.close()


def choose(page: Page, layout: str) -> None:
    page.get_by_label("Keyboard layout of the machine").select_option(layout)
    expect(page.get_by_text("Saved for everyone")).to_be_visible()


@pytest.fixture
def console(opened: Page) -> Page:
    opened.set_viewport_size({"width": 1280, "height": 720})
    opened.reload()
    expect_word(opened, "Connected")
    until_ink(opened, 0)
    return opened


def test_the_picture_is_painted_and_follows_the_keys(console: Page) -> None:
    before = colours(console)
    assert before[PAPER] > before[INK] > 0
    assert before[NAME] > 0
    print(f"\npicture: {before[PAPER]} pixels of paper, {before[INK]} of text, {before[NAME]} of the name")
    expect(console.locator("#picture canvas")).to_be_focused()
    console.keyboard.type("WWW")
    ink = until_ink(console, before[INK])
    print(f"echo: {ink - before[INK]} pixels of text more after WWW")
    console.get_by_role("button", name="Paste text").click()
    console.get_by_label("Text to type").fill("x" * 2001)
    console.get_by_role("button", name="Type text").click()
    expect(console.locator("#layout-error")).to_contain_text("Choose the keyboard layout of the machine first")
    choose(console, "German")
    console.get_by_role("button", name="Type text").click()
    expect(console.locator("#text-error")).to_contain_text("Nothing was typed: the text has 2001 characters")
    console.get_by_label("Text to type").fill("Hello!\nWorld")
    console.get_by_role("button", name="Type text").click()
    expect(console.get_by_text("12 characters were typed.")).to_be_visible()
    until_ink(console, ink)


def test_the_tools_press_exactly_the_keys_that_they_say(console: Page) -> None:
    frames = frames_of(console)
    console.reload()
    expect_word(console, "Connected")
    console.get_by_role("button", name="Ctrl-Alt-Del").click()
    until_pressed(console, frames, [CTRL, ALT, DELETE])
    frames.clear()
    console.get_by_role("button", name="Paste text").click()
    console.get_by_label("Text to type").fill("Aa!\nä")
    console.get_by_role("button", name="Type text").click()
    caps = [CAPS_LOCK, CAPS_LOCK]  # whether its light follows
    until_pressed(console, frames, [*caps, SHIFT, ord("A"), ord("a"), SHIFT, ord("!"), RETURN, 0xE4])
    frames.clear()
    console.get_by_role("button", name="Keyboard").click()
    console.get_by_role("button", name="Esc").click()
    console.get_by_role("button", name="Ctrl", exact=True).click()
    console.get_by_label("Your typing here").focus()
    console.keyboard.insert_text("c")
    until_pressed(console, frames, [ESCAPE, CTRL, ord("c")])
    expect(console.get_by_role("button", name="Ctrl", exact=True)).to_have_attribute("aria-pressed", "false")


def test_caps_lock_is_switched_off_first_and_a_sign_without_a_key_stops_all(console: Page) -> None:
    frames = frames_of(console)
    console.reload()
    expect_word(console, "Connected")
    console.keyboard.press("CapsLock")
    until_pressed(console, frames, [CAPS_LOCK])
    console.get_by_role("button", name="Paste text").click()
    console.get_by_label("Text to type").fill("añb\u00a0ñ")
    console.get_by_role("button", name="Type text").click()
    expect(console.locator("#text-error")).to_have_text(
        "Nothing was typed. This keyboard layout has no keys for “ñ” (character 2), “U+00A0” (character 4)."
    )
    console.get_by_label("Text to type").fill("ab")
    console.get_by_role("button", name="Type text").click()
    until_pressed(console, frames, [CAPS_LOCK, CAPS_LOCK, ord("a"), ord("b")])


def test_what_linux_alone_writes_is_refused_for_windows(console: Page) -> None:
    script = """import("/static/portal/console-typing.js").then(({ strokesWith, knows }) => [
        ...["es", "fr", "it", "pt"].map((layout) => [false, true].map(
            (isWindows) => strokesWith({ layout, option: "", isWindows }).has("~"))),
        [knows(""), knows("de"), knows("pl")],
    ])"""
    assert console.evaluate(script) == [[True, False], [True, False], [True, False], [True, True], [True, True, False]]


def test_pinching_presses_neither_caps_lock_nor_num_lock(console: Page) -> None:
    frames = frames_of(console)
    console.reload()
    expect_word(console, "Connected")
    fingers = console.context.new_cdp_session(console)
    fingers.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def touch(kind: str, *places: int) -> None:
        points = [{"x": x, "y": 400, "id": number} for number, x in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 600)
    touch("touchStart", 600, 680)
    for apart in range(100, 500, 50):
        touch("touchMove", 640 - apart // 2, 640 + apart // 2)
        console.wait_for_timeout(30)
    touch("touchEnd")
    fingers.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    until(console, lambda: CTRL in pressed(frames))  # with the wheel, as a mouse zooms
    assert set(pressed(frames)) == {CTRL}


def test_a_paused_machine_says_so_and_goes_on(console: Page, window: Browser, the_demo: Demo) -> None:
    machine = open_page(window, the_demo, "chen")
    machine.goto(console.url.replace("console/", "suspend/"))
    machine.get_by_role("main").get_by_role("button", name="Pause").click()
    standstill = console.get_by_text("Paused: the picture stands still, and keys do nothing.")
    expect(standstill).to_be_visible(timeout=45_000)
    console.get_by_role("button", name="Resume").click()
    expect_word(console, "Connected")
    expect(standstill).to_be_hidden(timeout=45_000)
    machine.context.close()


def test_the_picture_fits_is_of_its_own_size_or_fills_the_screen(console: Page) -> None:
    console.set_viewport_size({"width": 500, "height": 500})
    until(console, lambda: width_of(console)[1] <= 500)
    own, fitted = width_of(console)
    assert fitted < own
    fit = console.get_by_role("button", name="Fit to the window")
    for shown in (own, fitted):
        fit.click()
        until(console, lambda shown=shown: width_of(console)[1] == shown)
    full = console.get_by_role("button", name="Full screen")
    for is_full in ("true", "false"):
        full.click()
        expect(full).to_have_attribute("aria-pressed", is_full)
        assert console.evaluate("String(Boolean(document.fullscreenElement))") == is_full


STORED = "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])"
SECRETS = ("PVEVNC", "PVEAPIToken", "vncticket", "vncproxy")


def test_a_browser_that_has_a_console_keeps_nothing_of_a_cluster(
    window: Browser, the_demo: Demo, console: Page
) -> None:
    staff = open_page(window, the_demo, "admin")
    staff.goto(f"{the_demo.address}admin/clusters/cluster/")
    staff.locator("#result_list tr", has_text="building-a").locator("th a").click()
    place = staff.locator("#id_port").input_value()
    assert f'value="{place}"' in staff.content(), "it is found where it is"
    staff.context.close()
    texts: list[str] = []
    console.on("websocket", lambda socket: texts.append(socket.url))
    console.on("request", lambda request: texts.extend((request.url, str(request.headers), request.post_data or "")))
    console.reload()
    expect_word(console, "Connected")
    texts += [console.content(), console.evaluate(STORED)]
    assert any(text.startswith("ws://") for text in texts)
    assert [secret for secret in (*SECRETS, place) for text in texts if secret in text] == []
    print(f"\npage, storage and {len(texts)} addresses and headers searched for a cluster's: 0 found")


def test_the_keyboard_gets_out_of_the_picture_and_in_again(console: Page) -> None:
    canvas, keys = console.locator("#picture canvas"), ("Control", "Alt", "Shift")
    console.keyboard.press("Tab")  # is the machine's
    expect(canvas).to_be_focused()
    for key in keys:
        console.keyboard.down(key)
    for key in keys:
        console.keyboard.up(key)
    expect(console.get_by_role("button", name="Ctrl-Alt-Del")).to_be_focused()
    for _ in range(6):
        console.keyboard.press("Tab")
    expect(canvas).to_be_focused()


def test_what_a_phone_types_arrives(console: Page) -> None:
    ink = colours(console)[INK]
    console.get_by_role("button", name="Keyboard").click()
    console.keyboard.insert_text("MMM")  # as a phone does: no keys, only what became of the text
    until_ink(console, ink)
    console.wait_for_timeout(500)  # the other letters
    more = colours(console)[INK]
    console.keyboard.press("Backspace")
    console.keyboard.press("Backspace")
    console.wait_for_timeout(500)
    assert colours(console)[INK] < more


def test_it_breaks_off_and_connects_again_by_itself(console: Page, the_demo: Demo) -> None:
    the_demo.type("drop building-a")
    expect_word(console, "Connection lost")
    expect(console.get_by_text("Try 1 of 3")).to_be_visible()
    expect_word(console, "Connected")
    print(f"\nreconnected after a drop: {until_ink(console, 0)} pixels of text")
    console.get_by_role("button", name="Disconnect").click()
    expect_word(console, "Disconnected")
    console.get_by_role("button", name="Reconnect").click()
    expect_word(console, "Connected")


def test_it_fits_a_phone_breaks_no_policy_and_axe_finds_nothing(console: Page) -> None:
    complaints = watched(console)
    console.reload()
    expect_word(console, "Connected")
    console.get_by_role("button", name="Keyboard").click()
    console.get_by_role("button", name="Paste text").click()
    for width in (1280, 390, 320):
        console.set_viewport_size({"width": width, "height": 800})
        assert console.evaluate("document.documentElement.scrollWidth") == width
        assert complaints == []  # axe breaks the policy itself
    print(f"\nviolations of the content security policy: {len(complaints)}")
    assert violations(console) == []
    console.get_by_role("button", name="Disconnect").click()
    assert violations(console) == []


def test_a_containers_screen_takes_signs_and_needs_no_layout(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    page.goto(f"{the_demo.address}vms/?cluster=building-b")
    page.get_by_role("link", name="db-04", exact=True).click()
    frames = frames_of(page)
    page.goto(f"{page.url}console/")
    if page.locator("#start").is_visible():
        page.get_by_role("button", name="Start").click()
    expect_word(page, "Connected")
    page.get_by_role("button", name="Paste text").click()
    page.get_by_label("Text to type").fill("Añ")
    page.get_by_role("button", name="Type text").click()
    until_pressed(page, frames, [ord("A"), ord("ñ")])
    page.context.close()


def test_a_machine_that_is_off_is_started_from_its_console(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "ben")
    complaints = watched(page)
    page.get_by_role("link", name="net101-02", exact=True).click()
    page.goto(f"{page.url}console/")
    expect_word(page, "Stopped")
    page.get_by_role("button", name="Start").click()
    expect_word(page, "Starting")
    expect_word(page, "Connected")
    until_ink(page, 0)
    assert complaints == []
    page.context.close()


def test_an_administrator_watches_first_and_is_seen(window: Browser, the_demo: Demo, console: Page) -> None:
    page = open_page(window, the_demo, "admin")
    page.goto(console.url)
    expect_word(page, "Connected, view only")
    expect(console.get_by_text("admin is watching")).to_be_visible(timeout=10_000)
    ink = until_ink(page, 0)
    page.keyboard.type("MMM")
    expect(page.get_by_role("button", name="Ctrl-Alt-Del")).to_be_disabled()
    page.wait_for_timeout(300)
    assert colours(page)[INK] == pytest.approx(ink, abs=ink // 20)
    page.get_by_role("button", name="Take control").click()
    expect_word(page, "Connected")
    page.locator("#picture canvas").click()
    page.keyboard.type("MMM")
    until_ink(page, ink)
    page.context.close()


def test_a_console_that_an_administrator_closes_says_so_and_stays_closed(
    window: Browser, the_demo: Demo, console: Page
) -> None:
    page = open_page(window, the_demo, "admin")
    page.goto(f"{the_demo.address}admin/vms/consolesession/?q=chen")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("close")
    page.get_by_role("button", name="Go", exact=True).click()
    page.get_by_role("button", name="Yes, close them").click()
    expect(page.get_by_text("1 console is closed within seconds.")).to_be_visible()
    expect(console.get_by_text("An administrator has closed this console.")).to_be_visible(timeout=10_000)
    console.wait_for_timeout(1500)  # a lost connection would be back
    expect_word(console, "Disconnected")
    console.get_by_role("button", name="Reconnect").click()
    expect_word(console, "Connected")
    page.context.close()


SILENT = {"state": "unreachable", "text": "The cluster does not answer."}
HIDDEN = "Object.defineProperty(document, 'hidden', {{ value: {}, configurable: true }})"


def test_after_the_last_try_it_goes_on_slowly_while_somebody_looks(
    window: Browser, the_demo: Demo, console: Page
) -> None:
    page = open_page(window, the_demo, "chen")
    page.clock.install()
    asked: list[str] = []
    page.route("**/console/grant/", lambda route: (asked.append(route.request.url), route.fulfill(json=SILENT))[1])
    page.goto(console.url)
    expect(page.get_by_text("The cluster does not answer. The portal tries again every 30 seconds")).to_be_visible()
    expect(page.get_by_role("button", name="Reconnect")).to_be_visible()
    page.clock.fast_forward(31_000)
    expect(page.locator("#word")).to_have_text("Not connected")
    page.evaluate(HIDDEN.format("true"))
    page.clock.fast_forward(31_000)
    page.clock.fast_forward(31_000)
    page.wait_for_timeout(200)
    assert len(asked) == 2
    page.unroute("**/console/grant/")
    page.evaluate(f"{HIDDEN.format('false')}; document.dispatchEvent(new Event('visibilitychange'))")
    expect_word(page, "Connected")
    page.context.close()


def test_its_own_place_that_is_not_free_yet_is_waited_for(console: Page) -> None:
    two = {"state": "limit", "text": "Two are open."}
    console.get_by_role("button", name="Disconnect").click()
    console.route("**/console/grant/", lambda route: route.fulfill(status=429, json=two), times=1)
    console.get_by_role("button", name="Reconnect").click()
    expect(console.get_by_text("Two are open.")).to_be_visible()
    expect_word(console, "Connected")


def test_a_session_that_ends_leads_to_the_login(window: Browser, the_demo: Demo) -> None:
    page = open_page(window, the_demo, "admin")
    page.goto(f"{the_demo.address}vms/?cluster=building-a&q=net101-08")
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Open the console of net101-08").click()
    page = popup.value
    expect_word(page, "Connected")
    page.context.clear_cookies()
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("button", name="Reconnect").click()
    expect_word(page, "Session ended")
    page.get_by_role("link", name="Log in").click()
    expect(page.get_by_label("User name")).to_be_visible()
    page.context.close()
