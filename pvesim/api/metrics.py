"""Figures over time: /rrddata"""

from __future__ import annotations

from collections.abc import Iterator

from pvesim.api.call import Call, Handler, Json, Permission, Routes
from pvesim.guests import Guest, Kind
from pvesim.parameters import Param, required

ROUTES = Routes()
# Seconds between two rows.
STEPS = {"hour": 60, "day": 1800, "week": 10800, "month": 43200, "year": 604800}
ROWS = 60
PARAMS = {"timeframe": required(Param(choices=tuple(STEPS))), "cf": Param(choices=("AVERAGE", "MAX"))}
SEES = Permission("/vms/{vmid}", ("VM.Audit",))


def series(kind: Kind) -> Handler:
    def handler(call: Call) -> list[Json]:
        return list(_rows(call.guest(kind), call.now, STEPS[call.values["timeframe"]]))

    return handler


def _rows(guest: Guest, now: float, step: int) -> Iterator[Json]:
    """A row lacks the cells that the cluster has no figure for: they are not null."""
    last = int(now) // step * step
    for moment in range(last - (ROWS - 1) * step, last + 1, step):
        yield _row(guest, moment, now, step)


def _row(guest: Guest, moment: int, now: float, step: int) -> Json:
    if moment + step <= guest.made_at or guest.figures.are_missing(moment):
        return {"time": moment}
    sizes: Json = {"time": moment, "maxcpu": guest.maxcpu, "maxmem": guest.maxmem, "maxdisk": guest.maxdisk, "disk": 0}
    if now - moment >= guest.uptime:
        return sizes
    load = _load(guest, moment)
    if now - moment >= guest.uptime - step:  # counters make a rate from their second figure on
        load = {name: value for name, value in load.items() if not name.startswith(("net", "disk"))}
    return {**sizes, **load}


def _load(guest: Guest, moment: int) -> Json:
    found = guest.figures.at(moment)
    return {
        "cpu": found.cpu if found else round(0.01 + 0.3 * guest.noise("cpu", moment), 6),
        "mem": int(guest.maxmem * (0.3 + 0.4 * guest.noise("mem", moment))),
        "netin": found.netin if found else 2000 * guest.noise("netin", moment),
        "netout": found.netout if found else 1000 * guest.noise("netout", moment),
        "diskread": 5000 * guest.noise("diskread", moment),
        "diskwrite": 3000 * guest.noise("diskwrite", moment),
    }


@ROUTES.add(
    "GET", "/nodes/{node}/rrddata", PARAMS, permission=Permission("/nodes/{node}", ("Sys.Audit",)), protected=True
)
def series_of_a_node(call: Call) -> list[Json]:
    step, node = STEPS[call.values["timeframe"]], call.node
    last = int(call.now) // step * step
    sizes: Json = {"maxcpu": node.maxcpu, "memtotal": node.maxmem, "roottotal": node.maxdisk}
    return [{"time": moment, **sizes} for moment in range(last - (ROWS - 1) * step, last + 1, step)]


for _kind in ("qemu", "lxc"):
    ROUTES.add("GET", f"/nodes/{{node}}/{_kind}/{{vmid}}/rrddata", PARAMS, permission=SEES, protected=True)(
        series(_kind)
    )
