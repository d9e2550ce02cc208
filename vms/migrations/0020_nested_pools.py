from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("vms", "0019_incomplete_snapshots"),
    ]

    operations = [
        migrations.AddField(
            model_name="clustergrant",
            name="with_nested_pools",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Also covers the pools inside this one, such as labs/net101 inside labs. Otherwise machines in nested pools are not covered, although permissions on Proxmox VE reach them.",
                verbose_name="with nested pools",
            ),
        ),
    ]
