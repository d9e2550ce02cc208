"""Tests the connection to a cluster, and gives the result in plain words."""

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import stored_messages
from clusters import addresses, proxmox
from clusters.config import ClusterConfig, Trust
from clusters.gateway import DatabaseLoginThrottle
from clusters.models import ClusterHealth
from clusters.signals import cluster_mended

# What the portal does for people, and the privilege that it takes.
NEEDED = {"VM.Audit": gettext_lazy("see machines"), "VM.PowerMgmt": gettext_lazy("start and stop them")}


@dataclass(frozen=True)
class ConnectionResult:
    """`ok` is false when the cluster cannot be used; `warnings` when it can, but not well. `kind` is the error's name.

    `accepted` says of each credential that the cluster took it: those that are not in it were not tried, or rejected.
    """

    ok: bool
    text: str
    kind: str = ""
    version: str = ""
    warnings: tuple[str, ...] = ()
    accepted: tuple[ClusterConfig, ...] = ()
    status: proxmox.ClusterStatus | None = None

    @property
    def told(self) -> str:
        """`text` in the language of whoever reads it; a problem is stored in English."""
        return stored_messages.render(self.text)


def run(config: ClusterConfig) -> ConnectionResult:
    """Log in and read, with each credential, and connect to each address that was entered.

    Everything that can go wrong with a cluster becomes a sentence.
    """
    result = _logged_in(config)
    return replace(result, warnings=(*result.warnings, *_of_addresses(config)))


def _logged_in(config: ClusterConfig) -> ConnectionResult:
    accepted: tuple[ClusterConfig, ...] = ()
    try:
        found = proxmox.diagnose(config)
        with proxmox.connect(config) as pve:
            held = {privilege for privileges in pve.permissions().values() for privilege in privileges}
        accepted = (config,)
        with proxmox.read(config) as reader:
            reader.version()
    except proxmox.ProxmoxError as error:
        return ConnectionResult(
            ok=False,
            text=error.plain,
            kind=type(error).__name__,
            warnings=_presented(error),
            accepted=accepted,
        )
    return ConnectionResult(
        ok=True,
        version=found.version,
        text=ngettext(
            "Proxmox VE %(version)s, %(count)s node (%(nodes)s), %(milliseconds)s ms.",
            "Proxmox VE %(version)s, %(count)s nodes (%(nodes)s), %(milliseconds)s ms.",
            len(found.nodes),
        )
        % {
            "version": found.version,
            "count": len(found.nodes),
            "nodes": ", ".join(found.nodes),
            "milliseconds": f"{found.seconds * 1000:.0f}",
        },
        warnings=tuple(_warnings(config, held, quorate=found.quorate)),
        accepted=(config, config.for_reading),
        status=found.status,
    )


def run_and_record(config: ClusterConfig) -> ConnectionResult:
    """Tests a stored cluster: the result becomes its health, and an accepted login is tried again.

    After a success its sync is due at once.
    """
    result = run(config)
    for credential in result.accepted:
        DatabaseLoginThrottle().accepted(credential)
    if result.ok:
        ClusterHealth.succeeded(config.cluster_id, version=result.version)
        cluster_mended.send(None, cluster_id=config.cluster_id)
    else:
        ClusterHealth.failed(config.cluster_id, result.text, kind=result.kind)
    if result.status:
        addresses.learn(config, result.status)
    return result


def _of_addresses(config: ClusterConfig) -> list[str]:
    """What is wrong at each address, where there are several. Those that the cluster told itself are not tried."""
    entered = config.addresses[: len(config.addresses) - config.learned]
    if not entered:
        return []
    try:
        found = proxmox.try_each(replace(config, addresses=entered))
    except proxmox.ProxmoxError:  # about the settings, and said already
        return []
    return [
        _("Address %(address)s: %(problem)s") % {"address": address, "problem": stored_messages.render(problem.plain)}
        for address, problem in found.items()
    ]


def _presented(error: proxmox.ProxmoxError) -> tuple[str, ...]:
    """The certificate that was shown instead of a trusted one, if the error's own text does not say it."""
    if not isinstance(error, proxmox.CertificateRejected) or not error.presented or error.presented in error.plain:
        return ()
    return (_("Fingerprint of the cluster's certificate: %(fingerprint)s.") % {"fingerprint": error.presented},)


def _warnings(config: ClusterConfig, held: set[str], *, quorate: bool | None) -> list[str]:
    found = [
        _("The privilege %(privilege)s is missing, so nobody can %(use)s. Grant it on /vms or on a pool.")
        % {"privilege": privilege, "use": use}
        for privilege, use in NEEDED.items()
        if privilege not in held
    ]
    if quorate is False:
        found.append(_("The cluster has no quorum: machines cannot be started."))
    if config.trust is Trust.NONE:
        found.append(_("The certificate is not verified. Enter the cluster's CA certificate or fingerprint."))
    return found
