"""Which tests were not tried, and how to have them: right before pytest's closing line.

Every reason of a skip is written for this: "needs WHAT: HOW". One that CI may skip, too, begins with "allowed: ".
"""

from collections import Counter
from collections.abc import Generator

import pytest


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ").removeprefix("allowed: ")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    yield
    reasons = Counter(reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("tests not tried here", sep="=")
    for why, number in reasons.most_common():
        terminalreporter.line(f"{number:5}  {why}")
    if terminalreporter.config.getoption("markexpr") == "not slow":
        terminalreporter.line(
            "Left out: what opens Chromium or starts whole programs again and again. bin/test --all runs it, too."
        )
