"""Try a cluster's configuration out, and say in plain words what was found."""

from dataclasses import dataclass

from clusters import proxmox
from clusters.config import ClusterConfig, Trust

# What the portal does for people, and the privilege that it takes.
NEEDED = {"VM.Audit": "see machines", "VM.PowerMgmt": "start and stop them"}


@dataclass(frozen=True)
class Finding:
    """`ok` is false when the cluster cannot be used; `warnings` when it can, but not well."""

    ok: bool
    text: str
    version: str = ""
    warnings: tuple[str, ...] = ()


def examine(config: ClusterConfig) -> Finding:
    """Log in and look. Everything that can go wrong with a cluster becomes a sentence."""
    try:
        found = proxmox.diagnose(config)
        with proxmox.connect(config) as pve:
            held = {privilege for privileges in pve.permissions().values() for privilege in privileges}
    except proxmox.ProxmoxError as error:
        return Finding(ok=False, text=error.plain)
    return Finding(
        ok=True,
        version=found.version,
        text=f"Proxmox VE {found.version}, {len(found.nodes)} {'node' if len(found.nodes) == 1 else 'nodes'} "
        f"({', '.join(found.nodes)}), {found.seconds * 1000:.0f} ms.",
        warnings=tuple(_warnings(config, held, quorate=found.quorate)),
    )


def _warnings(config: ClusterConfig, held: set[str], *, quorate: bool | None) -> list[str]:
    found = [
        f"The privilege {privilege} is missing, so nobody can {use}. Give it on /vms or on a pool."
        for privilege, use in NEEDED.items()
        if privilege not in held
    ]
    if quorate is False:
        found.append("The cluster has no quorum: machines cannot be started.")
    if config.trust is Trust.NONE:
        found.append("The certificate is not verified. Enter the cluster's CA certificate or fingerprint.")
    return found
