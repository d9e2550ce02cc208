"""The portal's own app."""

from importlib import import_module

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "labportal"

    def ready(self) -> None:
        import_module("labportal.startup")
