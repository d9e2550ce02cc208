"""/nodes"""

from __future__ import annotations

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.api.rows import live_row, node_row, node_stats
from pvesim.guests import Kind
from pvesim.parameters import FLAG, NODE, TEXT
from pvesim.tls import Certificate

ROUTES = Routes()


@ROUTES.add("GET", "/nodes")
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


@ROUTES.add("GET", "/nodes/{node}/qemu", {"full": FLAG}, protected=True)
def qemu(call: Call) -> list[Json]:
    return _guests(call, "qemu")


@ROUTES.add("GET", "/nodes/{node}/lxc", protected=True)
def lxc(call: Call) -> list[Json]:
    return _guests(call, "lxc")


@ROUTES.add(
    "GET",
    "/nodes/{node}/storage",
    {"content": TEXT, "enabled": FLAG, "format": FLAG, "storage": TEXT, "target": NODE},
    protected=True,
)
def storages(call: Call) -> list[Json]:
    wanted = call.values.get("storage")
    return [
        {
            "storage": storage.name,
            "type": storage.plugin,
            "content": storage.content,
            "active": 1,
            "enabled": 1,
            "shared": 0,
            "total": storage.total,
            "used": storage.used,
            "avail": storage.total - storage.used,
            "used_fraction": storage.used / storage.total,
        }
        for storage in call.cluster.storages
        if wanted in (None, storage.name) and call.may(f"/storage/{storage.name}", "Datastore.Audit")
    ]


@ROUTES.add("GET", "/nodes/{node}/certificates/info")
def certificates(call: Call) -> list[Json]:
    authority = call.cluster.authority.certificate
    return [_certificate("pve-root-ca.pem", authority), _certificate("pve-ssl.pem", call.node.certificate)]


def _guests(call: Call, kind: Kind) -> list[Json]:
    return [
        live_row(call, guest)
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
