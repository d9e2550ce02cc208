"""Teachers make classes without being staff; administrators and auditors see them in the admin."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

WRITE = ["add", "change", "delete", "view"]
LOOK = ["view_labclass", "view_membership", "view_invite", "view_classmachine"]
RIGHTS = {
    "Teacher": ["add_labclass"],
    "Lab administrator": [*(f"{verb}_labclass" for verb in WRITE), *LOOK[1:], "add_invite", "change_invite"],
    "Auditor": LOOK,
}


def give_rights(apps, schema_editor):
    groups, permissions = apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects
    # Django makes permissions after all migrations; these are needed now.
    config = apps.get_app_config("classes")
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    config.models_module = None
    groups.get_or_create(name="Teacher")
    for group in groups.filter(name__in=RIGHTS):
        group.permissions.add(*permissions.filter(content_type__app_label="classes", codename__in=RIGHTS[group.name]))


class Migration(migrations.Migration):
    dependencies = [("classes", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
