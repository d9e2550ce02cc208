"""How many calls a token may make in a minute, counted by each web process for itself.

In memory, because a call that only finds that nothing changed costs two queries, and writing a number would cost more
than the call itself.
"""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from django.conf import settings

WINDOW = 60  # seconds
MOST_KEPT = 10_000

_lock = threading.Lock()
_windows: OrderedDict[int, tuple[int, int]] = OrderedDict()  # by token: number of the window, calls in it


class Allowance(NamedTuple):
    """Calls in a window, how many are left (-1: this one is too many), and seconds until the next window."""

    limit: int
    remaining: int
    reset: int


def spend(token: int) -> Allowance:
    """Count one call."""
    limit, now = settings.API_CALLS_PER_MINUTE, time.monotonic()
    window = int(now // WINDOW)
    with _lock:
        before, calls = _windows.pop(token, (window, 0))
        calls = calls + 1 if before == window else 1
        _windows[token] = (window, calls)
        if len(_windows) > MOST_KEPT:
            _windows.popitem(last=False)
    return Allowance(limit, max(limit - calls, -1), WINDOW - int(now % WINDOW))


def headers(allowance: Allowance) -> dict[str, str]:
    """As in draft-ietf-httpapi-ratelimit-headers."""
    left = max(allowance.remaining, 0)
    found = {
        "RateLimit-Policy": f'"token";q={allowance.limit};w={WINDOW}',
        "RateLimit": f'"token";r={left};t={allowance.reset}',
    }
    return found if allowance.remaining >= 0 else {**found, "Retry-After": str(allowance.reset)}
