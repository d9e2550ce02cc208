"""Consoles: a port and a ticket for it, and the websocket which leads there."""

from __future__ import annotations

from pvesim.api.call import Call, Handler, Permission, Result, Routes
from pvesim.console.screen import Size
from pvesim.errors import ApiError, failed
from pvesim.guests import Guest, Kind
from pvesim.parameters import FLAG, TEXT, Param, required
from pvesim.tasks import Steps, Task

ROUTES = Routes()
LOOKS = Permission("/vms/{vmid}", ("VM.Console",))
PORT = Param("integer", minimum=5900, maximum=5999)
WIDTH = Param("integer", minimum=16, maximum=4096)
HEIGHT = Param("integer", minimum=16, maximum=2160)
# Since qemu-server 9.1.7 there is always a password; it stands before the ticket, which is good for one port.
ALWAYS_A_PASSWORD = (9, 1)
PASSWORD_SIGNS = range(33, 127)
PASSWORD_LENGTH = 8
SPICE_PORT = 61000
SPICE_PROXY_PORT = 3128


def vnc_proxy(kind: Kind) -> Handler:
    def handler(call: Call) -> dict[str, object]:
        guest, plain = call.guest(kind), bool(call.values.get("websocket"))
        listener = call.cluster.consoles.listen(
            call.entry_node.name, guest, call.identity, plain=plain, size=_size(call, guest)
        )
        ticket = call.cluster.tickets.vnc_ticket(str(call.identity), _path(call, listener.port), call.now)
        password = _password(call)
        if password and call.cluster.release.is_since(ALWAYS_A_PASSWORD):
            ticket = f"{password}:{ticket}"
        listener.password = password or ticket
        return {
            "user": str(call.identity),
            "port": str(listener.port),
            "ticket": ticket,
            "upid": listener.task.upid if listener.task else "",
            "cert": call.cluster.ca_pem,
            **({"password": password} if password else {}),
        }

    return handler


def vnc_websocket(kind: Kind) -> Handler:
    def handler(call: Call) -> Result:
        port, ticket = call.values["port"], call.values["vncticket"]
        path = _path(call, port)
        if not call.cluster.tickets.is_vnc_ticket_of(str(call.identity), path, ticket, call.now):
            raise ApiError(401, "permission denied - invalid PVEVNC ticket\n")
        return Result({"port": str(port)}, tunnel=port)

    return handler


def spice_proxy(kind: Kind) -> Handler:
    def handler(call: Call) -> dict[str, object]:
        guest = call.guest(kind)
        if kind == "qemu" and not guest.is_up:
            raise failed(f"VM {guest.vmid} not running")
        if kind == "qemu" and not guest.has_spice:
            raise failed("no spice port")
        call.start_task("spiceproxy", str(guest.vmid), _nothing)
        return _spice_settings(call, guest)

    return handler


def _path(call: Call, port: int) -> str:
    path = f"/vms/{call.values['vmid']}"
    return f"{path}/{port}" if call.cluster.release.is_since(ALWAYS_A_PASSWORD) else path


def _password(call: Call) -> str | None:
    if call.values.get("generate-password") or call.cluster.release.is_since(ALWAYS_A_PASSWORD):
        return "".join(map(chr, call.cluster.rng.choices(PASSWORD_SIGNS, k=PASSWORD_LENGTH)))
    return None


def _size(call: Call, guest: Guest) -> Size | None:
    """Only clients of containers choose one."""
    if not {"width", "height"} & call.values.keys():
        return None
    width, height = guest.resolution
    return call.values.get("width", width), call.values.get("height", height)


def _nothing(_: Task) -> Steps:
    yield 0.0


def _spice_settings(call: Call, guest: Guest) -> dict[str, object]:
    """What the file for a viewer says."""
    noun = "VM" if guest.kind == "qemu" else "CT"
    stamp = f"{int(call.now):08x}"
    signature = call.cluster.tickets.csrf_token(f"spice:{guest.vmid}", call.now).partition(":")[2][:20]
    proxy = call.values.get("proxy", call.entry_node.address)
    return {
        "type": "spice",
        "title": f"{noun} {guest.vmid} - {guest.name}",
        "host": f"pvespiceproxy:{stamp}:{guest.vmid}:{call.node.name}:{SPICE_PORT}::{signature}",
        "proxy": f"http://{proxy}:{SPICE_PROXY_PORT}",
        "tls-port": SPICE_PORT,
        "password": f"{call.cluster.rng.getrandbits(160):040x}",
        "host-subject": f"OU=PVE Cluster Node,O=Proxmox Virtual Environment,CN={call.node.name}.lab.example",
        "ca": call.cluster.ca_pem.replace("\n", "\\n"),
        "secure-attention": "Ctrl+Alt+Ins",
        "toggle-fullscreen": "Shift+F11",
        "release-cursor": "Ctrl+Alt+R",
        "delete-this-file": 1,
    }


def _register(kind: Kind) -> None:
    place = f"/nodes/{{node}}/{kind}/{{vmid}}"
    own = {"generate-password": FLAG} if kind == "qemu" else {"width": WIDTH, "height": HEIGHT}
    opening = {"port": required(PORT), "vncticket": required(Param(longest=512))}
    ROUTES.add("POST", f"{place}/vncproxy", {"websocket": FLAG, **own}, permission=LOOKS, protected=True, local=True)(
        vnc_proxy(kind)
    )
    ROUTES.add("GET", f"{place}/vncwebsocket", opening, permission=LOOKS, local=True)(vnc_websocket(kind))
    ROUTES.add("POST", f"{place}/spiceproxy", {"proxy": TEXT}, permission=LOOKS, protected=True)(spice_proxy(kind))


_register("qemu")
_register("lxc")
