"""The configuration of a guest: read it, change it, ask what may be done with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pvesim.api.call import Call, Handler, Json, Permission, Result, Routes, is_root, read_only
from pvesim.errors import failed
from pvesim.guest_config import is_drive
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
LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
HOST_NAME = Param(
    pattern=rf"{LABEL}(\.{LABEL})*",
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
    pattern = rf"(?!.*bridge=[^,]*[^\w.,-])((model=)?({models})([=,].*)?|.*,model=({models}).*)"
    return Option(Param(pattern=pattern, complaint=complaint, inner_name=f"{name}.model"), "Network")


WAITING = frozenset("agent boot cores cpu keyboard kvm memory net0 net1 ostype sockets tablet vga".split())
TAGS = Param(
    pattern=r"\s*([a-zA-Z0-9_][a-zA-Z0-9_+.-]*[;,\s]*)*",
    complaint="invalid format - invalid characters in tag\n",
)
SSH_KEYS = Param(pattern=r"[-%a-zA-Z0-9_.!~*'()]*", complaint="invalid format - invalid urlencoded string: {}\n")
OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
IPV4 = rf"{OCTET}(\.{OCTET}){{3}}"
IPV6 = r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"
IP_CONFIG = Param(
    pattern=rf"(ip=(dhcp|{IPV4}/\d{{1,2}})(,gw={IPV4})?|,?ip6=(dhcp|auto|{IPV6}/\d{{1,3}})(,gw6={IPV6})?)+|",
    complaint="invalid format - format error\n",
)
COMMON = {
    "cores": Option(POSITIVE, "CPU"),
    "description": Option(TEXT, "Options"),
    "lock": Option(Param(choices=tuple(LOCKS)), ROOT_ONLY),
    "onboot": Option(FLAG, "Options"),
    "ostype": Option(TEXT, "Options"),
    "protection": Option(FLAG, "Options"),
    "tags": Option(TAGS, "Options"),
}
OPTIONS: Mapping[Kind, Mapping[str, Option]] = {
    "qemu": {
        **COMMON,
        "memory": Option(Param("integer", minimum=16, inner_name="memory.current"), "Memory"),
        "net0": _card("net0"),
        "net1": _card("net1"),
        "agent": Option(TEXT, "Options"),
        "boot": Option(TEXT, "Options"),
        "cipassword": Option(TEXT, "Cloudinit"),
        "ciuser": Option(TEXT, "Cloudinit"),
        "cpu": Option(TEXT, "CPU"),
        "hookscript": Option(TEXT, ROOT_ONLY),
        **{f"ide{number}": Option(TEXT, "CDROM") for number in range(4)},
        "ipconfig0": Option(IP_CONFIG, "Cloudinit"),
        "ipconfig1": Option(IP_CONFIG, "Cloudinit"),
        "keyboard": Option(Param(choices=tuple(KEYBOARDS)), "Options"),
        "kvm": Option(FLAG, "HWType"),
        "name": Option(HOST_NAME, "Options"),
        "sockets": Option(POSITIVE, "CPU"),
        "sshkeys": Option(SSH_KEYS, "Cloudinit"),
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
        storage = call.cluster.storage(guest.storage)
        nodes = list(call.cluster.nodes) if storage and storage.shared else [guest.node]
        found = int(_has(guest, call.values["feature"]))
        return {"hasFeature": found, **({"nodes": nodes} if kind == "qemu" else {})}

    return handler


def _has(guest: Guest, name: str) -> bool:
    """A linked clone needs a template; what is one is not saved, and not every storage can save."""
    if name == "clone":
        return guest.template
    return name == "copy" or (guest.can_snapshot and not guest.template)


def change(kind: Kind) -> Handler:
    def handler(call: Call) -> Result:
        guest = call.guest(kind)
        changes = checked_changes(call, guest)
        if not call.cluster.is_quorate(call.node):
            raise failed(read_only(guest, WRITER_PID))
        reverted = _names(call.values.get("revert"))

        def write() -> None:
            guest.pending = {name: value for name, value in guest.pending.items() if name not in reverted}
            apply(call, guest, changes)

        timeline = call.cluster.timeline
        wait = max(guest.read_until.values(), default=0.0) - timeline.now()
        if wait <= 0:
            write()
            return Result(None)
        # The disks of a full clone are being read: the writer waits for the lock, and so does who asked.
        timeline.after(wait, write)
        return Result(None, delay=wait)

    return handler


def change_in_task(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        guest = call.guest(kind)
        changes = checked_changes(call, guest)

        def work(task: Task) -> Steps:
            told = {key: "<hidden>" if key == "cipassword" else value for key, value in changes.items()}
            text = " ".join(f"-{key} {value}" for key, value in told.items())
            task.log(f"update {'VM' if kind == 'qemu' else 'CT'} {guest.vmid}: {text}")
            yield call.cluster.durations.config
            apply(call, guest, changes)

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
            areas = ("Cloudinit", "Network") if options[name].area == "Cloudinit" else (options[name].area,)
            call.require(guest.path, *(f"VM.Config.{area}" for area in areas))
    if guest.lock and not call.values.get("skiplock"):
        raise failed(f"{noun(guest)} is locked ({guest.lock})")
    _refuse_values(call, guest, changes)
    if call.values.get("digest") not in (None, guest.config()["digest"]):
        raise failed("checksum mismatch (file change by other user?)")
    return changes


def _refuse_values(call: Call, guest: Guest, changes: Json) -> None:
    if guest.kind == "lxc":
        return
    for name, value in changes.items():
        if re.fullmatch(r"net\d+", name) and call.cluster.release.major >= 8:
            for bridge in (*_bridges(str(guest.config().get(name, ""))), *_bridges(str(value))):
                call.require(call.cluster.network_path(bridge), "SDN.Use")
        if is_drive(name) and _asks_for_cloudinit(value) and guest.cloudinit_drive not in ("", name):
            raise failed(f"{name} - cloud-init drive is already attached at '{guest.cloudinit_drive}'")
    keys = unquote(str(changes.get("sshkeys") or ""))
    if any(line and not re.match(r"(ssh|ecdsa|sk)-\S+ \S+", line) for line in keys.splitlines()):
        raise failed("SSH public key validation error")


def _bridges(card: str) -> list[str]:
    return re.findall(r"bridge=([^,]+)", card)


def _asks_for_cloudinit(value: object) -> bool:
    return re.fullmatch(r"[^:]+:cloudinit(,.*)?", str(value)) is not None


def new_mac(call: Call) -> str:
    return "BC:24:11:" + ":".join(f"{call.cluster.rng.randrange(256):02X}" for _ in range(3))


def _names(text: str | None) -> list[str]:
    return [name for name in (text or "").replace(";", ",").split(",") if name]


def apply(call: Call, guest: Guest, changes: Json) -> None:
    """What a running machine cannot take over waits for its next start."""
    for name, given in changes.items():
        value = _stored(call, guest, name, given) if guest.kind == "qemu" else given
        if guest.is_up and guest.kind == "qemu" and name in WAITING and value is not None:
            guest.pending = {**guest.pending, name: value}
        else:
            guest.pending = {key: one for key, one in guest.pending.items() if key != name}
            guest.change(name, value)


def _stored(call: Call, guest: Guest, name: str, value: object) -> object:
    """A card gets a MAC, a drive for cloud-init its volume, and a password is hashed; in Windows it cannot be."""
    text = str(value)
    if value is None:
        return None
    if re.fullmatch(r"net\d+", name) and not re.search(r"([0-9A-Fa-f]{2}:){5}", text):
        return re.sub(r"^(?:model=)?([\w-]+)", lambda model: f"{model[1]}={new_mac(call)}", text, count=1)
    if is_drive(name) and _asks_for_cloudinit(value):
        return f"{text.partition(':')[0]}:{guest.vmid}/vm-{guest.vmid}-cloudinit.qcow2,media=cdrom"
    if name == "cipassword" and not str(guest.options.get("ostype", "")).startswith("w"):
        return f"$5${hashlib.sha256(text.encode()).hexdigest()}"
    return value


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
