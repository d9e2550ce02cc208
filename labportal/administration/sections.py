"""The sections of the administration, in order: people, clusters, machines, classes, system. Django groups by app."""

from typing import NamedTuple

from django.db.models import Model
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise


class Section(NamedTuple):
    """A section of the index: its anchor on the index, its name, and its models in the order of their use."""

    key: str
    name: StrOrPromise
    models: tuple[str, ...]


SECTIONS = (
    Section(
        "people",
        gettext_lazy("People"),
        (
            "accounts.user", "auth.group", "axes.accessattempt", "accounts.directory", "accounts.provider",
            "accounts.trustedheader", "accounts.apitoken",
        ),
    ),
    Section(
        "clusters",
        gettext_lazy("Clusters"),
        (
            "clusters.cluster", "vms.alert", "vms.clustergrant", "vms.clustersync", "vms.syncrun", "vms.node",
            "clusters.clusternotice", "clusters.provisioningaccess", "clusters.deletedcluster",
        ),
    ),
    Section(
        "machines",
        gettext_lazy("Machines"),
        ("vms.virtualmachine", "vms.assignment", "vms.machineset", "vms.machinetemplate", "vms.mademachine",
            "vms.leasablenetwork", "vms.quota", "vms.operation", "vms.consolesession"),
    ),
    Section("classes", gettext_lazy("Classes"), ("classes.labclass", "classes.holiday")),
    Section("system", gettext_lazy("System"), ("auditlog.logentry", "django_tasks_database.dbtaskresult")),
)  # fmt: skip

# The pages of the portal itself that list the same objects, by name of the URL.
PORTAL_PAGES = {
    "clusters.cluster": "vms-clusters",
    "vms.virtualmachine": "vms-list",
    "vms.machineset": "vms-sets",
    "classes.labclass": "classes-list",
}

_BY_MODEL = {label: section for section in SECTIONS for label in section.models}


def section_of(model: type[Model]) -> Section:
    """The section of a model; models that no section names belong to *System*."""
    return _BY_MODEL.get(model._meta.label_lower, SECTIONS[-1])


def place_of(model: type[Model]) -> int:
    """The position of a model in its section; models that are not named come last."""
    names, label = section_of(model).models, model._meta.label_lower
    return names.index(label) if label in names else len(names)
