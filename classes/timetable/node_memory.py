"""Whether the memory of the nodes is enough for the machines of all lessons at the same time. Asks the clusters."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from classes.models import Occurrence
from classes.timetable.rehearsal import Finding, Found, Lessons
from clusters import gateway, proxmox
from clusters.models import Cluster
from vms.models import VirtualMachine

GIB = 2**30

Node = tuple[str, str]  # cluster and name
Need = dict[Node, int]  # bytes


def findings(lessons: Lessons) -> Found:
    """By class. A node is found once: for the lesson during which it lacks the most."""
    if not lessons:
        return {}
    needs = _needs(lessons)
    nodes = {node for need in needs.values() for node in need}
    sizes, silent = _sizes(nodes)
    found: Found = {}
    for node in sorted(nodes & sizes.keys()):
        (lab_class, _at), size = max(
            ((place, need[node]) for place, need in needs.items() if node in need), key=lambda one: one[1]
        )
        if size > sizes[node]:
            found.setdefault(lab_class, []).append(_of_node(lab_class, node, sizes[node], size))
    for name in silent:
        first = next(place[0] for place, need in needs.items() if any(node[0] == name for node in need))
        text = _("The cluster %(name)s does not say how much memory its nodes have.")
        found.setdefault(first, []).append(Finding(text % {"name": silent[name]}, "", ""))
    return found


def _of_node(lab_class: int, node: Node, has: int, size: int) -> Finding:
    text = _("The node %(node)s has %(has)d GB of memory; all machines of lessons then need %(size)d GB.")
    facts = {"node": node[1], "has": has // GIB, "size": -(-size // GIB)}
    return Finding(text % facts, _("Machines"), reverse("classes-machines", args=[lab_class]))


def _needs(lessons: Lessons) -> dict[tuple[int, datetime], Need]:
    """The most that all lessons of the portal need at a time during each of these, on the nodes of its class."""
    every = [lesson for its in lessons.values() for lesson in its]
    first, last = min(one.starts_at for one in every), max(one.ends_at for one in every)
    touching = Occurrence.objects.of_open_classes().touching(first, last)
    rows = list(touching.values_list("lab_class", "starts_at", "ends_at"))
    of_class = _memory({row[0] for row in rows})
    found: dict[tuple[int, datetime], Need] = {}
    for lesson in sorted(every, key=lambda one: one.starts_at):
        beginnings = {begins for _class, begins, _ends in rows if lesson.starts_at < begins < lesson.ends_at}
        most = found.setdefault((lesson.lab_class_id, lesson.starts_at), {})
        for at in (lesson.starts_at, *beginnings):
            then = {lab_class for lab_class, begins, ends in rows if begins <= at < ends}
            for node in of_class.get(lesson.lab_class_id, {}):
                size = sum(of_class.get(lab_class, {}).get(node, 0) for lab_class in then)
                most[node] = max(size, most.get(node, 0))
    return found


def _memory(classes: Iterable[int]) -> dict[int, Need]:
    """Of the machines of these classes, by class and node."""
    there = VirtualMachine.objects.present().filter(
        class_machine__lab_class__in=list(classes), template=False, cluster__is_active=True
    )
    rows = there.order_by().values_list("class_machine__lab_class", "cluster_id", "node").annotate(size=Sum("memory"))
    found: dict[int, Need] = {}
    for lab_class, name, node, size in rows:
        found.setdefault(lab_class, {})[str(name), node] = size
    return found


def _sizes(nodes: Iterable[Node]) -> tuple[Need, dict[str, str]]:
    """The memory of the nodes, in bytes, and the names of clusters that don't tell it, by their ID."""
    by_cluster: dict[str, list[str]] = {}
    for name, node in sorted(nodes):
        by_cluster.setdefault(name, []).append(node)
    sizes: Need = {}
    silent = {}
    for cluster in Cluster.objects.filter(cluster_id__in=by_cluster):
        try:
            with gateway.read(cluster.config) as pve:
                for node in by_cluster[cluster.cluster_id]:
                    sizes[cluster.cluster_id, node] = pve.node_status(node).memory
        except proxmox.ProxmoxError:
            silent[cluster.cluster_id] = cluster.name
    return sizes, silent
