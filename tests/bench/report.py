"""The lines that benchmarks print: each figure, what it was before, its goal, and whether that was reached.

What it was before is what the last release said, or with `--against` an earlier build in the same run.
"""

import json
import statistics
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

LAST_RELEASE = Path(__file__).with_name("last_release.toml")

missed: list[str] = []
lines: list[str] = []
measured: dict[str, str] = {}
before: dict[str, str] = {}


def compare_with_last_release(vendor: str) -> None:
    before.update(tomllib.loads(LAST_RELEASE.read_text(encoding="utf-8")).get(vendor, {}))


def record(vendor: str, version: str, figures: dict[str, str] = measured) -> None:
    """Keep these as the figures of the last release."""
    known = tomllib.loads(LAST_RELEASE.read_text(encoding="utf-8"))
    known |= {"release": version, vendor: known.get(vendor, {}) | figures}
    tables = {name: table for name, table in known.items() if isinstance(table, dict)}
    rows = [f"release = {json.dumps(version)}"]
    for name, table in sorted(tables.items()):
        rows += ["", f"[{name}]", *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items())]
    head = "# What figures were in the last release: `bin/bench --record` writes them, and bin/bench prints them.\n"
    LAST_RELEASE.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


def goal(name: str, value: float, at_most: float, *, unit: str = "", best: float | None = None) -> None:
    """A ratio, or a time, that is to be small. On a machine with others it fails only when the best round misses."""
    reached = (value if best is None else best) <= at_most
    _print(name, f"{value:.2f}{unit}", f"<= {at_most:g}{unit}", reached=reached)


def count(name: str, value: float, exactly: float) -> None:
    """What can be counted is the same on every machine."""
    _print(name, f"{value:g}", f"== {exactly:g}", reached=value == exactly)


def tell(name: str, text: str) -> None:
    name = name.strip()
    measured[name] = text.partition("  (")[0].strip()
    earlier = f"   before: {before[name]}" if name in before else ""
    print(f"  {name:42} {text}{earlier}", flush=True)


def _print(name: str, value: str, wanted: str, *, reached: bool) -> None:
    name = name.strip()
    measured[name] = value
    if not reached:
        missed.append(name)
    lines.append(f"{name:56} {before.get(name, '-'):>10} {value:>10} {wanted:>12}  {'PASS' if reached else 'FAIL'}")
    print(lines[-1], flush=True)


def table() -> None:
    """All goals once more, under each other."""
    print(f"\n{'':56} {'before':>10} {'now':>10} {'goal':>12}", *lines, sep="\n", flush=True)


def cpu_ms(act: Callable[[], object]) -> float:
    """Milliseconds of CPU of all threads of this process."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):8.1f} ms  ({min(values):.1f} to {max(values):.1f})"
