"""Text pasted into the console, from Chromium through the portal to QEMU: what a Linux guest reads."""

import os
import string
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from accounts.models import User
from tests.browser import chromium
from tests.guest import initramfs, machine
from tests.guest.machine import Machine
from tests.labs import Lab
from tests.vms.console_client import Portal, browser_of, portal
from vms.models import VirtualMachine

__all__ = ["portal"]

ASSETS = Path(__file__).resolve().parent.parent.parent / "labportal/assets"
KERNEL = Path(os.environ.get("GUEST_KERNEL", "/nowhere"))
PROGRAMS = (initramfs.BUSYBOX, initramfs.LOADKEYS, initramfs.CKBCOMP, machine.QEMU, chromium.executable())
pytestmark = [
    pytest.mark.usefixtures("own_database"),
    pytest.mark.skipif(
        not (KERNEL.is_file() and all(PROGRAMS)), reason="allowed: needs QEMU and the kernel of a guest: bin/guest"
    ),
]

# These come with the other texts; all of them in all layouts take half a minute.
EVERY_SIGN = os.environ.get("GUEST_SIGNS") == "all"
FAMILIAR = string.ascii_letters + string.digits
SPANISH = "España ñ á ü ¿€?"
COMMAND = 'Hello-World_1 ls /etc | grep "a:b" > ~/x'
LACKS = "Nothing was typed. This keyboard layout has no keys for "
TYPED = " characters were typed."


class Case(NamedTuple):
    layout: str
    text: str
    caps_lock: bool
    lacks: tuple[tuple[str, int], ...] = ()


def cases(option: str) -> Iterator[Case]:
    for caps_lock in (False, True) if EVERY_SIGN or not option else (False,):
        yield Case("en-us", SPANISH, caps_lock, (("ñ", 5), ("á", 10), ("ü", 12), ("¿", 14), ("€", 15)))
        yield Case("es", SPANISH, caps_lock)
        yield Case("de", SPANISH, caps_lock, (("ñ", 5), ("¿", 14)))
        for layout in ("en-us", "es", "de"):
            yield Case(layout, COMMAND, caps_lock)


class Console:
    """The page with the console, and the machine behind it."""

    def __init__(self, page: Page, guest: Machine, option: str) -> None:
        self.page, self.guest, self.option = page, guest, option

    def use(self, layout: str, *, light: bool = True) -> None:
        """For the guest, and on the page."""
        self.guest.load(layout, light=light)
        chosen = self.page.get_by_label("Keyboard layout of the machine")
        if chosen.input_value() != layout:
            with self.page.expect_response(lambda answer: answer.url.endswith("/console/keyboard/")):
                chosen.select_option(layout)

    def paste(self, text: str) -> str:
        """What the page says to it."""
        self.page.get_by_label("Text to type").fill(text)
        self.page.get_by_role("button", name="Type text").click()
        said = self.page.locator("#text-error:not(:empty), #typed-words:not(:empty)")
        expect(said).to_have_count(1, timeout=60_000)
        return said.inner_text()

    def signs(self, layout: str) -> str:
        """All that can be written with a layout, by the page's own table."""
        script = f"""import("/static/portal/console-typing.js").then(({{ strokesWith }}) =>
            [...strokesWith({{ layout: "{layout}", option: "{self.option}", isWindows: false }}).keys()].join(""))"""
        found: str = self.page.evaluate(script)
        return "".join(sign for sign in found if sign.isprintable())

    def arrives(self, case: Case) -> tuple[str, str]:
        """What the page says, and what the guest reads."""
        self.use(case.layout)
        if case.caps_lock:
            self.guest.press("caps_lock")
            self.page.wait_for_timeout(300)
        said = self.paste(case.text)
        read = self.guest.read("" if case.lacks else case.text)
        if case.caps_lock and case.lacks:
            self.guest.press("caps_lock")  # nothing was typed, so it is still on
        return said, read


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guest") / "initramfs"
    initramfs.build(path)
    return path


@pytest.fixture(scope="module", params=["", "es"], ids=["no option", "-k es"])
def option(request: pytest.FixtureRequest) -> str:
    """Proxmox VE's keyboard option, for which QEMU has -k."""
    return str(request.param)


