"""The configuration of a new machine: everything that a clone takes over from its template unasked."""

import re
from dataclasses import dataclass

_NOT_IN_A_TAG = re.compile(r"[^a-z0-9_+.-]+")
_BRIDGE = re.compile(r"bridge=[^,]*")
_TAG = re.compile(r",tag=\d+")


@dataclass(frozen=True)
class Wanted:
    """What the configuration is to say. `mark` is the first line of the notes; without `bridge` the network stays."""

    name: str
    mark: str
    group: str
    template: str
    ci_user: str = ""
    password: str = ""
    ssh_keys: str = ""
    ip_config: str = ""
    bridge: str = ""
    vlan: int | None = None


def description(wanted: Wanted) -> str:
    """The notes of the machine: the portal knows it by their first line."""
    return f"{wanted.mark}\n\nMade by Lab Portal for {wanted.group}, out of {wanted.template}."


def values(wanted: Wanted, *, net: str, has_cloud_init: bool) -> dict[str, str | int]:
    """The keys of one configuration write. `net` is the clone's `net0`, whose MAC stays: it is new already."""
    found: dict[str, str | int] = {
        "name": wanted.name,
        "description": description(wanted),
        "tags": ";".join(tags(wanted)),
        "onboot": 0,
    }
    if wanted.bridge and net:
        found["net0"] = network(net, wanted.bridge, wanted.vlan)
    if has_cloud_init:
        found |= _cloud_init(wanted)
    return found


def tags(wanted: Wanted) -> list[str]:
    """Proxmox takes lower case letters, digits and `_+.-`, not at the beginning."""
    group = _NOT_IN_A_TAG.sub("-", wanted.group.lower()).strip("+.-")
    return ["lab-portal", *([group[:60]] if group else [])]


def network(net: str, bridge: str, vlan: int | None) -> str:
    """`net0` with another bridge. Model, MAC, firewall and whatever else it says stay: a write drops what it omits."""
    moved = _BRIDGE.sub(f"bridge={bridge}", _TAG.sub("", net))
    moved = moved if "bridge=" in moved else f"{moved},bridge={bridge}"
    return f"{moved},tag={vlan}" if vlan else moved


def _cloud_init(wanted: Wanted) -> dict[str, str | int]:
    """Password and keys of the template go: every clone would have them. Its user and addresses may stay."""
    found: dict[str, str | int] = {}
    if wanted.ip_config:
        found["ipconfig0"] = wanted.ip_config
    if wanted.ci_user:
        found["ciuser"] = wanted.ci_user
    if wanted.password:
        found["cipassword"] = wanted.password
    if wanted.ssh_keys.strip():
        found["sshkeys"] = wanted.ssh_keys.strip()
    if unwanted := [name for name in ("cipassword", "sshkeys") if name not in found]:
        found["delete"] = ",".join(unwanted)
    return found
