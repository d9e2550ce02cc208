"""/nodes"""

from __future__ import annotations

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.api.rows import live_row, machine_row, node_row, node_stats
from pvesim.guests import Kind
from pvesim.parameters import FLAG, TEXT
from pvesim.tls import Certificate

ROUTES = Routes()


@ROUTES.add("GET", "/nodes", unordered=True)
def nodes(call: Call) -> list[Json]:
    return [
        {**node_row(call, node), "ssl_fingerprint": node.certificate.fingerprint}
        for node in call.cluster.nodes.values()
    ]


@ROUTES.add("GET", "/nodes/{node}/version")
def version(call: Call) -> Json:
    return call.cluster.release.row


@ROUTES.add("GET", "/nodes/{node}/status", permission=Permission("/nodes/{node}", ("Sys.Audit",)))
def status(call: Call) -> Json:
    node, stats, release = call.node, node_stats(call, call.node), call.cluster.release
    used = int(str(stats["mem"]))
    return {
        "uptime": stats["uptime"],
        "cpu": stats["cpu"],
        "wait": 0,
        "idle": 0,
        "loadavg": ["0.21", "0.18", "0.11"],
        "memory": _usage(node.maxmem, used) | {"available": node.maxmem - used},
        "swap": _usage(8 << 30, 0),
        "rootfs": _usage(node.maxdisk, node.maxdisk // 8) | {"avail": node.maxdisk - node.maxdisk // 8},
        "ksm": {"shared": 0},
        "cpuinfo": _processor(node.maxcpu),
        "kversion": f"Linux {release.kernel} #1 SMP PREEMPT_DYNAMIC",
        "pveversion": f"pve-manager/{release.version}/{release.repoid}",
        "current-kernel": _kernel(release.kernel),
        "boot-info": {"mode": "efi", "secureboot": 0},
    }


@ROUTES.add("GET", "/nodes/{node}/qemu", {"full": FLAG}, protected=True, unordered=True)
def qemu(call: Call) -> list[Json]:
    """With `full`, each row is what its own status says, too: what QEMU is asked takes a while."""
    return _guests(call, "qemu")


@ROUTES.add("GET", "/nodes/{node}/lxc", protected=True, unordered=True)
def lxc(call: Call) -> list[Json]:
    return _guests(call, "lxc")


@ROUTES.add("GET", "/nodes/{node}/network", {"type": TEXT}, unordered=True)
def network(call: Call) -> list[Json]:
    """A bridge over one card."""
    common: Json = {"active": 1, "families": ["inet"], "method6": "manual"}
    bridge: Json = {"iface": "vmbr0", "type": "bridge", "method": "static", "bridge_ports": "eth0", "bridge_fd": "0"}
    address = {"address": call.node.address, "netmask": "24", "cidr": f"{call.node.address}/24"}
    card: Json = {"iface": "eth0", "type": "eth", "method": "manual", "priority": 3}
    rows = [{**common, **bridge, **address, "bridge_stp": "off", "autostart": 1, "priority": 4}, {**common, **card}]
    return [row for row in rows if call.values.get("type") in (None, row["type"])]


@ROUTES.add("GET", "/nodes/{node}/subscription")
def subscription(call: Call) -> Json:
    text = "There is no subscription key"
    return {
        "status": "notfound",
        "message": text,
        "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
    }


@ROUTES.add("GET", "/nodes/{node}/certificates/info")
def certificates(call: Call) -> list[Json]:
    authority = call.cluster.authority.certificate
    return [_certificate("pve-root-ca.pem", authority), _certificate("pve-ssl.pem", call.node.certificate)]


def _guests(call: Call, kind: Kind) -> list[Json]:
    return [
        {**live_row(call, guest), **(machine_row(guest) if kind == "qemu" and call.values.get("full") else {})}
        for guest in call.cluster.guests
        if guest.kind == kind and guest.node == call.node.name and call.may(guest.path, "VM.Audit")
    ]


def _usage(total: int, used: int) -> Json:
    return {"total": total, "used": used, "free": total - used}


def _processor(cpus: int) -> Json:
    return {
        "cpus": cpus,
        "cores": cpus,
        "sockets": 1,
        "model": "Simulated processor",
        "mhz": "2700.000",
        "hvm": "1",
        "user_hz": 100,
        "flags": "fpu vme de pse",
    }


def _kernel(release: str) -> Json:
    return {"sysname": "Linux", "release": release, "version": "#1 SMP PREEMPT_DYNAMIC", "machine": "x86_64"}


def _certificate(filename: str, certificate: Certificate) -> Json:
    return {
        "filename": filename,
        "fingerprint": certificate.fingerprint,
        "subject": certificate.x509.subject.rfc4514_string(),
        "issuer": certificate.x509.issuer.rfc4514_string(),
        "notbefore": int(certificate.x509.not_valid_before_utc.timestamp()),
        "notafter": int(certificate.x509.not_valid_after_utc.timestamp()),
        "san": certificate.names,
        "pem": certificate.pem,
        "public-key-type": "id-ecPublicKey",
        "public-key-bits": 256,
    }
