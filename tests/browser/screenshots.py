"""Make the README's pictures: start the demo, log in, look. `bin/screenshots [FOLDER]`."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.chromium import browser
from tests.browser.demo import Demo, running

DESKTOP = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 844}

# File name: who, where, dark, phone.
SHOTS: dict[str, tuple[str, str, bool, bool]] = {
    "login": ("", "accounts/login/", False, False),
    "my-machines": ("ana", "vms/?cluster=", False, False),
    "my-machines-dark": ("ana", "vms/?cluster=", True, False),
    "my-machines-phone": ("ana", "vms/?cluster=", False, True),
    "my-machines-phone-dark": ("ana", "vms/?cluster=", True, True),
    "machine": ("ana", "vms/1/", False, False),
    "console": ("chen", "vms/3/console/", False, False),
    "console-phone": ("chen", "vms/3/console/", False, True),
    "one-machine": ("chen", "vms/", False, False),
    "clusters": ("admin", "clusters/", False, False),
    "admin-clusters": ("admin", "admin/clusters/cluster/", False, False),
    "admin-cluster": ("admin", "admin/clusters/cluster/2/change/", False, False),
    "admin-cluster-dark": ("admin", "admin/clusters/cluster/2/change/", True, False),
}


def open_page(chromium: Browser, demo: Demo, name: str = "", *, dark: bool = False, phone: bool = False) -> Page:
    """A page of its own session, logged in as `name`."""
    page = chromium.new_page(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        has_touch=phone,
    )
    page.goto(demo.address)
    if name:
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(demo.passwords[name])
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/vms/**")
    return page


def show_screen(page: Page, *, phone: bool) -> None:
    """A console in use."""
    page.locator("#word").get_by_text("Connected").wait_for(timeout=30_000)
    if phone:
        page.get_by_role("button", name="Keyboard").click()
    else:
        page.keyboard.type("ip address")
    page.wait_for_timeout(1000)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with running() as demo, browser() as chromium:
        ana = open_page(chromium, demo, "ana")
        ana.get_by_role("button", name="Start net101-01").click()
        ana.get_by_role("link", name="Reboot net101-01").wait_for()
        chen = open_page(chromium, demo, "chen")
        chen.get_by_role("button", name="Start and open").click()
        ana.get_by_text("10.88.").first.wait_for(timeout=90_000)  # its agent was asked
        for file, (name, path, dark, phone) in SHOTS.items():
            page = open_page(chromium, demo, name, dark=dark, phone=phone)
            page.goto(demo.address + path)
            if path.endswith("console/"):
                show_screen(page, phone=phone)
            page.screenshot(path=folder / f"{file}.png", full_page=True)
            page.context.close()
            print(folder / f"{file}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots"))
