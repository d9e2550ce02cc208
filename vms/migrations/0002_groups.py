"""The two groups of staff: who runs the lab, and who only looks."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

RUN = {
    "clusters": [
        "add_cluster",
        "change_cluster",
        "delete_cluster",
        "view_cluster",
        "test_cluster",
        "view_deletedcluster",
        "delete_deletedcluster",
    ],
    "vms": [
        "view_virtualmachine",
        "operate_virtualmachine",
        "view_operation",
        "add_assignment",
        "change_assignment",
        "delete_assignment",
        "view_assignment",
    ],
    "accounts": ["add_user", "change_user", "view_user"],
    "auditlog": ["view_logentry"],
}
LOOK = {
    "clusters": ["view_cluster", "view_deletedcluster"],
    "vms": ["view_virtualmachine", "view_operation", "view_assignment"],
    "accounts": ["view_user"],
    "auditlog": ["view_logentry"],
}
GROUPS = {"Lab administrator": RUN, "Auditor": LOOK}


def make_groups(apps, schema_editor):
    groups, permissions = apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects
    for label in RUN:
        # Django makes permissions after all migrations; these are needed now.
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        config.models_module = None
    for name, rights in GROUPS.items():
        group, _ = groups.get_or_create(name=name)
        for label, codenames in rights.items():
            found = permissions.filter(content_type__app_label=label, codename__in=codenames)
            if found.count() != len(codenames):
                raise LookupError(f"{label} lacks some of the permissions {codenames}")
            group.permissions.add(*found)


def remove_groups(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=GROUPS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("vms", "0001_initial"),
        ("clusters", "0001_initial"),
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auditlog", "0017_add_actor_email"),
    ]

    operations = [migrations.RunPython(make_groups, remove_groups)]
