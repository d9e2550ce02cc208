"""The lines that benchmarks print, and whether all goals were reached."""

import statistics
import time
from collections.abc import Callable, Sequence

missed: list[str] = []


def goal(name: str, value: float, at_most: float, *, unit: str = "", best: float | None = None) -> None:
    """A ratio, or a time, that is to be small. On a machine with others it fails only when the best round misses."""
    reached = (value if best is None else best) <= at_most
    _print(name, f"{value:.2f}{unit}", f"<= {at_most:g}{unit}", reached=reached)


def count(name: str, value: float, exactly: float) -> None:
    """What can be counted is the same on every machine."""
    _print(name, f"{value:g}", f"== {exactly:g}", reached=value == exactly)


def tell(name: str, text: str) -> None:
    print(f"  {name:42} {text}", flush=True)


def _print(name: str, value: str, wanted: str, *, reached: bool) -> None:
    if not reached:
        missed.append(name)
    print(f"{name:44} {value:>10} {wanted:>12}  {'PASS' if reached else 'FAIL'}", flush=True)


def cpu_ms(act: Callable[[], object]) -> float:
    """Milliseconds of CPU of all threads of this process."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):8.1f} ms  ({min(values):.1f} to {max(values):.1f})"
