"""What the simulator can do wrong, by name, and the error that the gateway is to make of it."""

from collections.abc import Callable
from dataclasses import dataclass

from clusters import proxmox
from clusters.proxmox import Client, Power
from pvesim.cluster import Cluster


def look(pve: Client) -> object:
    return pve.guest_status("pve1", "qemu", 101)


def look_elsewhere(pve: Client) -> object:
    return pve.guest_status("pve2", "qemu", 102)


def stop(pve: Client) -> object:
    return pve.power("pve1", "qemu", 101, Power.STOP)


def start_elsewhere(pve: Client) -> object:
    return pve.power("pve2", "qemu", 102, Power.START)


def look_twice(pve: Client) -> object:
    pve.resources()
    return look(pve)


def stop_what_was_seen(pve: Client) -> object:
    pve.resources()
    return stop(pve)


def snapshot(pve: Client) -> object:
    upid = pve.create_snapshot("pve1", "qemu", 101, "before")
    return pve.task_status(upid).raise_if_failed()


@dataclass(frozen=True)
class Case:
    """`wrong` is done to the cluster, before or, when `late`, after a first question; None expects an answer."""

    wrong: Callable[[Cluster], object]
    ask: Callable[[Client], object]
    error: type[proxmox.ProxmoxError] | None
    by: str = "token"
    late: bool = False


STOPPING = "status/stop$"
TOKEN = "portal@pve!labs"
USER = "portal@pve"

