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
        "credential-unreadable": gettext_noop(
            "A stored credential cannot be read with FIELD_ENCRYPTION_KEY. Put the key that it was "
            "written with behind the present one, or enter the credential again."
        ),
        "token-malformed": gettext_noop("The API token has characters that no token has. Enter it again."),
        "second-factor": gettext_noop(
            "The cluster asks this user for a second factor, which the portal cannot give. "
            "Enter an API token instead: tokens need none."
        ),
        "credential-rejected": gettext_noop(
            "The cluster rejected the portal's %(credential)s%(quoted)s. Enter a valid one in its settings."
        ),
        "credential-rejected-before": gettext_noop(
            "The cluster rejected the portal's %(credential)s, so it is not tried again. Enter a valid one in the "
            "cluster's settings, or test the connection there."
        ),
        "host-unknown": gettext_noop("The cluster's host name is not known. Check the host in the cluster's settings."),
        "host-not-allowed": gettext_noop(
            "The portal may not connect to this host. Check the host in the cluster's settings; "
            "which networks are allowed is set by CLUSTER_ALLOWED_NETWORKS."
        ),
        "connection-refused": gettext_noop(
            "The cluster refuses connections on its port. Check host and port, and whether pveproxy runs there."
        ),
        "no-way": gettext_noop("There is no way to the cluster (%(why)s). Check host and port, and the network."),
        "timed-out": gettext_noop(
            "The cluster did not answer in time. If this goes on, check its load and the network."
        ),
        "dropped": gettext_noop(
            "The cluster closed the connection instead of answering. If this goes on, check pveproxy there."
        ),
        "closed-before-tls": gettext_noop(
            "The cluster closed the connection before it was secured. Check whether its ALLOW_FROM or DENY_FROM rules "
            "keep the portal out."
        ),
        "certificate-rejected": gettext_noop(
            "%(why)s Nothing was sent. Fetch the certificate in its settings and decide."
        ),
        "certificate-unreadable": gettext_noop("The certificate there cannot be read."),
        "certificate-not-trusted": gettext_noop("The cluster's certificate is not trusted."),
        "certificate-not-trusted-because": gettext_noop("The cluster's certificate is not trusted (%(why)s)."),
        "certificate-changed": gettext_noop("The certificate changed: was %(was)s, now %(shown)s."),
        "pin-malformed": gettext_noop("The pinned fingerprint is not one of SHA-256."),
        "ca-unreadable": gettext_noop("The CA certificate in the cluster's settings cannot be read."),
        "permission-missing": gettext_noop(
            "The portal's account%(missing)s. Ask the cluster's administrator for the permission."
        ),
        "bad-parameter": gettext_noop(
            "The cluster cannot do this as asked%(quoted)s. Report it to those who run the portal."
        ),
        "not-found": gettext_noop(
            "The cluster does not know this machine, node or task, or no longer knows it. Reload the page and try "
            "again."
        ),
        "guest-gone": gettext_noop(
            "The cluster does not know this machine there (any more): it was deleted, or moved to "
            "another node. Reload the page and try again."
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
        "unreachable-part": gettext_noop("%(who)s cannot be reached%(quoted)s. Check whether it is running."),
        "not-proxmox": gettext_noop(
            "The answer is not one of Proxmox VE: %(what)s. Check host and port, and what stands "
            "between the portal and the cluster."
        ),
        "perhaps-carried-out": gettext_noop(
            "%(why)s The request may have been carried out: look before you repeat it."
        ),
        "task-failed": gettext_noop("The cluster began it, and the task failed%(quoted)s."),
    }
)

# Parts of them.
stored_messages.register(
    {
        "of-credential": gettext_noop("credential"),
        "of-read-only-token": gettext_noop("read-only token"),
        "one-of-pins": gettext_noop("one of %(count)s pinned ones"),
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
        "no-data": gettext_noop("no data in it"),
        "too-many-values": gettext_noop("too many values"),
        "no-json": gettext_noop("no readable JSON"),
        "json-too-deep": gettext_noop("JSON nested deeper than %(most)s levels"),
        "no-ticket": gettext_noop("a login without a ticket"),
        "strange-ticket": gettext_noop("a login with a strange ticket"),
        "a-redirect": gettext_noop("a redirect"),
        "no-http": gettext_noop("it breaks the rules of HTTP"),
        "no-http-head": gettext_noop("its head is not HTTP"),
        "broken-compression": gettext_noop("its compression is broken"),
        "http-status": gettext_noop("HTTP status %(status)s"),
        "web-page": gettext_noop("a web page, with HTTP status %(status)s"),
        "too-large": gettext_noop("more than %(most)s MiB"),
        "no-version": gettext_noop("no version in it"),
        "no-nodes": gettext_noop("a cluster without nodes"),
        "node-without-name": gettext_noop("a node without a proper name"),
        "number-expected": gettext_noop("a number was expected"),
        "time-expected": gettext_noop("a time was expected"),
        "list-expected": gettext_noop("a list was expected"),
        "list-too-long": gettext_noop("a list of more than %(most)s entries"),
        "object-expected": gettext_noop("an object was expected"),
        "console-without-ticket": gettext_noop("a console without a ticket"),
        "console-without-port": gettext_noop("a console without a port"),
        "no-vmid": gettext_noop("no number from 100 to %(most)s"),
        "no-task-id": gettext_noop("no task identifier"),
        "strange-task": gettext_noop("a task that neither runs nor has ended"),
        "no-tls": gettext_noop("it does not speak TLS as expected"),
    }
)
