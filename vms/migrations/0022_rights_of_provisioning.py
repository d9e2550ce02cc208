"""Lab administrators publish templates and set quotas; auditors look at them."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

KEPT = ("machinetemplate", "templatecopy", "leasablenetwork", "quota")
SHOWN = ("networklease", "provisioningrun", "mademachine")
LOOK = [f"view_{name}" for name in (*KEPT, *SHOWN)]
RIGHTS = {
    "Lab administrator": [*LOOK, *(f"{verb}_{name}" for verb in ("add", "change", "delete") for name in KEPT)],
    "Auditor": LOOK,
}


def extend_groups(apps, schema_editor):
    groups, permissions = apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects
    # Django makes permissions after all migrations; these are needed now.
    config = apps.get_app_config("vms")
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    config.models_module = None
    for group in groups.filter(name__in=RIGHTS):
        group.permissions.add(*permissions.filter(content_type__app_label="vms", codename__in=RIGHTS[group.name]))


class Migration(migrations.Migration):
    dependencies = [("vms", "0021_provisioning")]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
