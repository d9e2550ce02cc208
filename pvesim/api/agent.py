"""What a guest tells of itself: its agent, and the addresses of a container."""

from __future__ import annotations

from ipaddress import ip_address
from typing import cast

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.errors import ApiError, failed
from pvesim.guests import Guest

ROUTES = Routes()
ASKS_AGENT = Permission("/vms/{vmid}", ("VM.Monitor", "VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"))
SEES = Permission("/vms/{vmid}", ("VM.Audit",))
AGENT = "/nodes/{node}/qemu/{vmid}/agent"
PREFIX_LENGTHS = {4: 24, 6: 64}


def interfaces(guest: Guest) -> list[Json]:
    local = _interface("lo", "00:00:00:00:00:00", [_address("127.0.0.1", 8), _address("::1", 128)])
    inner = [_interface(name, mac, [_address(text) for text in told]) for name, mac, told in guest.inner_cards]
    return [local, *inner, _interface("eth0", guest.mac.lower(), [_address(text) for text in guest.addresses])]


@ROUTES.add("GET", f"{AGENT}/network-get-interfaces", permission=ASKS_AGENT, protected=True)
def network_interfaces(call: Call) -> Json:
    return {"result": interfaces(_guest_with_agent(call))}


@ROUTES.add("GET", f"{AGENT}/get-osinfo", permission=ASKS_AGENT, protected=True)
def operating_system(call: Call) -> Json:
    _guest_with_agent(call)
    name = {"id": "simulated", "name": "Simulated OS", "pretty-name": "Simulated OS 1.0", "version-id": "1.0"}
    return {"result": {**name, "machine": "x86_64", "kernel-release": "6.1.0", "kernel-version": "#1 SMP"}}


@ROUTES.add("GET", f"{AGENT}/get-fsinfo", permission=ASKS_AGENT, protected=True)
def file_systems(call: Call) -> Json:
    guest = _guest_with_agent(call)
    used = guest.maxdisk // 4
    row: Json = {"name": "sda1", "mountpoint": "/", "type": "ext4", "total-bytes": guest.maxdisk, "used-bytes": used}
    return {"result": [{**row, "disk": []}]}


@ROUTES.add("GET", f"{AGENT}/get-host-name", permission=ASKS_AGENT, protected=True)
def host_name(call: Call) -> Json:
    return {"result": {"host-name": _guest_with_agent(call).name}}


@ROUTES.add("GET", f"{AGENT}/get-users", permission=ASKS_AGENT, protected=True)
def users(call: Call) -> Json:
    """Who is logged in, at the screen or from afar. Windows adds a domain to each."""
    guest = _guest_with_agent(call)
    if guest.agent_error:
        return {"result": {"error": {"class": "GenericError", "desc": guest.agent_error}}}
    since = call.now - min(guest.uptime, 600)
    return {"result": [{"user": name, "login-time": since} for name in guest.users]}


@ROUTES.add("POST", f"{AGENT}/ping", permission=ASKS_AGENT, protected=True)
def ping(call: Call) -> Json:
    _guest_with_agent(call)
    return {"result": {}}


@ROUTES.add("GET", "/nodes/{node}/lxc/{vmid}/interfaces", permission=SEES, protected=True, since=(8, 1))
def container_interfaces(call: Call) -> list[Json] | None:
    """A stopped container has none at all, which is not the same as an empty list."""
    guest = call.guest("lxc")
    if not guest.is_up:
        return None
    return [_container_interface(row) for row in interfaces(guest)]


def _guest_with_agent(call: Call) -> Guest:
    guest = call.guest("qemu")
    if not guest.is_up:
        raise failed(f"VM {guest.vmid} is not running")
    if guest.agent != "alive":
        delay = call.cluster.agent_delay if guest.agent == "dead" else 0.0
        raise ApiError(500, "QEMU guest agent is not running\n", delay=delay)
    return guest


def _interface(name: str, hardware: str, addresses: list[Json]) -> Json:
    counters = ("bytes", "dropped", "errs", "packets")
    statistics = {f"{direction}-{counter}": 0 for direction in ("rx", "tx") for counter in counters}
    return {
        "name": name,
        "hardware-address": hardware,
        "ip-addresses": addresses,
        "statistics": statistics,
    }


def _address(text: str, prefix: int | None = None) -> Json:
    version = ip_address(text).version
    length = PREFIX_LENGTHS[version] if prefix is None else prefix
    return {"ip-address": text, "ip-address-type": f"ipv{version}", "prefix": length}


def _container_interface(row: Json) -> Json:
    result: Json = {key: row[key] for key in ("name", "hardware-address")}
    result["hwaddr"] = row["hardware-address"]
    addresses = []
    for address in cast("list[Json]", row["ip-addresses"]):
        family = "inet" if address["ip-address-type"] == "ipv4" else "inet6"
        result[family] = f"{address['ip-address']}/{address['prefix']}"
        addresses.append({**address, "ip-address-type": family})
    return {**result, "ip-addresses": addresses}
