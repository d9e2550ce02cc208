"""By what the administration is ordered: people, clusters, machines, classes, system. Django orders by app."""

from typing import NamedTuple

from django.db.models import Model
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise


class Task(NamedTuple):
    """A part of the administration: its anchor on the index, its name, its models in the order of their use."""

    key: str
    name: StrOrPromise
    models: tuple[str, ...]


TASKS = (
    Task("people", gettext_lazy("People"), ("accounts.user", "auth.group", "axes.accessattempt")),
    Task(
        "clusters",
        gettext_lazy("Clusters"),
        (
            "clusters.cluster", "vms.alert", "vms.clustergrant", "vms.clustersync", "vms.syncrun", "vms.node",
            "clusters.clusternotice", "clusters.deletedcluster",
        ),
    ),
    Task(
        "machines",
        gettext_lazy("Machines"),
        ("vms.virtualmachine", "vms.assignment", "vms.machineset", "vms.operation", "vms.consolesession"),
    ),
    Task("classes", gettext_lazy("Classes"), ("classes.labclass",)),
    Task("system", gettext_lazy("System"), ("auditlog.logentry", "django_tasks_database.dbtaskresult")),
)  # fmt: skip

# Where the portal itself lists them, by the name of the address.
PORTAL_PAGES = {
    "clusters.cluster": "vms-clusters",
    "vms.virtualmachine": "vms-list",
    "vms.machineset": "vms-sets",
    "classes.labclass": "classes-list",
}

_BY_MODEL = {label: task for task in TASKS for label in task.models}


def task_of(model: type[Model]) -> Task:
    """A model that no task names belongs to the system."""
    return _BY_MODEL.get(model._meta.label_lower, TASKS[-1])


def place_of(model: type[Model]) -> int:
    """Where it stands in its task; those that are not named come last."""
    names, label = task_of(model).models, model._meta.label_lower
    return names.index(label) if label in names else len(names)
