"""*Check this template*: whether a class can be made out of each copy, and what to do where it cannot.

What was not tried on a real cluster (Windows, TPM, other architectures, storages without files) says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from accounts.stored_messages import Message, say
from clusters import gateway, proxmox
from vms.models import MachineTemplate, TemplateCopy
from vms.provisioning.check_sentences import CODES

REFUSED, NOTE = "refused", "note"

# Storages that save snapshots of raw disks, by their type.
SNAPSHOTS = {"btrfs", "lvmthin", "rbd", "zfspool"}
UNITS = {"K": 2**-20, "M": 2**-10, "G": 1, "T": 2**10, "": 2**-30}
_SIZE = re.compile(r"(?:^|,)size=(\d+)([KMGT]?)(?:,|$)")
_ADDRESS = re.compile(r"(?:^|,)ip=\d")


@dataclass(frozen=True)
class Finding:
    """`REFUSED`: no machines are made out of it; `NOTE`: somebody should know."""

    level: str
    message: Message


@dataclass(frozen=True)
class CopyCheck:
    """One copy. `cores`, `memory_mib` and `disk_gib` are of one machine; None where it could not be read."""

    node: str
    vmid: int
    findings: tuple[Finding, ...]
    uuid: str = ""
    storage: str = ""
    is_shared: bool = False
    size: tuple[int, int, int] | None = None

    @property
    def is_ready(self) -> bool:
        return all(finding.level != REFUSED for finding in self.findings)


def check(template: MachineTemplate) -> list[CopyCheck]:
    """Ask the cluster, and save the result with what it says of the template. Raises `ProxmoxError`."""
    with gateway.make(template.cluster.config) as maker:
        members = _members(maker, template.pool)
        checks = [_check_copy(maker, template, copy, members) for copy in template.copies.all()]
    _save(template, checks)
    return checks


def stored(template: MachineTemplate) -> list[CopyCheck]:
    """The result of the last check, in the reader's language."""
    found = template.check_report.get("copies", []) if isinstance(template.check_report, dict) else []
    return [
        CopyCheck(
            node=one["node"],
            vmid=one["vmid"],
            findings=tuple(
                Finding(level, say(code, **parameters)) for level, code, parameters in one["findings"] if code in CODES
            ),
        )
        for one in found
    ]


def is_ready(template: MachineTemplate) -> bool:
    """Whether it was checked, and nothing forbids making machines out of any of its copies."""
    found = stored(template)
    return bool(found) and all(one.is_ready for one in found)


def _members(maker: proxmox.Maker, pool: str) -> set[int]:
    try:
        return {guest.vmid for guest in maker.pool_members(pool).guests}
    except (proxmox.NotFound, proxmox.Refused):
        return set()


def _check_copy(maker: proxmox.Maker, template: MachineTemplate, copy: TemplateCopy, members: set[int]) -> CopyCheck:
    where: dict[str, Any] = {"vmid": copy.vmid, "node": copy.node}
    try:
        config = maker.config(copy.node, copy.vmid)
        storages = {one.name: one for one in maker.storages(copy.node)}
        can_link = maker.feature(copy.node, copy.vmid, "clone").is_there
        has_clear = maker.cloudinit_has_clear_password(copy.node, copy.vmid)
    except proxmox.NotFound:
        return CopyCheck(copy.node, copy.vmid, (Finding(REFUSED, say("check-not-there", **where)),))
    except proxmox.PermissionMissing as error:
        why = say("check-unreadable", privilege=error.privilege or "VM.Audit", path=error.path or f"/vms/{copy.vmid}")
        return CopyCheck(copy.node, copy.vmid, (Finding(REFUSED, why),))
    disk = next(iter(config.disks.values()), "")
    storage = storages.get(disk.partition(":")[0])
    findings = [
        *_refusals(template, config, is_member=copy.vmid in members),
        *_on_storages(template, config, storages, disk, can_link=can_link),
        *_notes(template, config, has_clear_password=has_clear),
    ]
    return CopyCheck(
        copy.node,
        copy.vmid,
        tuple(Finding(level, say(code, **parameters)) for level, code, parameters in findings),
        uuid=config.smbios_uuid,
        storage=disk.partition(":")[0],
        is_shared=bool(storage and storage.is_shared),
        size=(_cores(config), config.memory, max(1, round(sum(map(_gib, config.disks.values()))))),
    )


Found = Iterator[tuple[str, str, dict[str, Any]]]


