"""Messages about clusters and the connection to them, by the codes under which they are stored."""

from django.utils.translation import gettext_noop

from accounts import stored_messages
from accounts.stored_messages import say

__all__ = ["say"]

# Whole sentences.
stored_messages.register(
    {
        "no-credential": gettext_noop(
            "This cluster has no credential. Enter an API token, or a password, in its settings."
        ),
        "making-is-off": gettext_noop(
            "Making machines is switched off on this cluster. An administrator can switch it on and enter a token for "
            "it."
        ),
        "token-malformed": gettext_noop("The API token contains invalid characters. Enter it again."),
        "second-factor": gettext_noop(
            "The cluster asks this user for a second factor, which the portal cannot provide. Enter an API token "
            "instead: tokens need no second factor."
        ),
        "credential-rejected": gettext_noop(
            "The cluster rejected the portal's %(credential)s%(quoted)s. Enter a valid one in its settings."
        ),
        "credential-rejected-before": gettext_noop(
            "The cluster rejected the portal's %(credential)s, so the portal does not try it again. Enter a valid "
            "one in the cluster's settings, or test the connection there."
        ),
        "host-unknown": gettext_noop(
            "The cluster's host name was not found. Check the host in the cluster's settings."
        ),
        "host-not-allowed": gettext_noop(
            "The portal is not allowed to connect to this host. Check the host in the cluster's settings, or allow "
            "its network in CLUSTER_ALLOWED_NETWORKS."
        ),
        "connection-refused": gettext_noop(
            "The cluster refuses connections on its port. Check host and port, and whether pveproxy runs there."
        ),
        "no-way": gettext_noop("The cluster cannot be reached (%(why)s). Check host, port and network."),
        "timed-out": gettext_noop(
            "The cluster did not respond in time. If this continues, check its load and the network."
        ),
        "dropped": gettext_noop(
            "The cluster closed the connection without a response. If this continues, check pveproxy on the cluster."
        ),
        "closed-before-tls": gettext_noop(
            "The cluster closed the connection before it was encrypted. Check whether its ALLOW_FROM or DENY_FROM "
            "rules block the portal."
        ),
        "certificate-rejected": gettext_noop(
            "%(why)s Nothing was sent. Check the certificate in the cluster's settings."
        ),
        "other-address-rejected": gettext_noop(
            "%(why)s %(address)s responds, but its certificate is not trusted. Test the connection for details."
        ),
        "certificate-unreadable": gettext_noop("The cluster's certificate cannot be read."),
        "certificate-not-trusted": gettext_noop("The cluster's certificate is not trusted."),
        "certificate-not-trusted-because": gettext_noop("The cluster's certificate is not trusted (%(why)s)."),
        "certificate-changed": gettext_noop("The certificate changed from %(was)s to %(shown)s."),
        "pin-malformed": gettext_noop("The pinned fingerprint is not a SHA-256 fingerprint."),
        "ca-unreadable": gettext_noop("The CA certificate in the cluster's settings cannot be read."),
        "permission-missing": gettext_noop(
            "The portal's account%(missing)s. Ask the cluster's administrator for the permission."
        ),
        "bad-parameter": gettext_noop(
            "The cluster did not accept the portal's request%(quoted)s. Report it to the portal's administrators."
        ),
        "not-found": gettext_noop(
            "The cluster does not know this machine, node or task, or no longer knows it. Reload the page and try "
            "again."
        ),
        "guest-gone": gettext_noop(
            "The machine is not on this node: it was deleted or moved to another one. Reload the page and try again."
        ),
        "no-pool": gettext_noop("The cluster has no such pool, or the portal's account may not see it."),
        "refused": gettext_noop("The cluster refused%(quoted)s."),
        "agent-refused": gettext_noop("The machine's guest agent refused (%(reason)s)."),
        "no-quorum": gettext_noop(
            "The cluster has no quorum, so nothing can be started or changed%(quoted)s. Bring its nodes back."
        ),
        "locked": gettext_noop(
            "The machine is locked by an operation in progress%(quoted)s. Try again in half a minute."
        ),
        "id-taken": gettext_noop("Another machine, or a disk that one left behind, has this VMID%(quoted)s."),
        "still-running": gettext_noop("The machine is running%(quoted)s. Stop it first."),
        "protected": gettext_noop(
            "The machine's protection is on%(quoted)s. Switch it off on the cluster if you want to delete it."
        ),
        "checksum-mismatch": gettext_noop(
            "Somebody else changed the machine's configuration at the same moment%(quoted)s. Try again."
        ),
        "unreachable-part": gettext_noop("%(who)s cannot be reached%(quoted)s. Check whether it is running."),
        "not-proxmox": gettext_noop(
            "The response is not from Proxmox VE: %(what)s. Check host and port, and any proxy between the portal "
            "and the cluster."
        ),
        "perhaps-carried-out": gettext_noop(
            "%(why)s The request may have been carried out. Check before you repeat it."
        ),
        "task-failed": gettext_noop("The cluster started the task, but it failed%(quoted)s."),
    }
)

# Parts of them.
stored_messages.register(
    {
        "of-credential": gettext_noop("credential"),
        "of-read-only-token": gettext_noop("read-only token"),
        "of-making-token": gettext_noop("token for making machines"),
        "one-of-pins": gettext_noop("one of %(count)s fingerprints"),
        "lacks-privilege": gettext_noop(" lacks %(privilege)s on %(path)s"),
        "is-not-allowed": gettext_noop(" is not allowed to do this%(quoted)s"),
        "of-node": gettext_noop("Node %(node)s of the cluster"),
        "of-service": gettext_noop("The cluster's own service"),
        "network-error": gettext_noop("network error"),
        "verification-failed": gettext_noop("verification failed"),
    }
)

# What an answer is instead of one of Proxmox VE.
stored_messages.register(
    {
        "no-data": gettext_noop("no data"),
        "too-many-values": gettext_noop("too many values"),
        "no-json": gettext_noop("not valid JSON"),
        "json-too-deep": gettext_noop("JSON nested deeper than %(most)s levels"),
        "no-ticket": gettext_noop("a login without a ticket"),
        "strange-ticket": gettext_noop("a login with an invalid ticket"),
        "a-redirect": gettext_noop("a redirect"),
        "no-http": gettext_noop("not valid HTTP"),
        "no-http-head": gettext_noop("HTTP headers that are not valid"),
        "broken-compression": gettext_noop("compression that is not valid"),
        "http-status": gettext_noop("HTTP status %(status)s"),
        "web-page": gettext_noop("a web page, with HTTP status %(status)s"),
        "too-large": gettext_noop("more than %(most)s MiB"),
        "no-version": gettext_noop("no version"),
        "no-nodes": gettext_noop("a cluster without nodes"),
        "node-without-name": gettext_noop("a node without a valid name"),
        "number-expected": gettext_noop("a number was expected"),
        "time-expected": gettext_noop("a time was expected"),
        "list-expected": gettext_noop("a list was expected"),
        "list-too-long": gettext_noop("a list of more than %(most)s entries"),
        "object-expected": gettext_noop("an object was expected"),
        "console-without-ticket": gettext_noop("a console without a ticket"),
        "console-without-port": gettext_noop("a console without a port"),
        "no-vmid": gettext_noop("not a number from 100 to %(most)s"),
        "no-task-id": gettext_noop("no task identifier"),
        "strange-task": gettext_noop("a task in an unknown state"),
        "no-tls": gettext_noop("not TLS"),
    }
)
