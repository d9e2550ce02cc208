"""A console that the portal takes away says why at once, and nothing of a lost connection before."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo import Demo
from tests.browser.screens import expect_word
from tests.browser.screenshots import open_page

pytestmark = pytest.mark.browser

# Every word that the page has shown.
WRITE_DOWN = """() => {
  window.words = [];
  const word = document.getElementById("word");
  new MutationObserver(() => window.words.push(word.textContent)).observe(word, { childList: true });
}"""

# A portal that takes the console away a moment after it was asked for.
ENDS_WITH = """
  window.WebSocket = class extends EventTarget {
    static CONNECTING = 0; static OPEN = 1; static CLOSING = 2; static CLOSED = 3;
    binaryType = ""; protocol = "binary"; readyState = 0;
    onopen = null; onmessage = null; onerror = null; onclose = null;
    constructor() {
      super();
      const end = new CloseEvent("close", { code: %d });
      setTimeout(() => { this.dispatchEvent(end); this.onclose?.(end); }, 1000);
    }
    send() {}
    close() {}
  };
"""

BARRED = {4404, 4410}  # connecting again would be refused, and the machine's page is not found
REASONS = {
    4404: "You no longer have access to this machine.",
    4410: "You no longer have access to this machine.",
    4412: "An administrator has deactivated",
}


def opened(window: Browser, the_demo: Demo) -> tuple[Page, Page]:
    """The list, and the console of a machine."""
    page = open_page(window, the_demo, "admin")
    page.goto(f"{the_demo.address}vms/?cluster=building-a&q=net101-08")
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Open the console of net101-08").click()
    return page, popup.value


def test_who_logs_out_is_told_so_first(window: Browser, the_demo: Demo) -> None:
    page, console = opened(window, the_demo)
    expect_word(console, "Connected")
    console.evaluate(WRITE_DOWN)
    page.get_by_role("button", name="Log out").click()
    expect_word(console, "Session ended")
    assert console.evaluate("window.words") == ["Session ended"]
    page.context.close()


@pytest.mark.parametrize(("code", "reason"), REASONS.items())
def test_the_true_reason_is_the_first_message(window: Browser, the_demo: Demo, code: int, reason: str) -> None:
    page, console = opened(window, the_demo)
    expect_word(console, "Connected")
    console.add_init_script(ENDS_WITH % code)
    console.reload()
    console.evaluate(WRITE_DOWN)
    expect(console.get_by_text(reason)).to_be_visible()
    console.wait_for_timeout(1500)  # a lost connection would be tried again by now
    assert console.evaluate("window.words") == ["Not connected"]
    ways = [name for name in ("again", "machine", "machines") if console.locator(f"#{name}").is_visible()]
    assert ways == (["machines"] if code in BARRED else ["again", "machine"])
    page.context.close()