@pytest.fixture(scope="module")
def guest(option: str, tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("qemu")
    with machine.running(folder, kernel=KERNEL, initramfs=archive, keyboard=option) as found:
        yield found


@pytest.fixture
def console(portal: Portal, building_a: Lab, ana: User, guest: Machine, option: str) -> Iterator[Console]:
    building_a.pve.guest(102).vnc_backend = guest.console
    hers = building_a.assign(102, ana)
    VirtualMachine.objects.filter(pk=hers.pk).update(keyboard_option=option)
    cookie = browser_of(ana).cookies["sessionid"].value
    # From here to the end of the browser, this thread cannot use the database.
    with chromium.browser() as window:
        yield Console(opened(window, portal, cookie, hers.pk), guest, option)


def opened(window: Browser, portal: Portal, cookie: str, pk: int) -> Page:
    context = window.new_context(locale="en-GB")
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": portal.origin}])
    context.route("**/static/**", give_file)  # tests collect no static files for the server
    page = context.new_page()
    page.goto(f"{portal.origin}/vms/{pk}/console/")
    expect(page.locator("#word")).to_have_text("Connected", timeout=45_000)
    page.get_by_role("button", name="Paste text").click()
    return page


def give_file(route: Route) -> None:
    route.fulfill(path=ASSETS / urlsplit(route.request.url).path.removeprefix("/static/"))


def show(case: Case, said: str, read: str) -> str:
    outcome = "refused" if said.startswith(LACKS) and not read else "equal" if read == case.text else "WRONG"
    lock = "on " if case.caps_lock else "off"
    detail = said.removeprefix(LACKS) if outcome == "refused" else read
    return f"{case.layout:6} {lock} {outcome:8} {case.text:42} {detail}"


def expected(case: Case) -> tuple[str, str]:
    if not case.lacks:
        return f"{len(case.text)}{TYPED}", case.text
    return LACKS + ", ".join(f"“{sign}” (character {place})" for sign, place in case.lacks) + ".", ""


def test_pasted_text_arrives_as_it_was_or_is_refused_by_name(console: Console) -> None:
    found = [(case, *console.arrives(case)) for case in cases(console.option)]
    print(
        f"\nkeyboard option: {console.option or 'none'}\nlayout caps outcome  pasted",
        *(show(*one) for one in found),
        sep="\n",
    )
    assert [(said, read) for _case, said, read in found] == [expected(case) for case, _said, _read in found]


def test_every_sign_of_every_layout_arrives(console: Console) -> None:
    print()
    for layout in initramfs.LAYOUTS if EVERY_SIGN or not console.option else ("es", "it"):
        signs = console.signs(layout)
        assert len(signs) > 90
        if not EVERY_SIGN:
            signs = "".join(sign for sign in signs if sign not in FAMILIAR)
        said, read = console.arrives(Case(layout, signs, caps_lock=False))
        print(f"{layout:6} {len(signs)} signs: {signs}")
        assert (read, said) == (signs, f"{len(signs)}{TYPED}")
    assert console.paste("a\tb\nc") == f"5{TYPED}"
    assert console.guest.read("a\tb\rc") == "a\tb\rc"


@pytest.mark.parametrize("option", [""], indirect=True)
def test_where_no_light_tells_of_caps_lock_a_person_has_to(console: Console) -> None:
    console.use("es", light=False)
    assert console.paste("Año").startswith("Nothing was typed: the machine does not show whether Caps Lock is on.")
    assert console.guest.read() == ""
    assert console.paste("Año") == f"3{TYPED}"
    assert console.guest.read("Año") == "Año"


@pytest.mark.parametrize("option", [""], indirect=True)
def test_nothing_is_typed_while_caps_lock_cannot_be_switched_off(console: Console) -> None:
    console.use("es")
    console.guest.press("caps_lock")
    console.page.wait_for_timeout(300)
    console.guest.freeze()
    assert console.paste("Hola").startswith("Nothing was typed: Caps Lock is on")
    console.guest.thaw()
    assert console.guest.read() == ""
