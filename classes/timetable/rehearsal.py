"""What would happen on a day: what the lessons of classes will lack, each with the page where it is mended.

The number of queries does not depend on the number of classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from classes.models import ClassMachine, IdleEvidence, LabClass, LessonMode, Membership, Occurrence, RunningRules
from clusters.models import Cluster
from vms.models import Assignment, CredentialEnd, VirtualMachine

Lessons = Mapping[LabClass, list[Occurrence]]


@dataclass(frozen=True)
class Finding:
    """Something that a lesson will lack. `url` is where it is mended; empty where only somebody else can."""

    text: str
    label: str
    url: str


Found = dict[int, list[Finding]]  # by class


def lessons_on(classes: QuerySet[LabClass], day: date) -> dict[LabClass, list[Occurrence]]:
    """The lessons of this day of those classes that have one, by their clocks, the earliest first."""
    rows = Occurrence.objects.of_open_classes().filter(lab_class__in=classes.order_by().values("pk"), day=day)
    found: dict[LabClass, list[Occurrence]] = {}
    for row in rows.select_related("lab_class__owner").order_by("starts_at", "lab_class__name", "pk"):
        found.setdefault(row.lab_class, []).append(row)
    return found


def findings(lessons: Lessons, person: User) -> Found:
    """By class, without asking a cluster; a class that lacks nothing is left out. `person` decides which links help."""
    found: Found = {}
    if lessons:
        parts = (_rules, _teachers, _people, _machines, _template, _idle)
        for part in (*(part(lessons) for part in parts), _clusters(lessons, person)):
            for lab_class, some in part.items():
                found.setdefault(lab_class, []).extend(some)
    return found


def _page(name: str, lab_class: int) -> str:
    return reverse(name, args=[lab_class])


def _keys(lessons: Lessons) -> list[int]:
    return [lab_class.pk for lab_class in lessons]


def _rules(lessons: Lessons) -> Found:
    starting = set(
        RunningRules.objects.filter(lab_class__in=_keys(lessons), starts=True).values_list("lab_class", flat=True)
    )
    text = _("No machine starts by itself: the class does not start its machines before lessons.")
    return {
        one.pk: [Finding(text, _("Hours and stops"), _page("classes-hours", one.pk))]
        for one, its in lessons.items()
        if one.pk not in starting and any(lesson.mode != LessonMode.STOP for lesson in its)
    }


def _teachers(lessons: Lessons) -> Found:
    links = LabClass.co_owners.through.objects.filter(labclass__in=_keys(lessons), user__is_active=True)
    active = set(links.values_list("labclass", flat=True))
    text = _("No teacher of the class has an active account, so the portal starts and stops nothing.")
    return {
        one.pk: [Finding(text, _("Co-owners"), _page("classes-teachers", one.pk))]
        for one in lessons
        if one.pk not in active and not one.owner.is_active
    }


def _people(lessons: Lessons) -> Found:
    theirs = Assignment.objects.live().filter(
        user=OuterRef("user"), vm__class_machine__lab_class=OuterRef("lab_class")
    )  # fmt: skip
    without = Membership.objects.joined().filter(~Exists(theirs), lab_class__in=_keys(lessons), user__is_active=True)
    names: dict[int, list[str]] = {}
    for lab_class, name in without.order_by("user__username").values_list("lab_class", "user__username"):
        names.setdefault(lab_class, []).append(name)
    return {key: [_of_people(key, some)] for key, some in names.items()}


def _of_people(lab_class: int, names: list[str]) -> Finding:
    text = ngettext("%(n)d person has no machine: %(names)s.", "%(n)d people have no machine: %(names)s.", len(names))
    return Finding(text % _listed(names), _("Machines"), _page("classes-machines", lab_class))


def _listed(names: list[str]) -> dict[str, object]:
    return {"n": len(names), "names": ", ".join(names[:10]) + (" …" if len(names) > 10 else "")}


def _machines(lessons: Lessons) -> Found:
    gone = Q(vm__gone_at__isnull=False) | Q(vm__missing_since__isnull=False)
    own = ClassMachine.objects.filter(gone, lab_class__in=_keys(lessons), is_leaving=False).select_related("vm")
    names: dict[int, list[str]] = {}
    for one in own:
        names.setdefault(one.lab_class_id, []).append(one.vm.display_name)
    return {key: [_of_machines(key, some)] for key, some in names.items()}


def _of_machines(lab_class: int, names: list[str]) -> Finding:
    text = ngettext(
        "%(n)d machine is no longer on its cluster: %(names)s.",
        "%(n)d machines are no longer on their cluster: %(names)s.",
        len(names),
    )
    return Finding(text % _listed(names), _("Machines"), _page("classes-machines", lab_class))


def _template(lessons: Lessons) -> Found:
    """People who join get a machine made of a template."""
    text = _("The template for people who join is gone, so no machine is made for them.")
    return {
        one.pk: [Finding(text, _("Machines"), _page("classes-machines", one.pk))]
        for one in lessons
        if one.joining_limit is not None and not one.joining_template_id
    }


def _idle(lessons: Lessons) -> Found:
    """Machines that are not stopped when idle because a signal is missing, by what was found when they were quiet."""
    rules = RunningRules.objects.filter(lab_class__in=_keys(lessons), idle_minutes__isnull=False)
    there = VirtualMachine.objects.present().filter(
        class_machine__lab_class__in=rules.values("lab_class"), class_machine__is_leaving=False
    )
    columns = ("class_machine__lab_class", "name", "vmid", "kind", "idle_evidence__trouble")
    agentless: dict[int, list[str]] = {}
    without_figures: dict[int, list[str]] = {}
    for lab_class, name, vmid, kind, trouble in there.order_by("name", "vmid").values_list(*columns):
        shown = name or f"VM {vmid}"
        if trouble == IdleEvidence.Trouble.FIGURES:
            without_figures.setdefault(lab_class, []).append(shown)
        elif kind == VirtualMachine.Kind.LXC or trouble == IdleEvidence.Trouble.AGENT:
            agentless.setdefault(lab_class, []).append(shown)
    found: Found = {key: [_of_agentless(key, names)] for key, names in agentless.items()}
    for key, names in without_figures.items():
        found.setdefault(key, []).append(_of_machines_without_figures(key, names))
    return found


def _of_agentless(lab_class: int, names: list[str]) -> Finding:
    text = ngettext(
        "%(n)d machine is never stopped when idle, because no guest agent answers: %(names)s.",
        "%(n)d machines are never stopped when idle, because no guest agent answers: %(names)s.",
        len(names),
    )
    return Finding(text % _listed(names), _("Hours and stops"), _page("classes-hours", lab_class))


def _of_machines_without_figures(lab_class: int, names: list[str]) -> Finding:
    text = ngettext(
        "%(n)d machine is never stopped when idle, because its cluster has no figures of it: %(names)s.",
        "%(n)d machines are never stopped when idle, because their cluster has no figures of them: %(names)s.",
        len(names),
    )
    return Finding(text % _listed(names), _("Hours and stops"), _page("classes-hours", lab_class))


def _clusters(lessons: Lessons, person: User) -> Found:
    """Only administrators mend clusters."""
    url = reverse("vms-clusters") if person.is_staff and person.has_perm("clusters.view_cluster") else ""
    ends = {one.cluster_id: one for one in CredentialEnd.objects.all()}
    of_class: dict[int, set[str]] = {}
    own = ClassMachine.objects.filter(lab_class__in=_keys(lessons)).order_by()
    for lab_class, name in own.values_list("lab_class", "vm__cluster_id").distinct():
        of_class.setdefault(lab_class, set()).add(str(name))
    names = set().union(*of_class.values())
    rows = list(Cluster.objects.filter(cluster_id__in=names).select_related("health").order_by("name"))
    found: Found = {}
    for one, its in lessons.items():
        last = max(lesson.ends_at for lesson in its)
        mine = [row for row in rows if row.cluster_id in of_class.get(one.pk, ())]
        texts = [text for row in mine if (text := _of_cluster(row, ends.get(row.cluster_id), last))]
        if texts:
            found[one.pk] = [Finding(text, _("Clusters"), url) for text in texts]
    return found


def _of_cluster(cluster: Cluster, end: CredentialEnd | None, last: datetime) -> str:
    """What is wrong with it, if anything. `last` is the end of the last lesson."""
    health = getattr(cluster, "health", None)
    if not cluster.is_active:
        text = _("The cluster %(name)s is deactivated in the portal.")
    elif health is None or not health.ok:
        text = _("The cluster %(name)s is not responding now.")
    elif end and end.ends_at and end.ends_at <= last:
        text = _("The portal's credential for the cluster %(name)s expires before the lessons are over.")
    else:
        return ""
    return text % {"name": cluster.name}
