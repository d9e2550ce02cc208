"""The configuration of a guest: read it, change it, ask what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvesim.api.call import Call, Handler, Json, Permission, Routes, is_root, read_only
from pvesim.errors import failed
from pvesim.guests import Guest, Kind
from pvesim.parameters import FLAG, SKIPLOCK, TEXT, Param, required
from pvesim.power import noun
from pvesim.tasks import Steps, Task

ROUTES = Routes()
SNAPNAME = Param(longest=40)
SEES = Permission("/vms/{vmid}", ("VM.Audit",))
AREAS = ("CDROM", "CPU", "Cloudinit", "Disk", "HWType", "Memory", "Network", "Options")
CHANGES = Permission("/vms/{vmid}", tuple(f"VM.Config.{area}" for area in AREAS))
FEATURES = Param(choices=("snapshot", "clone", "copy"))
# The number of the daemon which writes what is changed without a task.
WRITER_PID = 1033
POSITIVE = Param("integer", minimum=1)
HOST_NAME = Param(
    pattern=r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?",
    complaint="invalid format - value does not look like a valid DNS name\n",
)


@dataclass(frozen=True)
class Option:
    """What an option may be, and in which area one must have the privilege to change it."""

    param: Param
    area: str


KEYBOARDS = ("da de de-ch en-gb en-us es fi fr fr-be fr-ca fr-ch hu is it ja lt mk nl no pl pt pt-br sl sv tr").split()
LOCKS = "backup clone create migrate rollback snapshot snapshot-delete suspending suspended".split()
MODELS = (
    "e1000 e1000-82540em e1000-82544gc e1000-82545em e1000e i82551 i82557b i82559er ne2k_isa ne2k_pci pcnet rtl8139"
    " virtio vmxnet3"
).split()
# The area of what nobody may set but root.
ROOT_ONLY = ""


def _card(name: str) -> Option:
    """`virtio=MAC,bridge=…`, or `virtio,…`, or `model=virtio,…`."""
    models = "|".join(MODELS)
    complaint = f"value '{{}}' does not have a value in the enumeration '{', '.join(MODELS)}'"
    pattern = rf"(model=)?({models})([=,].*)?|.*,model=({models}).*"
    return Option(Param(pattern=pattern, complaint=complaint, inner_name=f"{name}.model"), "Network")


WAITING = frozenset("agent boot cores cpu keyboard kvm memory net0 net1 ostype sockets tablet vga".split())
COMMON = {
    "cores": Option(POSITIVE, "CPU"),
    "description": Option(TEXT, "Options"),
    "lock": Option(Param(choices=tuple(LOCKS)), ROOT_ONLY),
    "onboot": Option(FLAG, "Options"),
    "ostype": Option(TEXT, "Options"),
    "protection": Option(FLAG, "Options"),
    "tags": Option(TEXT, "Options"),
}
OPTIONS: Mapping[Kind, Mapping[str, Option]] = {
    "qemu": {
        **COMMON,
        "memory": Option(Param("integer", minimum=16, inner_name="memory.current"), "Memory"),
        "net0": _card("net0"),
        "net1": _card("net1"),
        "agent": Option(TEXT, "Options"),
        "boot": Option(TEXT, "Options"),
        "ciuser": Option(TEXT, "Cloudinit"),
        "cpu": Option(TEXT, "CPU"),
        "ipconfig0": Option(TEXT, "Cloudinit"),
        "keyboard": Option(Param(choices=tuple(KEYBOARDS)), "Options"),
        "kvm": Option(FLAG, "HWType"),
        "name": Option(HOST_NAME, "Options"),
        "sockets": Option(POSITIVE, "CPU"),
        "sshkeys": Option(TEXT, "Cloudinit"),
        "tablet": Option(FLAG, "Options"),
        "vga": Option(TEXT, "HWType"),
    },
    "lxc": {
        **COMMON,
        "memory": Option(Param("integer", minimum=16), "Memory"),
        "net0": Option(TEXT, "Network"),
        "net1": Option(TEXT, "Network"),
        "hostname": Option(HOST_NAME, "Options"),
        "swap": Option(Param("integer", minimum=0), "Memory"),
    },
}


def read(kind: Kind) -> Handler:
    def handler(call: Call) -> Mapping[str, object]:
        guest = call.guest(kind)
        snapshot = call.values.get("snapshot")
        if snapshot is None:
            return guest.config() if call.values.get("current") else guest.next_config()
        if snapshot not in guest.snapshots:
            raise failed(f"snapshot '{snapshot}' does not exist")
        return guest.snapshots[snapshot].config_row()

    return handler


def pending(kind: Kind) -> Handler:
    def handler(call: Call) -> list[Json]:
        guest = call.guest(kind)
        now, then = guest.config(), guest.next_config()
        return [_pending_row(key, now.get(key), then.get(key)) for key in now | then]

    return handler


def _pending_row(key: str, now: object, then: object) -> Json:
    value = {} if now is None else {"value": now}
    return {"key": key, **value, **({} if then == now else {"pending": then})}


def feature(kind: Kind) -> Handler:
    def handler(call: Call) -> Json:
        guest = call.guest(kind)
        is_there = guest.can_snapshot or call.values["feature"] != "snapshot"
        return {"hasFeature": int(is_there), **({"nodes": [guest.node]} if kind == "qemu" else {})}

    return handler


def change(kind: Kind) -> Handler:
    def handler(call: Call) -> None:
        guest = call.guest(kind)
        changes = checked_changes(call, guest)
        if not call.cluster.is_quorate(call.node):
            raise failed(read_only(guest, WRITER_PID))
        reverted = _names(call.values.get("revert"))
        guest.pending = {name: value for name, value in guest.pending.items() if name not in reverted}
        apply(guest, changes)

    return handler


def change_in_task(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        guest = call.guest(kind)
        changes = checked_changes(call, guest)

        def work(task: Task) -> Steps:
            text = " ".join(f"-{key} {value}" for key, value in changes.items())
            task.log(f"update {'VM' if kind == 'qemu' else 'CT'} {guest.vmid}: {text}")
            yield call.cluster.durations.config
            apply(guest, changes)

        return call.start_task("qmconfig", str(guest.vmid), call.writing(guest, work))

    return handler


def checked_changes(call: Call, guest: Guest) -> Json:
    """New values by option; None for those to be deleted. Refused ones are an error for all."""
    options = OPTIONS[guest.kind]
    deleted = _names(call.values.get("delete"))
    changes: Json = {name: call.values[name] for name in options if name in call.values}
    changes.update(dict.fromkeys(deleted))
    for name in [*changes, *_names(call.values.get("revert"))]:
        if name in options and options[name].area == ROOT_ONLY:
            if not is_root(call.identity):
                raise failed(f"only root can set '{name}' config")
        elif name in options:
            call.require(guest.path, f"VM.Config.{options[name].area}")
    if guest.lock and not call.values.get("skiplock"):
        raise failed(f"{noun(guest)} is locked ({guest.lock})")
    if call.values.get("digest") not in (None, guest.config()["digest"]):
        raise failed("checksum mismatch (file change by other user?)")
    return changes


def _names(text: str | None) -> list[str]:
    return [name for name in (text or "").replace(";", ",").split(",") if name]


def apply(guest: Guest, changes: Json) -> None:
    """What a running machine cannot take over waits for its next start."""
    for name, value in changes.items():
        if guest.is_up and guest.kind == "qemu" and name in WAITING and value is not None:
            guest.pending = {**guest.pending, name: value}
        else:
            guest.pending = {key: one for key, one in guest.pending.items() if key != name}
            guest.change(name, value)


def _register(kind: Kind) -> None:
    place = f"/nodes/{{node}}/{kind}/{{vmid}}"
    accepted = {name: option.param for name, option in OPTIONS[kind].items()}
    accepted |= {"delete": TEXT, "revert": TEXT, "digest": Param(longest=40), "skiplock": SKIPLOCK}
    reading = {"current": FLAG, "snapshot": SNAPNAME}
    ROUTES.add("GET", f"{place}/config", reading, permission=SEES)(read(kind))
    ROUTES.add("PUT", f"{place}/config", accepted, permission=CHANGES, protected=True)(change(kind))
    ROUTES.add("GET", f"{place}/pending", permission=SEES, unordered=True)(pending(kind))
    entry_node = {"feature": required(FEATURES), "snapname": SNAPNAME}
    ROUTES.add("GET", f"{place}/feature", entry_node, permission=SEES, protected=True)(feature(kind))
    if kind == "qemu":
        ROUTES.add("POST", f"{place}/config", accepted, permission=CHANGES, protected=True)(change_in_task(kind))


_register("qemu")
_register("lxc")