def _refusals(template: MachineTemplate, config: proxmox.GuestConfig, *, is_member: bool) -> Found:
    if not config.template:
        yield REFUSED, "check-no-template", {}
    if "hookscript" in config.options:
        yield REFUSED, "check-hookscript", {}
    if config.protection:
        yield REFUSED, "check-protection", {}
    if config.lock:
        yield REFUSED, "check-lock", {"lock": config.lock}
    if is_member:
        yield REFUSED, "check-in-pool", {"pool": template.pool}
    if not config.disks:
        yield REFUSED, "check-no-disk", {}


def _on_storages(
    template: MachineTemplate,
    config: proxmox.GuestConfig,
    storages: dict[str, proxmox.StorageStatus],
    disk: str,
    *,
    can_link: bool,
) -> Found:
    is_full = template.clone_kind == MachineTemplate.CloneKind.FULL
    target = (template.storage if is_full else "") or disk.partition(":")[0]
    storage = storages.get(target)
    if not is_full and not can_link and config.template:
        yield REFUSED, "check-no-link", {"storage": disk.partition(":")[0]}
    if storage is None or not storage.takes_disks:
        yield REFUSED, "check-no-storage", {"storage": target}
    elif storage.plugin not in SNAPSHOTS and not re.search(r"\.qcow2(?:,|$)", disk):
        yield NOTE, "check-no-snapshots", {"storage": target}
    elif storage.plugin in SNAPSHOTS:
        yield NOTE, "check-untried-storage", {"storage": target, "type": storage.plugin}


def _notes(template: MachineTemplate, config: proxmox.GuestConfig, *, has_clear_password: bool) -> Found:
    options, ostype = config.options, config.options.get("ostype", "")
    mounted = [name for name, value in config.drives.items() if _is_mounted(value)]
    devices = sorted(name for name in options if re.fullmatch(r"(?:hostpci|usb)\d+", name))
    is_other = config.is_windows != (template.guest_os == MachineTemplate.GuestOS.WINDOWS)
    arch = options.get("arch", "x86_64")
    notes: list[tuple[object, str, dict[str, Any]]] = [
        (not config.agent, "check-no-agent", {}),
        (not config.cloudinit_drive, "check-no-cloudinit", {}),
        (has_clear_password, "check-clear-password", {}),
        ("cicustom" in options, "check-cicustom", {}),
        (_ADDRESS.search(template.ip_config), "check-fixed-address", {"value": template.ip_config}),
        ("mac=" in options.get("args", ""), "check-fixed-mac", {}),
        (mounted, "check-cd", {"drives": ", ".join(mounted)}),
        (devices, "check-devices", {"devices": ", ".join(devices)}),
        ("parent" in options, "check-snapshots", {}),
        (options.get("onboot") == "1", "check-onboot", {}),
        (is_other, "check-other-system", {"ostype": ostype}),
        (config.is_windows, "check-windows", {}),
        ("tpmstate0" in options, "check-tpm", {}),
        (arch != "x86_64", "check-arch", {"arch": arch}),
    ]
    return ((NOTE, code, parameters) for applies, code, parameters in notes if applies)


def _is_mounted(drive: str) -> bool:
    parts = drive.split(",")
    return "media=cdrom" in parts and parts[0] not in ("none", "cdrom") and "cloudinit" not in parts[0]


def _cores(config: proxmox.GuestConfig) -> int:
    sockets = config.options.get("sockets", "1")
    return config.cores * (int(sockets) if sockets.isdecimal() else 1)


def _gib(disk: str) -> float:
    found = _SIZE.search(disk)
    return int(found[1]) * UNITS[found[2]] if found else 0.0


def _save(template: MachineTemplate, checks: list[CopyCheck]) -> None:
    """Of the sizes the largest counts: a plan must not promise less than a machine takes."""
    report = {
        "copies": [
            {
                "node": one.node,
                "vmid": one.vmid,
                "findings": [[each.level, each.message.code, each.message.parameters] for each in one.findings],
            }
            for one in checks
        ]
    }
    fields: dict[str, Any] = {"checked_at": timezone.now(), "check_report": report}
    if sizes := [one.size for one in checks if one.size]:
        fields |= dict(zip(("cores", "memory_mib", "disk_gib"), map(max, zip(*sizes, strict=True)), strict=True))
    MachineTemplate.objects.filter(pk=template.pk).update(**fields)
    for one in checks:
        if one.size:
            known = TemplateCopy.objects.filter(template=template, node=one.node, vmid=one.vmid)
            known.update(uuid=one.uuid, storage=one.storage, is_shared=one.is_shared)
