"""/nodes/{node}/qemu/{vmid} and /nodes/{node}/lxc/{vmid}: state and power."""

from __future__ import annotations

from collections.abc import Callable

from pvesim.api.call import Call, Handler, Json, Permission, Routes
from pvesim.api.rows import live_row, machine_row
from pvesim.errors import bad_parameters, failed
from pvesim.guests import Guest, Kind
from pvesim.ha import HighAvailability
from pvesim.parameters import COUNT, FLAG, NODE, SKIPLOCK, TEXT, Param, since
from pvesim.power import SHUTDOWN_TIMEOUT, Power, noun
from pvesim.tasks import Steps, Task

ROUTES = Routes()
KINDS: tuple[Kind, ...] = ("qemu", "lxc")
PREFIX = {"qemu": "qm", "lxc": "vz"}
SEES = Permission("/vms/{vmid}", ("VM.Audit",))
SWITCHES = Permission("/vms/{vmid}", ("VM.PowerMgmt",))

REQUESTS = ("start", "stop", "shutdown")

Work = Callable[[Task], Steps]
# From a call and its guest to the kind of task and its work; a refusal is an exception.
Action = Callable[[Call, Guest, Power], tuple[str, Work]]


def current(kind: Kind) -> Handler:
    def handler(call: Call) -> Json:
        guest = call.guest(kind)
        ha: Json = {"managed": 0} if guest.ha is None else {"managed": 1, "state": guest.ha}
        row = {**live_row(call, guest), "ha": ha}
        return {**row, **machine_row(guest)} if kind == "qemu" else row

    return handler


def act(kind: Kind, action: Action) -> Handler:
    def handler(call: Call) -> str:
        guest = call.guest(kind)
        task_type, work = action(call, guest, call.cluster.power(guest))
        if guest.ha is not None and task_type in REQUESTS:
            return _request(call, guest, task_type)
        return call.start_task(PREFIX[kind] + task_type, str(guest.vmid), work)

    return handler


def start(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    call.require_quorum()
    if guest.kind == "lxc" and guest.is_up:
        raise failed(f"CT {guest.vmid} already running")
    return "start", power.start


def stop(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    _refuse_stopped_container(guest)
    if call.values.get("overrule-shutdown") and guest.ha is None:
        _abort_shutdowns(call, guest)
    return "stop", power.stop


def shutdown(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    _refuse_stopped_container(guest)
    force = bool(call.values.get("forceStop"))
    if guest.status == "paused" and not force:
        raise failed("VM is paused - cannot shutdown")
    return "shutdown", power.shutdown(call.values.get("timeout", SHUTDOWN_TIMEOUT), force)


def reboot(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    _refuse_stopped(guest)
    return "reboot", power.reboot(call.values.get("timeout", SHUTDOWN_TIMEOUT))


def reset(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    _refuse_stopped(guest)
    return "reset", power.reset


def suspend(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    _refuse_stopped(guest)
    if call.values.get("todisk"):
        call.require(guest.path, "VM.Config.Disk")
        return "suspend", power.suspend_to_disk
    return ("pause" if guest.kind == "qemu" else "suspend"), power.suspend


def resume(call: Call, guest: Guest, power: Power) -> tuple[str, Work]:
    if guest.lock != "suspended":
        _refuse_stopped(guest)
    return "resume", power.resume


def _request(call: Call, guest: Guest, action: str) -> str:
    """High availability is asked for it, and the task is done when it has heard."""
    if call.values.get("overrule-shutdown"):
        raise bad_parameters({"overrule-shutdown": "not available for guests which are managed by HA"})
    availability = HighAvailability(guest, call.cluster.durations, call.cluster.tasks)
    if action == "start":
        return call.start_task("hastart", str(guest.vmid), availability.request_start)
    return call.start_task("hastop", str(guest.vmid), availability.request_stop)


def _refuse_stopped(guest: Guest) -> None:
    if not guest.is_up:
        raise failed(f"{noun(guest)} {guest.vmid} not running")


def _refuse_stopped_container(guest: Guest) -> None:
    if guest.kind == "lxc":
        _refuse_stopped(guest)


def _abort_shutdowns(call: Call, guest: Guest) -> None:
    shutdown_type = f"{PREFIX[guest.kind]}shutdown"
    for task in [task for task in call.cluster.tasks if task.is_running]:
        if (task.type, task.id) == (shutdown_type, str(guest.vmid)):
            call.cluster.tasks.abort(task, "received interrupt")


SHUTDOWN = {"timeout": COUNT, "forceStop": FLAG}
STOP = {"skiplock": SKIPLOCK, "overrule-shutdown": since((8, 2), FLAG)}
ACTIONS: dict[Kind, dict[str, tuple[Action, dict[str, Param]]]] = {
    "qemu": {
        "start": (start, {"skiplock": SKIPLOCK, "timeout": COUNT}),
        "stop": (stop, {**STOP, "timeout": COUNT, "keepActive": SKIPLOCK, "migratedfrom": NODE}),
        "shutdown": (shutdown, {**SHUTDOWN, "skiplock": SKIPLOCK, "keepActive": SKIPLOCK}),
        "reboot": (reboot, {"timeout": COUNT}),
        "reset": (reset, {"skiplock": SKIPLOCK}),
        "suspend": (suspend, {"skiplock": SKIPLOCK, "todisk": FLAG, "statestorage": TEXT}),
        "resume": (resume, {"skiplock": SKIPLOCK, "nocheck": FLAG}),
    },
    "lxc": {
        "start": (start, {"skiplock": SKIPLOCK, "debug": FLAG}),
        "stop": (stop, STOP),
        "shutdown": (shutdown, SHUTDOWN),
        "reboot": (reboot, {"timeout": COUNT}),
        "suspend": (suspend, {}),
        "resume": (resume, {}),
    },
}

for _kind in KINDS:
    _place = f"/nodes/{{node}}/{_kind}/{{vmid}}"
    ROUTES.add("GET", f"{_place}/status/current", permission=SEES, protected=True)(current(_kind))
    for _name, (_action, _params) in ACTIONS[_kind].items():
        _add = ROUTES.add("POST", f"{_place}/status/{_name}", _params, permission=SWITCHES, protected=True)
        _add(act(_kind, _action))
