"""The portal's own app, and the names that other people's apps have in the administration."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy

# By the task to which they belong: permissions are listed by the name of their app.
APP_NAMES = {
    "auth": gettext_lazy("People"),
    "axes": gettext_lazy("People"),
    "accounts": gettext_lazy("People"),
    "admin": gettext_lazy("Administration"),
    "auditlog": gettext_lazy("System"),
    "contenttypes": gettext_lazy("System"),
    "sessions": gettext_lazy("System"),
    "django_tasks_database": gettext_lazy("System"),
    "django_rq": gettext_lazy("System"),
}
MODEL_NAMES = {
    "axes.accessattempt": (gettext_lazy("failed login"), gettext_lazy("failed logins")),
    "auditlog.logentry": (gettext_lazy("audit log entry"), gettext_lazy("audit log")),
    "django_tasks_database.dbtaskresult": (gettext_lazy("background task"), gettext_lazy("background tasks")),
}


class PortalConfig(AppConfig):
    name = "labportal"

    def ready(self) -> None:
        from labportal import checks  # noqa: F401, PLC0415

        for label, name in APP_NAMES.items():
            if label in apps.app_configs:
                apps.get_app_config(label).verbose_name = name
        for label, (one, many) in MODEL_NAMES.items():  # migrations see nothing of it
            known = apps.get_model(label)._meta
            known.verbose_name, known.verbose_name_plural = one, many
