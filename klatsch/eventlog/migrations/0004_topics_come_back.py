from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("eventlog", "0003_outbox_claims"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="epoch", name="topic_once"),
    ]
