"""What cloud-init is told: the settings, whether they wait for the next start, and the files made of them."""

from __future__ import annotations

from urllib.parse import unquote

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.guest_config import MASK
from pvesim.guests import Guest
from pvesim.parameters import Param, required

ROUTES = Routes()
SEES = Permission("/vms/{vmid}", ("VM.Audit",))
PLACE = "/nodes/{node}/qemu/{vmid}/cloudinit"
FILES = required(Param(choices=("user", "network", "meta")))


@ROUTES.add("GET", PLACE, permission=SEES)
def pending(call: Call) -> list[Json]:
    guest = call.guest("qemu")
    before, after = guest.cloudinit, guest.cloudinit_config()
    return [_row(name, before.get(name), after.get(name)) for name in sorted(before | after)]


@ROUTES.add("GET", f"{PLACE}/dump", {"type": FILES}, permission=SEES)
def dump(call: Call) -> str:
    guest = call.guest("qemu")
    if call.values["type"] == "user":
        return _user_data(guest)
    if call.values["type"] == "meta":
        return f"instance-id: {guest.config()['digest']}\n"
    return f"version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: '{guest.mac.lower()}'\n"


def _row(name: str, before: str | int | None, after: str | int | None) -> Json:
    def shown(value: str | int) -> str:
        return MASK if name == "cipassword" else str(value)

    row: Json = {"key": name, **({} if before is None else {"value": shown(before)})}
    if after is None:
        return {**row, "delete": 1}
    return row if before == after else {**row, "pending": shown(after)}


def _user_data(guest: Guest) -> str:
    """A password that is kept in clear text stands here in clear text."""
    options = guest.options
    lines = ["#cloud-config", f"hostname: {guest.name}", "manage_etc_hosts: true", f"fqdn: {guest.name}"]
    lines += [f"user: {options['ciuser']}"] if "ciuser" in options else []
    lines += [f"password: {options['cipassword']}"] if "cipassword" in options else []
    keys = unquote(str(options.get("sshkeys", ""))).splitlines()
    lines += ["ssh_authorized_keys:", *(f"  - {key}" for key in keys)] if keys else []
    return "\n".join([*lines, "chpasswd:", "  expire: False", "users:", "  - default", "package_upgrade: true", ""])
