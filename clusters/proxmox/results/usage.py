"""How busy a guest was, minute by minute, and who is logged in on it."""

import math
from dataclasses import dataclass

from clusters.proxmox.errors import Refused
from clusters.proxmox.results.coercion import Row, row, rows, text
from clusters.sentences import say

MAX_SAMPLES = 2000
MAX_USERS = 200


@dataclass(frozen=True, slots=True)
class LoadSample:
    """The averages of a step that begins at `at` (seconds since 1970). None: the cluster has no figure.

    `cpu` is the share of all processors of the guest, 0 to 1; `cpus` is how many these are. `network` is what it
    received and sent, bytes a second.
    """

    at: int
    cpu: float | None
    cpus: float | None
    network: float | None


def load(data: object) -> tuple[LoadSample, ...]:
    """In the order of time. Rows without a time are left out, and figures that are none count as missing."""
    found = [entry for entry in rows(data)[:MAX_SAMPLES] if isinstance(entry, dict)]
    samples = (_sample(entry) for entry in found)
    return tuple(sorted((one for one in samples if one), key=lambda one: one.at))


def _sample(entry: Row) -> LoadSample | None:
    at = _number(entry.get("time"))
    if at is None or at > 2**40:
        return None
    received, sent = _number(entry.get("netin")), _number(entry.get("netout"))
    network = None if received is None or sent is None else received + sent
    return LoadSample(int(at), _number(entry.get("cpu")), _number(entry.get("maxcpu")), network)


def _number(value: object) -> float | None:
    """Not what `coercion.real` makes of it: nothing is not zero here."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def users(data: object) -> tuple[str, ...]:
    """Who is logged in, by the account of the guest agent. Raises `Refused` when the agent answered with an error."""
    result = row(data).get("result")
    if isinstance(result, dict) and isinstance(result.get("error"), dict):
        reason = text(result["error"].get("desc"), 300)
        raise Refused(say("agent-refused", reason=reason), reason=reason)
    return tuple(_user(entry) for entry in rows(result)[:MAX_USERS])


def _user(entry: object) -> str:
    """An entry that cannot be read is somebody, too."""
    return text(entry.get("user"), 100) if isinstance(entry, dict) else ""
