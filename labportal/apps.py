from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "labportal"

    def ready(self) -> None:
        from labportal import checks  # noqa: F401, PLC0415
