"""Labels that code computes, for the translators: makemessages cannot see them."""

from django.utils.translation import gettext_noop

# The name of a rule's function, in words: `vms.access.rules`.
RULES = [
    gettext_noop("consoles are offered"),
    gettext_noop("person may operate"),
    gettext_noop("person is granted the cluster"),
    gettext_noop("class is granted the pool"),
    gettext_noop("cluster is active"),
    gettext_noop("cluster answers"),
    gettext_noop("machine is there"),
    gettext_noop("node answers"),
    gettext_noop("machine is no template"),
    gettext_noop("kind fits"),
    gettext_noop("nothing under way"),
    gettext_noop("machine is not locked"),
    gettext_noop("status fits"),
    gettext_noop("snapshot may be changed"),
]

# What a cluster says of a machine.
STATES = [
    gettext_noop("running"),
    gettext_noop("stopped"),
    gettext_noop("paused"),
    gettext_noop("unknown"),
]
