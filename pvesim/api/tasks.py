"""/nodes/{node}/tasks"""

from __future__ import annotations

from pvesim.api.call import Call, Json, Result, Routes
from pvesim.api.rows import task_row
from pvesim.errors import bad_parameters
from pvesim.parameters import COUNT, FLAG, NUMBER, TEXT, VMID, Param
from pvesim.tasks import KILLED, UPID, Task

ROUTES = Routes()
PAGE = 50
# A clone tidies up when it is told to stop; other work does not.
INTERRUPTED = "clone failed: command '/usr/bin/qemu-img convert -p -n -f qcow2 -O qcow2' failed: interrupted by signal"
LOG_PARAMS = {"start": COUNT, "limit": COUNT, "download": FLAG}


@ROUTES.add(
    "GET",
    "/nodes/{node}/tasks",
    {
        "start": COUNT,
        "limit": COUNT,
        "errors": FLAG,
        "since": NUMBER,
        "until": NUMBER,
        "vmid": VMID,
        "source": Param(choices=("archive", "active", "all")),
        "statusfilter": TEXT,
        "typefilter": TEXT,
        "userfilter": TEXT,
    },
)
def tasks(call: Call) -> Result:
    found = [task for task in call.cluster.tasks if _is_wanted(call, task)]
    found.sort(key=lambda task: task.starttime, reverse=True)
    first = call.values.get("start", 0)
    page = found[first : first + call.values.get("limit", PAGE)]
    return Result([_list_row(call, task) for task in page], {"total": len(found)} if found else {})


@ROUTES.add("GET", "/nodes/{node}/tasks/{upid}")
def task_index(call: Call) -> list[Json]:
    _readable_task(call)
    return [{"name": "log"}, {"name": "status"}]


@ROUTES.add("GET", "/nodes/{node}/tasks/{upid}/status", protected=True)
def task_status(call: Call) -> Json:
    task = _readable_task(call)
    row = {key: value for key, value in task_row(task).items() if key not in ("endtime", "status")}
    row |= {"pid": task.pid, "pstart": task.pstart, "status": "running" if task.is_running else "stopped"}
    return row if task.is_running else {**row, "exitstatus": task.exitstatus}


@ROUTES.add("GET", "/nodes/{node}/tasks/{upid}/log", LOG_PARAMS, protected=True)
def task_log(call: Call) -> Result:
    lines = _readable_task(call).lines or ["no content"]
    first, limit = call.values.get("start", 0), call.values.get("limit", PAGE) or len(lines)
    page = enumerate(lines[first : first + limit], start=first + 1)
    return Result([{"n": number, "t": line} for number, line in page], {"total": len(lines)})


@ROUTES.add("DELETE", "/nodes/{node}/tasks/{upid}", protected=True)
def stop_task(call: Call) -> Result:
    """Whoever aborts a running task waits until its worker has gone."""
    task = _task(call)
    if not task.belongs_to(call.identity):
        call.require(f"/nodes/{call.node.name}", "Sys.Modify")
    delay = call.cluster.durations.abort if task.is_running else 0.0
    call.cluster.tasks.abort(task, INTERRUPTED if task.type == "qmclone" else KILLED)
    return Result(None, delay=delay)


def _task(call: Call) -> Task:
    parsed = UPID.fullmatch(call.values["upid"])
    if parsed is None:
        raise bad_parameters({"upid": "unable to parse worker upid"})
    task = call.cluster.tasks.find(call.values["upid"])
    if task is None or task.node != call.node.name:
        raise bad_parameters({"upid": "no such task"})
    return task


def _readable_task(call: Call) -> Task:
    """Who may not see the task is told so before being told whether there is one."""
    parsed = UPID.fullmatch(call.values["upid"])
    if parsed and parsed["user"].split("!")[0] != call.identity.user:
        call.require(f"/nodes/{call.node.name}", "Sys.Audit")
    task = _task(call)
    if not task.belongs_to(call.identity):
        call.require(f"/nodes/{call.node.name}", "Sys.Audit")
    return task


def _is_wanted(call: Call, task: Task) -> bool:
    if task.node != call.node.name:
        return False
    if not task.belongs_to(call.identity) and not call.may(f"/nodes/{task.node}", "Sys.Audit"):
        return False
    return _has_right_source(call, task) and _passes_filters(call, task)


def _has_right_source(call: Call, task: Task) -> bool:
    source = call.values.get("source", "archive")
    return bool(source == "all" or task.is_running == (source == "active"))


def _passes_filters(call: Call, task: Task) -> bool:
    values = call.values
    return bool(
        (not values.get("errors") or task.is_error)
        and values.get("vmid") in (None, int(task.id) if task.id.isdigit() else -1)
        and values.get("typefilter") in (None, task.type)
        and values.get("userfilter", "") in str(task.identity)
        and values.get("since", 0) <= task.starttime <= values.get("until", task.starttime)
        and (values.get("statusfilter") is None or _outcome(task) in values["statusfilter"].split(","))
    )


def _outcome(task: Task) -> str:
    if task.exitstatus == "OK":
        return "ok"
    return "warning" if (task.exitstatus or "").startswith("WARNINGS") else "error"


def _list_row(call: Call, task: Task) -> Json:
    row = {**task_row(task), "pid": task.pid, "pstart": task.pstart}
    if call.values.get("source") == "active":
        row["saved"] = "0"
    return row if not task.is_running else {**row, "status": "RUNNING"}
