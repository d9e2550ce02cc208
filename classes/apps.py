from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ClassesConfig(AppConfig):
    name = "classes"
    verbose_name = gettext_lazy("Classes")

    def ready(self) -> None:
        import_module("classes.startup")
