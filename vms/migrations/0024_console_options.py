from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("vms", "0023_steps_of_provisioning"),
    ]

    operations = [
        migrations.AddField(
            model_name="clustersync",
            name="keyboard",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The option “keyboard” of the whole cluster in Proxmox VE.",
                max_length=20,
                verbose_name="keyboard option",
            ),
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="has_tablet",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Without it, the pointer in the console may be in another place.",
                verbose_name="tablet for pointer",
            ),
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="keyboard_layout",
            field=models.CharField(
                blank=True,
                choices=[
                    ("en-us", "English (US)"),
                    ("en-gb", "English (UK)"),
                    ("es", "Spanish"),
                    ("de", "German"),
                    ("fr", "French"),
                    ("pt", "Portuguese"),
                    ("it", "Italian"),
                ],
                db_default="",
                default="",
                help_text="Of the system on the machine, for text pasted into its console. Empty: not chosen.",
                max_length=10,
                verbose_name="keyboard layout",
            ),
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="keyboard_option",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The option “keyboard” in Proxmox VE. With it, QEMU ignores key codes.",
                max_length=20,
                verbose_name="keyboard option",
            ),
        ),
        migrations.AddField(
            model_name="virtualmachine",
            name="os_type",
            field=models.CharField(blank=True, db_default="", default="", max_length=20, verbose_name="OS type"),
        ),
    ]
