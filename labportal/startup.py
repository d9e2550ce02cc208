"""Runs once, when Django has loaded all models: checks of the settings, and plain names for other apps."""

from django.apps import apps
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy

from labportal import checks, connection_pooler  # noqa: F401

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

for label, name in APP_NAMES.items():
    if label in apps.app_configs:
        apps.get_app_config(label).verbose_name = name
for label, (one, many) in MODEL_NAMES.items():  # migrations see nothing of it
    known = apps.get_model(label)._meta
    known.verbose_name, known.verbose_name_plural = one, many

connection_created.connect(connection_pooler.when_connected, dispatch_uid="pooler")
