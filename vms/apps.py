from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class VmsConfig(AppConfig):
    name = "vms"
    verbose_name = gettext_lazy("Machines")

    def ready(self) -> None:
        import_module("vms.startup")
