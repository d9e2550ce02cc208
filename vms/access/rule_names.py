"""Names of rules in words, for the translators: computed from function names, which makemessages cannot see."""

from django.utils.translation import gettext_noop

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
    gettext_noop("ha has not given up"),
    gettext_noop("nothing under way"),
    gettext_noop("machine is not locked"),
    gettext_noop("status fits"),
    gettext_noop("snapshot may be changed"),
]
