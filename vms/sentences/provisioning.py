"""Messages about making and removing machines."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

# How the making of machines goes and ends.
stored_messages.register(
    {
        "made-held": gettext_noop("Something else held a lock on the cluster for too long. The portal tries again."),
        "made-template-gone": gettext_noop(
            "The template (VMID %(vmid)s) is no longer on node %(node)s. Ask an administrator."
        ),
        "made-no-free-id": gettext_noop("No VMID of the template's range is free. Ask an administrator."),
        "made-stuck": gettext_noop(
            "The clone was interrupted on the cluster and is locked. Ask an administrator to run “qm unlock %(vmid)s” "
            "on node %(node)s as root, and then to destroy the machine with its unreferenced disks."
        ),
        "made-node-away": gettext_noop(
            "Node %(node)s did not respond for too long. Retry when it is back: the portal first looks what is there."
        ),
        "made-not-ours": gettext_noop("VMID %(vmid)s belongs to another machine now. Nothing was changed there."),
        "made-not-there": gettext_noop("The machine (VMID %(vmid)s) is no longer on the cluster."),
        "made-no-agent": gettext_noop("Its template has no guest agent, so the portal can't read an IP address."),
        "made-no-address": gettext_noop("No IP address within 5 minutes. Check network and guest agent."),
        "made-no-baseline": gettext_noop("No baseline: this storage can't save snapshots."),
        "made-old-runs": gettext_noop("The earlier machine can't be stopped."),
        "automation-held": gettext_noop(
            "The portal waits for an administrator, who has to confirm that it may act. Try again later."
        ),
        "automation-dropped": gettext_noop("Cancelled by %(name)s when the portal was confirmed."),
        "remove-unseen": gettext_noop(
            "Something has VMID %(vmid)s, but the portal may not read it. Nothing was changed there. Ask an "
            "administrator to look at it on the cluster."
        ),
        "remove-anothers": gettext_noop(
            "The machine was already gone. VMID %(vmid)s belongs to another machine now, which was not changed."
        ),
        "remove-not-ours": gettext_noop(
            "VMID %(vmid)s does not have both the mark and the SMBIOS UUID of the machine that was made here. Nothing "
            "was changed there. Ask an administrator to look at it on the cluster."
        ),
        "remove-template": gettext_noop(
            "VMID %(vmid)s is a template now. Nothing was changed there. Ask an administrator to remove it."
        ),
        "remove-protected": gettext_noop(
            "VMID %(vmid)s is protected on the cluster. Switch its protection off there, then remove it again."
        ),
        "remove-runs": gettext_noop("Somebody started the machine at the same moment. The portal tries again."),
        "remove-was-gone": gettext_noop("It was no longer on the cluster."),
        "made-cancelled-by": gettext_noop("Cancelled by %(name)s before it was begun."),
        "made-withdrawn-over": gettext_noop("Withdrawn before it was begun: the class has ended."),
        "made-withdrawn-grant": gettext_noop(
            "Withdrawn before it was begun: the template, or the grant for its pool, is no longer available."
        ),
    }
)
