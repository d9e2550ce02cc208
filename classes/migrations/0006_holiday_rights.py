"""Administrators keep the school's holidays, and auditors see them."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

RIGHTS = {
    "Lab administrator": ["add_holiday", "change_holiday", "delete_holiday", "view_holiday"],
    "Auditor": ["view_holiday"],
}


def give_rights(apps, schema_editor):
    groups, permissions = apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects
    # Django makes permissions after all migrations; these are needed now.
    config = apps.get_app_config("classes")
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    config.models_module = None
    for group in groups.filter(name__in=RIGHTS):
        group.permissions.add(*permissions.filter(content_type__app_label="classes", codename__in=RIGHTS[group.name]))


class Migration(migrations.Migration):
    dependencies = [("classes", "0005_timetable")]

    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
