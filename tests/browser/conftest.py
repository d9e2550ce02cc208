import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium, demo


@pytest.fixture(scope="package")  # no longer: while Chromium is driven, a thread cannot use the database
def window() -> Iterator[Browser]:
    if not chromium.executable():
        pytest.skip("needs Chromium: apt install chromium")
    with chromium.browser() as started:
        yield started


@pytest.fixture(scope="module")  # while Chromium is driven, a thread cannot use the database
def the_demo(window: Browser) -> Iterator[demo.Demo]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    # Two that start at the same moment would take the same port for free.
    with demo.running(8100 + 100 * int(worker)) as started:
        yield started
