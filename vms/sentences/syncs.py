"""Messages about reads of a cluster."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

# How reads of a cluster end.
stored_messages.register(
    {
        "read-by-another": gettext_noop(
            "Another worker has synced this cluster in the meantime. This result was discarded."
        ),
        "cluster-deleted": gettext_noop("The cluster was deleted in the meantime."),
        "entries-rejected": gettext_noop(
            "%(rejected)s entries of the response could not be read. No machine was marked as missing."
        ),
        "machines-rejected": gettext_noop(
            "%(rejected)s entries of the response could not be read (VMID %(vmids)s). No machine was marked as missing."
        ),
        "odd-figures": gettext_noop(
            "The cluster reports impossible figures for VMID %(vmids)s. They count as 0; the machines work as usual."
        ),
        "no-node-listed": gettext_noop("The cluster listed none of its nodes. No machine was marked as missing."),
        "nodes-offline": gettext_noop("Only %(online)s of %(all)s nodes are online. No machine was marked as missing."),
        "nodes-offline-quorum-unknown": gettext_noop(
            "Only %(online)s of %(all)s nodes are online, and the portal can't read whether the cluster has quorum "
            "(this needs Sys.Audit on /). No machine was marked as missing. %(hint)s"
        ),
        "no-quorum-no-loss": gettext_noop(
            "The cluster has no quorum. No machine was marked as missing. Bring its nodes back online."
        ),
        "no-machine-listed": gettext_noop(
            "The cluster listed no machines at all. Nothing was removed. Check whether its user or token has lost "
            "permissions. %(hint)s"
        ),
        "machines-lost": gettext_noop(
            "The cluster listed %(missed)s machines fewer than before. No machine was marked as missing. %(hint)s"
        ),
        "believe-hint": gettext_noop(
            "If they are really gone, choose “Accept the last answer” in the administration, at the cluster syncs."
        ),
    }
)
