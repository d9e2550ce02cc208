import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("classes", "0006_holiday_rights"),
        ("vms", "0021_provisioning"),
    ]

    operations = [
        migrations.AddField(
            model_name="labclass",
            name="joining_limit",
            field=models.PositiveSmallIntegerField(
                blank=True, editable=False, null=True, verbose_name="most machines of the class"
            ),
        ),
        migrations.AddField(
            model_name="labclass",
            name="joining_networks",
            field=models.CharField(
                choices=[
                    ("template", "The template's network"),
                    ("group", "One network for all machines"),
                    ("each", "One network for each machine"),
                ],
                db_default="template",
                default="template",
                editable=False,
                max_length=8,
                verbose_name="networks for those who join",
            ),
        ),
        migrations.AddField(
            model_name="labclass",
            name="joining_template",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="vms.machinetemplate",
                verbose_name="template for those who join",
            ),
        ),
    ]
