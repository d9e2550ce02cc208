"""What would happen on a day: what the lessons of a class will lack, each with the page where it is mended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from classes.models import ClassMachine, IdleEvidence, LabClass, LessonMode, Membership, Occurrence, RunningRules
from clusters import gateway, proxmox
from clusters.models import Cluster
from vms.models import Assignment, CredentialEnd, VirtualMachine

GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """Something that a lesson will lack. `url` is where it is mended; empty where only somebody else can."""

    text: str
    label: str
    url: str


def lessons_on(lab_class: LabClass, day: date) -> list[Occurrence]:
    return list(Occurrence.objects.of_open_classes().filter(lab_class=lab_class, day=day).order_by("starts_at"))


def findings(lab_class: LabClass, lessons: Iterable[Occurrence], person: User) -> list[Finding]:
    """Without asking a cluster. `person` decides which links help."""
    lessons = list(lessons)
    if not lessons:
        return []
    last = max(lesson.ends_at for lesson in lessons)
    return [
        *_rules(lab_class, lessons),
        *_teachers(lab_class),
        *_people(lab_class),
        *_machines(lab_class),
        *_template(lab_class),
        *_idle(lab_class),
        *_clusters(lab_class, last, person),
    ]


def _page(name: str, lab_class: LabClass) -> str:
    return reverse(name, args=[lab_class.pk])


def _rules(lab_class: LabClass, lessons: list[Occurrence]) -> list[Finding]:
    starts = any(lesson.mode != LessonMode.STOP for lesson in lessons)
    if not starts or RunningRules.objects.filter(lab_class=lab_class, starts=True).exists():
        return []
    text = _("No machine starts by itself: the class does not start its machines before lessons.")
    return [Finding(text, _("Hours and stops"), _page("classes-hours", lab_class))]


def _teachers(lab_class: LabClass) -> list[Finding]:
    if any(teacher.is_active for teacher in lab_class.teachers):
        return []
    text = _("No teacher of the class has an active account, so the portal starts and stops nothing.")
    return [Finding(text, _("Co-owners"), _page("classes-teachers", lab_class))]


def _people(lab_class: LabClass) -> list[Finding]:
    theirs = Assignment.objects.live().filter(user=OuterRef("user"), vm__class_machine__lab_class=lab_class)
    without = Membership.objects.joined().filter(~Exists(theirs), lab_class=lab_class, user__is_active=True)
    names = list(without.order_by("user__username").values_list("user__username", flat=True))
    if not names:
        return []
    text = ngettext("%(n)d person has no machine: %(names)s.", "%(n)d people have no machine: %(names)s.", len(names))
    return [Finding(text % _listed(names), _("Machines"), _page("classes-machines", lab_class))]


def _listed(names: list[str]) -> dict[str, object]:
    return {"n": len(names), "names": ", ".join(names[:10]) + (" …" if len(names) > 10 else "")}


def _machines(lab_class: LabClass) -> list[Finding]:
    own = ClassMachine.objects.filter(lab_class=lab_class, is_leaving=False).select_related("vm")
    gone = [one.vm.display_name for one in own if one.vm.gone_at or one.vm.missing_since]
    if not gone:
        return []
    text = ngettext(
        "%(n)d machine is no longer on its cluster: %(names)s.",
        "%(n)d machines are no longer on their cluster: %(names)s.",
        len(gone),
    )
    return [Finding(text % _listed(gone), _("Machines"), _page("classes-machines", lab_class))]


def _template(lab_class: LabClass) -> list[Finding]:
    """People who join get a machine made of a template."""
    if lab_class.joining_limit is None or lab_class.joining_template_id:
        return []
    text = _("The template for people who join is gone, so no machine is made for them.")
    return [Finding(text, _("Machines"), _page("classes-machines", lab_class))]


def _idle(lab_class: LabClass) -> list[Finding]:
    """Machines that are not stopped when idle because a signal is missing, by what was found when they were quiet."""
    if not RunningRules.objects.filter(lab_class=lab_class, idle_minutes__isnull=False).exists():
        return []
    there = VirtualMachine.objects.present().filter(class_machine__lab_class=lab_class, class_machine__is_leaving=False)
    rows = there.order_by("name", "vmid").values_list("name", "vmid", "kind", "idle_evidence__trouble")
    agentless, without_figures = [], []
    for name, vmid, kind, trouble in rows:
        shown = name or f"VM {vmid}"
        if trouble == IdleEvidence.Trouble.FIGURES:
            without_figures.append(shown)
        elif kind == VirtualMachine.Kind.LXC or trouble == IdleEvidence.Trouble.AGENT:
            agentless.append(shown)
    url, label = _page("classes-hours", lab_class), _("Hours and stops")
    found = []
    if agentless:
        text = ngettext(
            "%(n)d machine is never stopped when idle, because no guest agent answers: %(names)s.",
            "%(n)d machines are never stopped when idle, because no guest agent answers: %(names)s.",
            len(agentless),
        )
        found.append(Finding(text % _listed(agentless), label, url))
    if without_figures:
        text = ngettext(
            "%(n)d machine is never stopped when idle, because its cluster has no figures of it: %(names)s.",
            "%(n)d machines are never stopped when idle, because their cluster has no figures of them: %(names)s.",
            len(without_figures),
        )
        found.append(Finding(text % _listed(without_figures), label, url))
    return found


def _clusters(lab_class: LabClass, last: datetime, person: User) -> list[Finding]:
    """Only administrators mend clusters."""
    url = reverse("vms-clusters") if person.is_staff and person.has_perm("clusters.view_cluster") else ""
    found = []
    ends = {one.cluster_id: one for one in CredentialEnd.objects.all()}
    for cluster in _clusters_of(lab_class):
        health, end = getattr(cluster, "health", None), ends.get(cluster.cluster_id)
        if not cluster.is_active:
            text = _("The cluster %(name)s is deactivated in the portal.")
        elif health is None or not health.ok:
            text = _("The cluster %(name)s is not responding now.")
        elif end and end.ends_at and end.ends_at <= last:
            text = _("The portal's credential for the cluster %(name)s expires before the lessons are over.")
        else:
            continue
        found.append(Finding(text % {"name": cluster.name}, _("Clusters"), url))
    return found


def _clusters_of(lab_class: LabClass) -> list[Cluster]:
    names = ClassMachine.objects.filter(lab_class=lab_class).order_by().values("vm__cluster_id")
    return list(Cluster.objects.filter(cluster_id__in=names).select_related("health").order_by("name"))


def memory(lab_class: LabClass, lessons: Iterable[Occurrence]) -> list[Finding]:
    """Asks the nodes of the class how much memory they have: the machines of all lessons then have to fit."""
    lessons = list(lessons)
    if not lessons:
        return []
    first, last = min(one.starts_at for one in lessons), max(one.ends_at for one in lessons)
    classes = Occurrence.objects.of_open_classes().touching(first, last).values("lab_class")
    there = VirtualMachine.objects.present().filter(class_machine__lab_class__in=classes, template=False)
    needed: dict[tuple[str, str], int] = {}
    for name, node, size in there.order_by().values_list("cluster_id", "node", "memory"):
        needed[str(name), node] = needed.get((str(name), node), 0) + size
    own = VirtualMachine.objects.present().filter(class_machine__lab_class=lab_class)
    nodes = {(str(name), node) for name, node in own.order_by().values_list("cluster_id", "node")}
    found: list[Finding] = []
    for cluster in _clusters_of(lab_class):
        if cluster.is_active:
            of_cluster = {node: needed.get((one, node), 0) for one, node in nodes if one == cluster.cluster_id}
            found += _of_nodes(lab_class, cluster, of_cluster)
    return found


def _of_nodes(lab_class: LabClass, cluster: Cluster, needed: dict[str, int]) -> list[Finding]:
    url = _page("classes-machines", lab_class)
    found = []
    try:
        with gateway.read(cluster.config) as pve:
            for node, size in sorted(needed.items()):
                has = pve.node_status(node).memory
                if size > has:
                    text = _(
                        "The node %(node)s has %(has)d GB of memory; all machines of lessons then need %(size)d GB."
                    )
                    facts = {"node": node, "has": has // GIB, "size": -(-size // GIB)}
                    found.append(Finding(text % facts, _("Machines"), url))
    except proxmox.ProxmoxError:
        text = _("The cluster %(name)s does not say how much memory its nodes have.")
        found.append(Finding(text % {"name": cluster.name}, "", ""))
    return found