FAULTS = {
    "a node that is down": Case(lambda lab: lab.faults.node_down("pve2"), look_elsewhere, proxmox.NodeDown),
    "a change on a node that is down": Case(
        lambda lab: lab.faults.node_down("pve2"), start_elsewhere, proxmox.NodeDown
    ),
    "the entry that is down": Case(lambda lab: lab.faults.node_down("pve1"), look, proxmox.ConnectionRefused),
    "a node that is not reached": Case(
        lambda lab: lab.faults.node_unreachable("pve2"), look_elsewhere, proxmox.NodeDown
    ),
    "a node that is not reached for long": Case(
        lambda lab: lab.faults.node_unreachable("pve2", timeout=30), look_elsewhere, proxmox.TimedOut
    ),
    "a node that takes three seconds not to be reached": Case(
        lambda lab: lab.faults.node_down("pve2", timeout=3), look_elsewhere, proxmox.TimedOut
    ),
    "a node without a proxy": Case(lambda lab: lab.faults.proxy_down("pve2"), look_elsewhere, proxmox.NodeDown),
    "a node whose proxy hangs": Case(lambda lab: lab.faults.proxy_hangs("pve2"), look_elsewhere, proxmox.TimedOut),
    "a node whose proxy hung": Case(
        lambda lab: lab.faults.proxy_hangs("pve2", timeout=0), look_elsewhere, proxmox.NodeDown
    ),
    "a change on a node whose proxy hung": Case(
        lambda lab: lab.faults.proxy_hangs("pve2", timeout=0), start_elsewhere, proxmox.OutcomeUnknown
    ),
    "nodes that do not trust each other": Case(
        lambda lab: lab.faults.peer_untrusted("pve2"), look_elsewhere, proxmox.NodeDown
    ),
    "an entry without its daemon": Case(
        lambda lab: lab.faults.daemon_down("pve1"), Client.cluster_status, proxmox.NodeDown
    ),
    "a version without the daemon": Case(lambda lab: lab.faults.daemon_down("pve1"), Client.version, None),
    "a login without the daemon": Case(
        lambda lab: lab.faults.daemon_down("pve1"), Client.version, proxmox.NodeDown, by="password"
    ),
    "an entry whose daemon hangs": Case(
        lambda lab: lab.faults.daemon_hangs("pve1"), Client.cluster_status, proxmox.TimedOut
    ),
    "a port that says nothing": Case(lambda lab: lab.faults.port_unresponsive("pve1"), look, proxmox.TimedOut),
    "a port that drops what knocks": Case(lambda lab: lab.faults.port_filtered("pve1"), look, proxmox.TimedOut),
    "a change at a port that drops what knocks": Case(
        lambda lab: lab.faults.port_filtered("pve1"), stop, proxmox.TimedOut
    ),
    "a port that closes": Case(lambda lab: lab.faults.port_closing("pve1"), look, proxmox.Unreachable),
    "a start without quorum": Case(lambda lab: lab.faults.quorum_lost(), start_elsewhere, proxmox.NodeDown),
    "a start at the entry without quorum": Case(
        lambda lab: lab.faults.quorum_lost(),
        lambda pve: pve.power("pve1", "qemu", 101, Power.START),
        proxmox.NoQuorum,
    ),
    "a question without quorum": Case(lambda lab: lab.faults.quorum_lost(), look, None),
    "a snapshot without quorum": Case(lambda lab: lab.faults.quorum_lost(), snapshot, proxmox.TaskFailed),
    "a login without quorum": Case(lambda lab: lab.faults.quorum_lost(), look, None, by="password"),
    "late headers": Case(lambda lab: lab.faults.delay("status", 3600), look, proxmox.TimedOut),
    "a late body": Case(lambda lab: lab.faults.delay("status", 3600, before="body"), look, proxmox.TimedOut),
    "one byte at a time": Case(lambda lab: lab.faults.drip("status", 50), look, proxmox.TimedOut),
    "no answer": Case(lambda lab: lab.faults.hang("."), look, proxmox.TimedOut),
    "no answer to a change": Case(lambda lab: lab.faults.hang(STOPPING, executed=True), stop, proxmox.OutcomeUnknown),
    "no answer to a login": Case(lambda lab: lab.faults.hang("ticket"), look, proxmox.TimedOut, by="password"),
    "a connection that breaks off": Case(lambda lab: lab.faults.reset("."), look, proxmox.Dropped),
    "a change that breaks off": Case(
        lambda lab: lab.faults.reset(STOPPING, executed=True), stop, proxmox.OutcomeUnknown
    ),
    "a kept connection that breaks off": Case(
        lambda lab: lab.faults.reset("status/current", reused=True, times=1), look_twice, None
    ),
    "a kept connection that would break off under a change": Case(
        lambda lab: lab.faults.reset(STOPPING, reused=True), stop_what_was_seen, None
    ),
    "a body that breaks off": Case(lambda lab: lab.faults.truncated("."), look, proxmox.Dropped),
    "an answer to a change that breaks off": Case(
        lambda lab: lab.faults.truncated(STOPPING), stop, proxmox.OutcomeUnknown
    ),
    "a redirect": Case(lambda lab: lab.faults.redirect("http://127.0.0.1:9/"), look, proxmox.ProtocolError),
    "a redirect of a change": Case(
        lambda lab: lab.faults.redirect("http://127.0.0.1:9/", STOPPING), stop, proxmox.OutcomeUnknown
    ),
    "a token that is revoked": Case(
        lambda lab: lab.faults.token_revoked(TOKEN), look, proxmox.LoginRejected, late=True
    ),
    "a token that expired": Case(lambda lab: lab.faults.token_expired(TOKEN), look, proxmox.LoginRejected, late=True),
    "a token with another secret": Case(
        lambda lab: lab.faults.token_secret_changed(TOKEN), stop, proxmox.LoginRejected
    ),
    "a user who is disabled": Case(lambda lab: lab.faults.user_disabled(USER), look, proxmox.LoginRejected, late=True),
    "a user who is disabled, by ticket": Case(
        lambda lab: lab.faults.user_disabled(USER), look, proxmox.LoginRejected, by="password", late=True
    ),
    "a user who expired": Case(lambda lab: lab.faults.user_expired(USER), look, proxmox.LoginRejected, by="password"),
    "a password that changed": Case(
        lambda lab: lab.faults.password_changed(USER), look, proxmox.LoginRejected, by="password"
    ),
    "a password that changed under way": Case(
        lambda lab: lab.faults.password_changed(USER), look, None, by="password", late=True
    ),
    "a second factor": Case(
        lambda lab: lab.faults.second_factor_required(USER), look, proxmox.LoginRejected, by="password"
    ),
    "a ticket that expired": Case(lambda lab: lab.faults.clock_jump(), look, None, by="password", late=True),
    "a ticket of another key": Case(lambda lab: lab.faults.tickets_void(), look, None, by="password", late=True),
    "a proof that is refused": Case(
        lambda lab: lab.faults.csrf_refused(), stop, proxmox.LoginRejected, by="password", late=True
    ),
    "rights that are lost under way": Case(
        lambda lab: lab.faults.rights_removed(USER, after="/cluster/resources"), look_twice, proxmox.PermissionMissing
    ),
    "rights that are lost before a change": Case(
        lambda lab: lab.faults.rights_removed(USER, after="/cluster/resources"),
        stop_what_was_seen,
        proxmox.PermissionMissing,
    ),
    "a guest that moved before a change": Case(
        lambda lab: lab.faults.guest_moved(101, after="/cluster/resources"), stop_what_was_seen, proxmox.GuestGone
    ),
    "a guest that moved under way": Case(
        lambda lab: lab.faults.guest_moved(101, after="/cluster/resources"), look_twice, proxmox.GuestGone
    ),
    "a guest that is removed under way": Case(
        lambda lab: lab.faults.guest_removed(101, after="/cluster/resources"), look_twice, proxmox.GuestGone
    ),
    "a renewed certificate": Case(lambda lab: lab.faults.certificate_renewed(), look, proxmox.CertificateRejected),
    "another cluster at the address": Case(
        lambda lab: lab.faults.identity_changed(), look, proxmox.CertificateRejected
    ),
    "TLS that is too old": Case(lambda lab: lab.faults.tls_too_old(), look, proxmox.ProtocolError),
    "a CA and a renewed certificate": Case(lambda lab: lab.faults.certificate_renewed(), look, None, by="CA"),
    "a CA and an expired certificate": Case(
        lambda lab: lab.faults.certificate_expired(), look, proxmox.CertificateRejected, by="CA"
    ),
    "a CA and another name": Case(
        lambda lab: lab.faults.certificate_for_another_name(), look, proxmox.CertificateRejected, by="CA"
    ),
    "a CA and another authority": Case(
        lambda lab: lab.faults.certificate_of_another_authority(), look, proxmox.CertificateRejected, by="CA"
    ),
}
