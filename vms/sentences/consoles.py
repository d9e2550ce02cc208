"""Messages about consoles: how and why they end."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

# How consoles end.
stored_messages.register(
    {
        "console-control": gettext_noop("Control. %(outcome)s"),
        "console-view": gettext_noop("View only. %(outcome)s"),
        "console-closed-by": gettext_noop("Closed by %(name)s."),
        "console-process-ended": gettext_noop("The portal's process ended."),
        "console-ended": gettext_noop("Ended: %(reason)s."),
        "console-not-opened": gettext_noop("Not opened: %(reason)s."),
    }
)

# Why consoles end, as parts of sentences.
stored_messages.register(
    {
        "end-another-machine": gettext_noop("this VMID now belongs to another machine"),
        "end-closed-by-person": gettext_noop("closed by the user"),
        "end-no-greeting": gettext_noop("the browser did not respond in time"),
        "end-not-logged-in": gettext_noop("not logged in"),
        "end-browser-gone": gettext_noop("the browser disconnected"),
        "end-display-not-opened": gettext_noop("the cluster did not open the display"),
        "end-cluster-off": gettext_noop("the cluster is deactivated"),
        "end-cluster-switched-off": gettext_noop("the cluster was deactivated"),
        "end-display-ended": gettext_noop("the display ended"),
        "end-machine-off": gettext_noop("the machine is not running"),
        "end-machine-gone": gettext_noop("the machine is gone"),
        "end-machine-switched-off": gettext_noop("the machine was turned off"),
        "end-portal-interrupted": gettext_noop("the portal was interrupted"),
        "end-portal-stopped": gettext_noop("the portal was stopped"),
        "end-right-withdrawn": gettext_noop("access to this machine was removed"),
    }
)
