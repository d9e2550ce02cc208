"""Counts of nodes, machines and operations on the page *Clusters*, in words."""

from django.utils.translation import gettext as _
from django.utils.translation import npgettext, pgettext

from clusters.templatetags.ages import age
from vms import sentences
from vms.models import Node


def node_words(nodes: list[Node]) -> str:
    if not nodes:
        return _("unknown")
    online = sum(node.online for node in nodes)
    names = ", ".join(
        node.name if node.online else _("%(name)s (offline for %(age)s)") % {"name": node.name, "age": age(node.since)}
        for node in nodes
    )
    return _("%(online)s of %(all)s online: %(names)s") % {
        "online": online,
        "all": len(nodes),
        "names": names,
    }


def operation_words(under_way: int, waiting: int) -> str:
    return (
        _("%(under_way)s in progress, %(waiting)s waiting") % {"under_way": under_way, "waiting": waiting}
        if under_way or waiting
        else pgettext("operations", "none")
    )


def machine_words(machines: dict[str, int]) -> str:
    told = (f"{count} {_state_of(count, status)}" for status, count in sorted(machines.items()))
    return ", ".join(told) or pgettext("machines", "none")


def _state_of(count: int, status: str) -> str:
    words = {
        "running": npgettext("machines", "running", "running", count),
        "stopped": npgettext("machines", "stopped", "stopped", count),
        "paused": npgettext("machines", "paused", "paused", count),
        "unknown": npgettext("machines", "unknown", "unknown", count),
    }
    return words.get(status) or str(sentences.status(status))
