from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ClustersConfig(AppConfig):
    name = "clusters"
    verbose_name = gettext_lazy("Clusters")

    def ready(self) -> None:
        import_module("clusters.startup")
