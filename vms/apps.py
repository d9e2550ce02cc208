from django.apps import AppConfig


class VmsConfig(AppConfig):
    name = "vms"
    verbose_name = "Machines"

    def ready(self) -> None:
        from vms import checks  # noqa: F401, PLC0415
