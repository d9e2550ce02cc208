from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("vms", "0024_console_options"),
    ]

    operations = [
        migrations.AddField(
            model_name="virtualmachine",
            name="no_snapshots",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="The cluster says that its disks can't have snapshots.",
                verbose_name="no snapshots",
            ),
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="vga",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="As its configuration says it; empty: Proxmox VE's default.",
                max_length=60,
                verbose_name="display",
            ),
        ),
    ]
