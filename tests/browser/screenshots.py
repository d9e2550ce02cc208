"""Pictures of a running demo.

`bin/screenshots [FOLDER]` makes the README's. `bin/screenshots --all FOLDER` takes every page and state, on a desk and
on a phone, light and dark: with one cluster away, and with one dead, one slow and one with another certificate.
"""

import argparse
from collections.abc import Callable
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

# Every page, by the person who looks at it. {pk} is one of their machines.
PAGES: dict[str, dict[str, str]] = {
    "": {"login": "accounts/login/", "login-ended": "accounts/login/?next=/vms/&ended=1"},
    "ana": {
        "list": "vms/?cluster=",
        "list-of-one-cluster": "vms/?cluster=building-b",
        "list-filtered-to-nothing": "vms/?cluster=&q=nothing",
        "machine": "vms/{pk}/",
        "confirm-shutdown": "vms/{pk}/shutdown/",
        "confirm-stop": "vms/{pk}/stop/",
        "save-point": "vms/{pk}/save-point/",
        "no-address": "vms/3/rdp",
        "profile": "accounts/profile/",
        "password": "accounts/password/",
        "not-found": "nothing-here/",
    },
    "chen": {"list-single": "vms/?cluster="},
    "tess": {
        "teacher-list": "vms/?cluster=",
        "classes": "classes/",
        "class": "classes/1/",
        "class-live": "classes/1/live/",
        "class-machines": "classes/1/machines/",
        "class-people": "classes/1/people/",
        "class-add-people": "classes/1/people/add/",
        "class-invite": "classes/1/invite/",
        "class-settings": "classes/1/settings/",
        "class-new": "classes/new/",
    },
    "admin": {
        "staff-list": "vms/?cluster=",
        "staff-list-stopped": "vms/?cluster=building-a&status=stopped",
        "staff-machine": "vms/{pk}/",
        "staff-why": "vms/{pk}/why/?person=chen",
        "staff-snapshot": "vms/{pk}/snapshots/",
        "staff-clusters": "clusters/",
        "admin-index": "admin/",
        "admin-clusters": "admin/clusters/cluster/",
        "admin-cluster": "admin/clusters/cluster/2/change/",
        "admin-cluster-add": "admin/clusters/cluster/add/",
        "admin-machines": "admin/vms/virtualmachine/",
        "admin-machine": "admin/vms/virtualmachine/{pk}/change/",
        "admin-operations": "admin/vms/operation/",
        "admin-assignments": "admin/vms/assignment/",
        "admin-people": "admin/accounts/user/",
        "admin-trail": "admin/auditlog/logentry/",
    },
}
# What faults change.
CHANGED = {"list", "machine", "list-single", "staff-list", "staff-machine", "staff-clusters", "admin-clusters"}


def open_page(
    chromium: Browser, demo: Demo, name: str = "", *, dark: bool = False, phone: bool = False, scripts: bool = True
) -> Page:
    """A page of its own session, logged in as `name`."""
    page = chromium.new_page(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        has_touch=phone,
        java_script_enabled=scripts,
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
    page.locator("#word", has_text="Connected").wait_for(timeout=30_000)
    if phone:
        page.get_by_role("button", name="Keyboard").click()
    else:
        page.keyboard.type("ip address")
    page.wait_for_timeout(1000)


def start_a_machine(chromium: Browser, demo: Demo) -> None:
    ana = open_page(chromium, demo, "ana")
    ana.get_by_role("button", name="Start net101-01").click(timeout=90_000)
    ana.get_by_role("link", name="Reboot net101-01").wait_for(timeout=90_000)
    ana.get_by_text("10.88.").first.wait_for(timeout=90_000)  # its agent was asked
    ana.context.close()
    chen = open_page(chromium, demo, "chen")
    chen.get_by_role("button", name="Start and open").click(timeout=90_000)
    chen.context.close()


def take(page: Page, file: Path) -> None:
    page.screenshot(path=file, full_page=True)
    print(file, flush=True)


def for_the_readme(chromium: Browser, demo: Demo, folder: Path) -> None:
    start_a_machine(chromium, demo)
    for file, (name, path, dark, phone) in SHOTS.items():
        page = open_page(chromium, demo, name, dark=dark, phone=phone)
        page.goto(demo.address + path)
        if path.endswith("console/"):
            show_screen(page, phone=phone)
        take(page, folder / f"{file}.png")
        page.context.close()


def everything(chromium: Browser, demo: Demo, folder: Path) -> None:
    start_a_machine(chromium, demo)
    every_look(chromium, demo, folder, lambda name: True)
    for line in ("renew building-b", "slow building-a", "down annex"):
        demo.type(line)
    admin = open_page(chromium, demo, "admin")
    admin.goto(f"{demo.address}clusters/")
    admin.locator(".badge.failed").nth(2).wait_for(timeout=60_000)
    admin.context.close()
    every_look(chromium, demo, folder / "faults", CHANGED.__contains__)
    demo.type("up building-a")
    moments(chromium, demo, folder)


def every_look(chromium: Browser, demo: Demo, folder: Path, wanted: Callable[[str], bool]) -> None:
    """Each page by each person, on both sizes in both colours. Who logged in once stays so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pages in PAGES.items():
        shots = {file: path for file, path in pages.items() if wanted(file)}
        if not shots:
            continue
        page = open_page(chromium, demo, name)
        first = page.locator("li.machine").first if name else None
        pk = str(first.get_attribute("id")).removeprefix("machine-") if first else ""
        for look, size in (("desk", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for colours in ("light", "dark"):
                page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
                for file, path in shots.items():
                    page.goto(demo.address + path.format(pk=pk))
                    take(page, folder / f"{file}-{look}-{colours}.png")
        page.context.close()


def moments(chromium: Browser, demo: Demo, folder: Path) -> None:
    """What passes by: a wrong password, a machine that stops, the print, and a lost connection."""
    page = open_page(chromium, demo)
    page.get_by_label("User name").fill("ana")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    take(page, folder / "login-wrong.png")
    page.context.close()
    page = open_page(chromium, demo, "ben")
    page.goto(f"{demo.address}vms/?cluster=building-a")
    page.get_by_role("button", name="Start net101-02").click(timeout=60_000)
    take(page, folder / "starting.png")
    page.get_by_role("link", name="Shut down net101-02").click(timeout=60_000)
    page.get_by_role("button", name="Shut down").click()
    take(page, folder / "shutting-down.png")
    page.emulate_media(media="print")
    take(page, folder / "print.png")
    page.emulate_media(media="screen")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    take(page, folder / "focus.png")
    page.context.set_offline(True)
    page.locator("#connection").wait_for(timeout=30_000)
    take(page, folder / "lost.png")
    page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/screenshots", description="Pictures of a demo that it starts.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--all", action="store_true", help="every page and state, not only the README's pictures")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with running() as demo, browser() as chromium:
        (everything if options.all else for_the_readme)(chromium, demo, options.folder)


if __name__ == "__main__":
    main()
