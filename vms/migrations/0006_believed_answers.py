from django.contrib.auth.management import create_permissions
from django.db import migrations, models

LOOK = ["view_clustersync", "view_syncrun", "view_node"]
GROUPS = {"Lab administrator": [*LOOK, "change_clustersync"], "Auditor": LOOK}


def give_rights(apps, schema_editor):
    groups, permissions = apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects
    # Django makes permissions after all migrations; these are needed now.
    config = apps.get_app_config("vms")
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    config.models_module = None
    for group in groups.filter(name__in=GROUPS):
        found = permissions.filter(content_type__app_label="vms", codename__in=GROUPS[group.name])
        group.permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("vms", "0005_alerts"),
    ]

    operations = [
        migrations.AddField(
            model_name="clustersync",
            name="believe_down_to",
            field=models.PositiveIntegerField(
                editable=False,
                help_text="A person believes the next answer if it has at least so many machines.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="details_failures",
            field=models.PositiveSmallIntegerField(default=0, help_text="In a row: it is asked ever more seldom."),
        ),
        migrations.AlterField(
            model_name="clustersync",
            name="synced_at",
            field=models.DateTimeField(
                editable=False,
                help_text="Begin of the last read that was complete, or listed every machine.",
                null=True,
            ),
        ),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
    ]
