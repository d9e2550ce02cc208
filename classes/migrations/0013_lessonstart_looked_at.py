from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classes", "0012_sign_in_rules")]
    operations = [
        migrations.AddField(model_name="lessonstart", name="looked_at", field=models.DateTimeField(null=True)),
    ]
